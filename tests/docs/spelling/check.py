"""`make check`: the words of pages, of the gateway's docstrings and of the texts of pages are in a dictionary.

A word that is right and in no dictionary stands in `words.txt`. Code, links, names in capitals and whatever has a
digit or an underscore is passed over.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from spellchecker import SpellChecker

from tests.docs.reading import ROOT, pages

OWN = Path(__file__).with_name("words.txt")
SOURCES = ("gateway", "connectors", "deploy")

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_PASSED = re.compile(r"`[^`]*`|\]\([^)]*\)|<https?:[^>]*>|https?://\S+|\{[^}]*\}")
_WORD = re.compile(r"(?<![\w@./:_-])[A-Za-z]+(?:'[a-z]+)?(?![\w@_/=(]|\.\w)")


def words(text: str) -> Iterator[tuple[int, str]]:
    """The words of a text that are to be looked up, with their line."""
    blanked = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    for number, line in enumerate(blanked.splitlines(), 1):
        for word in _WORD.findall(_PASSED.sub(" ", line)):
            plain = word.removesuffix("'s")
            if plain.islower() or plain.istitle():
                yield number, plain.lower()


def files() -> Iterator[Path]:
    """All that is read."""
    yield from pages()
    for folder in SOURCES:
        yield from (file for file in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in file.parts)
    yield from sorted((ROOT / "gateway" / "texts").glob("*.toml"))


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """What is read of a file: the line before a text, and the text."""
    if file.suffix == ".py":
        yield from _docstrings(file)
        return
    text = file.read_text("utf-8")
    if file.suffix == ".toml":
        tomllib.loads(text)
        text = re.sub(r"^[\w.\" -]+ = |^\[.*\]$", "", text, flags=re.MULTILINE)
    yield 0, text


def _docstrings(file: Path) -> Iterator[tuple[int, str]]:
    source = file.read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            said = ast.get_docstring(node, clean=False)
            if said:
                yield node.body[0].lineno - 1, said


def unknown(found: list[tuple[Path, int, str]], own: frozenset[str]) -> list[str]:
    """Each word that no dictionary has, once, as `file:line: word`."""
    wrong = _checker().unknown({word for _, _, word in found}) - own
    told: dict[str, str] = {}
    for file, line, word in found:
        if word in wrong:
            told.setdefault(word, f"{file.relative_to(ROOT)}:{line}: {word}")
    return sorted(told.values())


_checker = functools.cache(SpellChecker)


def own_words() -> frozenset[str]:
    """What is right although no dictionary has it."""
    return frozenset(OWN.read_text("utf-8").split())


def main() -> int:
    """Report each unknown word; gives the exit status."""
    found = [(file, at + line, word) for file in files() for at, text in texts(file) for line, word in words(text)]
    wrong = unknown(found, own_words())
    for each in wrong:
        print(each)
    if wrong:
        print(f"is it spelled wrong? If not, add it to {OWN.relative_to(ROOT)}, in its place in the alphabet")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
