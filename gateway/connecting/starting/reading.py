"""A description's text as plain values: JSON or YAML, of bounded size, depth and number of values.

Nothing in it is acted on: no tag makes anything, no alias stands for anything, no pattern is run. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway import documents
from gateway.errors import CommandRefused, Problem
from gateway.values import NOWHERE, Document

MOST_DEPTH = 64
MOST_VALUES = 400_000
"""Values of one description; each of ten thousand fields has fewer than forty."""


_decode = msgspec.json.Decoder(float_hook=float).decode  # msgspec's own reading of some numbers is slow


def plain(content: bytes, name: str) -> dict[str, Any]:
    """The mapping that a description is; raises `CommandRefused` with the place of what is wrong. `name` is shown."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandRefused(f"{name}:{line}: is not UTF-8; save it as UTF-8") from error
    found = _json(text, name) if text.lstrip()[:1] == "{" else _yaml(text, name)
    if not isinstance(found, dict):
        raise CommandRefused(f"{name}: is no mapping, so it describes nothing; name a description as it was published")
    _bounded(found, name)
    return found


def _json(text: str, name: str) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        why = "is nested too deep" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        raise CommandRefused(f"{name}: {why}") from error


def _yaml(text: str, name: str) -> Any:
    if len(text) > documents.MOST_BYTES:
        raise CommandRefused(
            f"{name}: is YAML of more than {documents.MOST_BYTES >> 20} MiB, which takes long to read; save it as JSON"
        )
    problems: list[Problem] = []
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    node = documents.parse(source, Document(name, NOWHERE, problems))
    found = node.plain() if node is not None else None
    if problems:
        raise CommandRefused("\n".join(str(problem) for problem in problems[:20]) + "\nAs JSON, more can be read.")
    return found


def _bounded(found: Any, name: str) -> None:
    """Raise where it is deeper or longer than a description."""
    left, level = MOST_VALUES, [found]
    for _ in range(MOST_DEPTH):
        left -= len(level)
        if left < 0:
            raise CommandRefused(f"{name}: has more than {MOST_VALUES} values; leave out what is not needed")
        level = [value for each in level for value in _inside(each)]
        if not level:
            return
    raise CommandRefused(f"{name}: is nested more than {MOST_DEPTH} deep, as no description is")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping; an empty one where it is anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> list[Any]:
    """The value where it is a list; an empty one where it is anything else."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value where it is text; nothing where it is anything else."""
    return value if isinstance(value, str) else ""
