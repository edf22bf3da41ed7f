"""The project's sentences, each with its place: Markdown, `--help`, error messages, texts of pages, docstrings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.docs.commands import everything
from tests.docs.reading import ROOT

CODE = ("gateway", "connectors", "policies", "deploy")
"""The folders whose modules people read and run."""

TEXTS = ROOT / "gateway" / "texts" / "en.toml"

_FENCE = re.compile(r"^[ ]*```.*?^[ ]*```[ ]*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4,}\S.*\n)+(?=\n)")
_CODE = re.compile(r"``[^`]+``|`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+\.)\s)|\n(?=#)|(?<=\|)\n")
_MARKER = re.compile(r"^\s*(?:[-*+]|\d+\.|#+|>)\s+")
_END = re.compile(r"(?<=[.!?])[)\"'”]*\s+(?=[(\"'“]?[A-Z0-9`*\[{_])")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|cf|Arts?|No|vs|P|R|M|W)\.$")
_PLACEHOLDER = "`X`"


class Sentence(NamedTuple):
    """One sentence: where it is, and its words, with each code span as one word."""

    place: str
    text: str


def plain(text: str) -> str:
    """The text with every code span, link and comment as what a reader counts of it."""
    return _LINK.sub(r"\1", _CODE.sub(_PLACEHOLDER, _COMMENT.sub("", text)))


def split(text: str) -> Iterator[str]:
    """The sentences of a text without markup; a blank line, an item of a list and a cell of a table end one too."""
    for block in _BLOCK.split(text):
        cells = block.split("|") if block.lstrip().startswith("|") else [block]
        for cell in cells:
            begun = ""
            for part in _END.split(" ".join(_MARKER.sub("", cell).split())):
                begun = f"{begun} {part}".strip()
                if not _ABBREVIATION.search(begun):
                    yield from filter(None, [begun])
                    begun = ""
            yield from filter(None, [begun])


def without_code(text: str) -> str:
    """A Markdown page's text, outside of its fenced and indented blocks."""
    return _INDENTED.sub("\n", _FENCE.sub("\n\n", text))


def of_page(page: Path) -> Iterator[Sentence]:
    """A Markdown page's sentences, outside of its fenced and indented blocks."""
    name = str(page.relative_to(ROOT))
    for text in split(plain(without_code(page.read_text("utf-8")))):
        yield Sentence(name, text)


def of_help() -> Iterator[Sentence]:
    """What every command's `--help` has: what the command is for, and each argument's help."""
    for words, texts in everything().items():
        for text in texts:
            for sentence in split(plain(text)):
                yield Sentence(f"dutybound {' '.join(words)} --help".replace("  ", " "), sentence)


def of_texts(file: Path = TEXTS) -> Iterator[Sentence]:
    """The texts of the pages."""

    def below(names: tuple[str, ...], value: object) -> Iterator[Sentence]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from below((*names, name), inner)
        elif isinstance(value, list):
            for inner in value:
                yield from below(names, inner)
        elif isinstance(value, str):
            for sentence in split(plain(value)):
                yield Sentence(f"{file.relative_to(ROOT)}: {'.'.join(names)}", sentence)

    return below((), tomllib.loads(file.read_text("utf-8")))


def modules(folders: tuple[str, ...] = CODE) -> list[Path]:
    """Every module of the folders."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def of_docstrings(file: Path) -> Iterator[Sentence]:
    """The first paragraph of each public docstring of a module: its own, its classes', its functions'."""
    name = str(file.relative_to(ROOT))

    def below(node: ast.Module | ast.ClassDef) -> Iterator[tuple[int, str]]:
        text = ast.get_docstring(node)
        if text:
            yield getattr(node, "lineno", 1), text
        for inner in node.body:
            if isinstance(inner, ast.ClassDef):
                if not inner.name.startswith("_"):
                    yield from below(inner)
            elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(inner)
                if text and (not inner.name.startswith("_") or inner.name.startswith("__")):
                    yield inner.lineno, text

    for line, text in below(ast.parse(file.read_text("utf-8"))):
        for sentence in split(plain(text.split("\n\n")[0])):
            yield Sentence(f"{name}:{line}", sentence)


def of_messages(file: Path) -> Iterator[Sentence]:
    """The sentences among a module's strings: what its errors, refusals and output are made of.

    A string that is no sentence to a person (SQL, markup, a pattern, a script, a word list) is left out; a formatted
    value counts as one word, and a line's end ends a sentence.
    """
    tree = ast.parse(file.read_text("utf-8"))
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            inner.update(id(part) for part in ast.walk(node) if isinstance(part, ast.Constant))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else _PLACEHOLDER for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            text = node.value
        else:
            continue
        if _is_prose(text):
            for sentence in (sentence for line in text.splitlines() for sentence in split(plain(line))):
                yield Sentence(f"{file.relative_to(ROOT)}:{node.lineno}", sentence)


_SQL = re.compile(r"^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|PRAGMA|BEGIN|LOCK|TRUNCATE)\b")
_CODE_OF_OTHERS = re.compile(r"^\s*(?:[<#{(\[.@]|query\b|mutation\b|import\b)|</|\(\?|\\[dwsb]")


def _is_prose(text: str) -> bool:
    words = re.findall(r"(?<!\S)[A-Za-z][a-z']*(?=[\s,.:;?!)]|$)", text)
    listed = len(words) > 30 and not re.search(r"\b(?:the|an?|is|of)\b", text)
    return len(words) >= 4 and not listed and not _SQL.search(text) and not _CODE_OF_OTHERS.search(text)
