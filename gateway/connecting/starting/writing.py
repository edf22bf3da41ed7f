"""Parts of files as YAML text: guesses and gaps are marked on their own lines. Pure.

version: rev  # guess: by its name
nature:       # gap: adverse, favourable or neutral
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.connecting.starting.model import YES, Items, Lines, Names, Note, Part, Said
from gateway.connecting.starting.quoting import comment, scalar

GUESS, GAP = "guess", "gap"


def written(lines: Lines, indent: int = 0) -> str:
    """The mapping as text, each line behind so many spaces."""
    return "".join(f"{line}\n" for line in _lines(lines, " " * indent))


def listed(item: Lines, indent: int = 0) -> str:
    """The mapping as an item of a list, its dash behind so many spaces."""
    return "".join(f"{line}\n" for line in _item(item, " " * indent))


def counted(lines: Lines) -> tuple[int, int]:
    """How many guesses and how many gaps a part has."""
    said = list(_said_in(lines))
    return sum(bool(each.why) and not each.gap for each in said), sum(each.gap for each in said)


def _said_in(part: Part) -> Iterator[Said]:
    if isinstance(part, Said):
        yield part
    elif isinstance(part, Lines):
        for _, each in part.entries:
            yield from _said_in(each)
    elif isinstance(part, Items):
        for item in part.items:
            yield from _said_in(item)


def _lines(lines: Lines, before: str) -> Iterator[str]:
    for key, part in lines.entries:
        if isinstance(part, Note):
            yield before + comment(part.text)
        else:
            yield from _entry(scalar(key, flow=True), part, before)


def _entry(key: str, part: Part, before: str) -> Iterator[str]:
    if isinstance(part, Said):
        yield before + _said(key, part)
    elif isinstance(part, Lines):
        yield f"{before}{key}:"
        yield from _lines(part, before + "  ")
    elif isinstance(part, Names):
        yield f"{before}{key}: [{', '.join(scalar(each, flow=True) for each in part.names)}]"
    elif isinstance(part, Items):
        yield f"{before}{key}:"
        for item in part.items:
            yield from _item(item, before + "  ")


def _item(item: Lines, before: str) -> Iterator[str]:
    for number, line in enumerate(_lines(item, before + "  ")):
        yield line if number else f"{before}- {line.lstrip(' ')}"


def _said(key: str, said: Said) -> str:
    if said.text is None:
        return f"{key}:  {comment(f'{GAP}: {said.why}')}"
    mark = f"  {comment(f'{GUESS}: {said.why}')}" if said.why else ""
    return f"{key}: {said.text if said is YES else scalar(said.text)}{mark}"
