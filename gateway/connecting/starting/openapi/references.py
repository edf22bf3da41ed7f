"""References within a description (`$ref: "#/..."`): followed within the document, and never out of it. Pure.

RFC 6901 (JSON Pointer). One chain of references has at most `MOST_STEPS`, so that a circle ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from gateway.connecting.starting.reading import mapping, text

MOST_STEPS = 20
MOST_SCHEMAS = 50_000
"""Schemas that are looked at for one document: ten for each field that can be proposed of it."""


class LeavesError(Exception):
    """A reference leads nowhere that may be read; the text explains which and why, for a person."""


class References:
    """The references of one document, and how many of its schemas are still looked at."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left = MOST_SCHEMAS

    def schema(self, value: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """As `followed`, for a schema; raises `LeavesError` also where enough of them were looked at."""
        self._left -= 1
        if self._left < 0:
            raise LeavesError(f"the document has more than {MOST_SCHEMAS} schemas within each other; split it")
        return self.followed(value)

    def followed(self, value: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """What a value is, and the references that led there. Raises `LeavesError`."""
        found, walked = mapping(value), tuple[str, ...]()
        while "$ref" in found:
            to = text(found["$ref"])
            if to != "#" and not to.startswith("#/"):
                raise LeavesError(f"`$ref: {to}` is no place in the document, and nothing else is followed")
            if to in walked or len(walked) >= MOST_STEPS:
                raise LeavesError(f"`$ref: {to}` leads round in a circle")
            walked += (to,)
            found = mapping(self._at(to))
        return found, walked

    def _at(self, to: str) -> Any:
        found: Any = self._document
        for step in unquote(to[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and name.isascii() and len(name) < 7:
                found = found[int(name)] if int(name) < len(found) else None
            else:
                found = mapping(found).get(name)
        if not isinstance(found, Mapping):
            raise LeavesError(f"`$ref: {to}` leads to nothing in the document")
        return found
