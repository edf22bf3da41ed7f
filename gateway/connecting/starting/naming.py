"""Names and titles of the catalogue, made of what a source calls things; and what a catalogue may not have. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from gateway.catalogue import words
from gateway.catalogue.checks import RESERVED_TYPES

MOST_TITLE = 100
"""Characters of a title."""

_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_ASKING = re.compile(
    r"(list|get|find|fetch|return|retrieve|search|query|read|show|look ?up)s?\b( ?(for|up|all|the|an?|list|of))*\s+",
    re.IGNORECASE,
)


def pieces(name: str) -> list[str]:
    """The words and numbers of a name, in lower case, ASCII only: of `taxPeriod2`, `tax`, `period` and `2`."""
    return [piece.lower() for piece in _PIECES.findall(name)]


def likeness(one: str, other: str) -> int:
    """How many words two names have in common; `insolvency` and `insolvencies` are one word."""
    return sum(any(_alike(word, each) for each in pieces(other)) for word in {*pieces(one)})


def _alike(one: str, other: str) -> bool:
    return one == other or (len(one) > 4 and one[:5] == other[:5])


def field(path: Iterable[str], taken: Container[str]) -> tuple[str, bool]:
    """A camelCase name for a value, which no other has, and whether it is the source's own."""
    found = [piece for step in path for piece in pieces(step)]
    while found and not found[0][0].isalpha():
        found = found[1:]
    name = "".join([*found[:1], *(piece.capitalize() for piece in found[1:])])[:50]
    own = bool(name)
    name = name or "field"
    if name in ("record", "scheme", "value"):  # the schema has fields of these names
        name, own = f"{name}Text", False
    return _unlike(name, "", taken), own


def dataset(called: str, department: str, taken: Container[str]) -> str:
    """An id for a dataset, which no other has: the department stands before what is called by one word."""
    found = [piece[:40] for piece in pieces(called)][:6]
    if len(found) < 2:
        found = [*department.split("-"), *(found or ["records"])][:8]
    while found and not found[0][0].isalpha():
        found = found[1:]
    name = "-".join(found) or "records"
    if name.replace("-", "") in RESERVED_TYPES:
        name += "-records"
    return _unlike(name, "-", taken)


def _unlike(name: str, between: str, taken: Container[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}{between}{number}"
    return found


def clean(text: object) -> str:
    """The first sentence of a description as a title: one line of what can be printed, at most `MOST_TITLE` long."""
    if not isinstance(text, str):
        return ""
    line = "".join(each if each.isprintable() else " " for each in text[: 20 * MOST_TITLE])
    sentence = _SENTENCE.split(" ".join(line.split()), maxsplit=1)[0].rstrip(".")
    return sentence if len(sentence) <= MOST_TITLE else sentence[: MOST_TITLE - 1].rstrip() + "…"


def subject_of(summary: str) -> str:
    """What an operation's summary speaks of: `List all arrears` is about `Arrears`."""
    rest = _ASKING.sub("", summary, count=1) if _ASKING.match(summary) else summary
    return rest[:1].upper() + rest[1:]


def spoken(name: str) -> str:
    """A name as people read it: `taxPeriod` is `Tax period`."""
    return " ".join(pieces(name)).capitalize() or clean(name) or "Without a name"


def refused(*texts: str) -> str:
    """Why a catalogue may not have what is called or described so; nothing where it may."""
    for text in texts:
        if (found := words.special(text)) is not None:
            return f"`{found.words}` speaks of {found.meaning}, which may not be in a catalogue"
        if (found := words.scoring(text)) is not None:
            return f"`{found.words}` names {found.meaning}, which may not be in a catalogue"
    return ""


def legible(name: str) -> bool:
    """Whether `sources.yaml` can name it as a step of a path."""
    return bool(name) and len(name) <= 100 and name.isprintable() and not re.search(r"[\s.\[\]]", name)
