"""The body of a look-up by POST: a JSON object with holes, so that no identifier stands in an address.

A hole is a whole text, `{scheme}`, `{value}` or `{values}`, and what fills it is a JSON value: nothing is ever put
together from pieces of text, so no identifier can leave its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import Config

_HOLE = re.compile(r"\{(\w+)\}")


class Body:
    """A JSON object as it was written, with what its holes are called."""

    def __init__(self, written: Mapping[str, Any]) -> None:
        self._written = written
        self.holes = frozenset(hole for text in _texts(written) if (hole := _hole(text)))

    @property
    def text(self) -> str:
        """All of it, as one text by which it differs from any other."""
        return msgspec.json.encode(self._written, order="sorted").decode()

    def fill(self, values: Mapping[str, str | Sequence[str]]) -> bytes | None:
        """The body with every hole filled; None where a value is no text that JSON can hold."""
        try:
            return msgspec.json.encode(_filled(self._written, values))
        except UnicodeEncodeError:
            return None


def read_body(config: Config, holes: tuple[str, str]) -> Body:
    """A `body` key; `holes` are those that it may have, and the last is the one that it must have."""
    written = config.plain()
    body = Body(written if config.is_mapping else {})
    if not config.is_mapping:
        config.problem(f'must be a JSON object with `{{{holes[1]}}}` in it, as `{{number: "{{{holes[1]}}}"}}`')
        return body
    allowed = " and ".join(f"`{{{hole}}}`" for hole in holes)
    for text in _texts(written):
        found = _HOLE.findall(text)
        if _hole(text) not in (None, *holes):
            config.problem(f"`{text}` is no hole of it; it can have {allowed}")
        elif _hole(text) is None and {*found} & {*holes}:
            config.problem(f"`{text}` must be the hole alone: what fills it is a value of its own")
    if holes[1] not in body.holes:
        config.problem(f"must have `{{{holes[1]}}}` as a value, what identifies the subject")
    return body


def _hole(text: str) -> str | None:
    found = _HOLE.fullmatch(text)
    return found[1] if found else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _filled(value: Any, values: Mapping[str, str | Sequence[str]]) -> Any:
    if isinstance(value, str):
        return values.get(_hole(value) or "", value)
    if isinstance(value, Mapping):
        return {name: _filled(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    return value
