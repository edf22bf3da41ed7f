"""Reads the project's Markdown: pages, tables, fenced blocks, inline code, and the files and tests that it names."""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDERS = ("gateway", "connectors", "policies", "deploy", "tests")
"""Where pages stand, beside the root itself."""
INSTALLED = frozenset({"node_modules", "__pycache__"})
"""Folders of what npm installed and Python compiled."""

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


class Fence(NamedTuple):
    """A fenced block: the page, the line of its first line of text, its language, and its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every Markdown page of the project."""
    below = (page for folder in FOLDERS for page in files(ROOT / folder) if page.suffix == ".md")
    return sorted([*ROOT.glob("*.md"), *below])


def files(folder: Path, enter: Callable[[str], bool] = lambda name: name not in INSTALLED) -> Iterator[Path]:
    """Every file below a folder. Only folders with a name to `enter` are looked into: what tools put there is much."""
    for place, inner, names in os.walk(folder):
        inner[:] = filter(enter, inner)
        yield from (Path(place, name) for name in names)


def fences(page: Path) -> list[Fence]:
    text = page.read_text("utf-8")
    return [
        Fence(page, text.count("\n", 0, found.start("text")) + 1, found["info"].strip(), found["text"])
        for found in _FENCE.finditer(text)
    ]


def inline(page: Path) -> list[str]:
    """The page's code spans, outside of its fenced blocks."""
    return _INLINE.findall(_FENCE.sub("", page.read_text("utf-8")))


def links(page: Path) -> list[str]:
    """The addresses of the page's links, without their `#part`."""
    return _LINK.findall(_FENCE.sub("", page.read_text("utf-8")))


def section(page: Path, heading: str) -> str:
    """The text below a `## heading`, up to the next one."""
    text = page.read_text("utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert heading in found, f"{page.relative_to(ROOT)} has no section `{heading}`; it has {', '.join(found)}"
    return found[heading]


def table(text: str) -> list[list[str]]:
    """The cells of the first table in `text`, row by row, without its head."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip()[1:-1].split("|")])
        elif rows:
            break
    assert len(rows) > 2, "there is no table"
    head, _, *body = rows
    assert all(len(row) == len(head) for row in body), "a row has another number of cells than the head"
    return body


def code(cell: str) -> list[str]:
    """The code spans of a cell."""
    return _INLINE.findall(cell)


@functools.cache
def functions_of(file: Path) -> frozenset[str]:
    """The names of a file's test functions."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    return frozenset(
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def missing(names: Iterator[str] | list[str], base: Path = ROOT) -> list[str]:
    """What does not exist of files (`a/b.py`), folders (`a/b/`) and tests (`tests/x/test_y.py::test_z`)."""
    wrong = []
    for name in names:
        path, _, test = name.partition("::")
        place = base / path
        exists = place.is_dir() if path.endswith("/") else place.is_file()
        if not exists or (test and test not in functions_of(place)):
            wrong.append(name)
    return wrong
