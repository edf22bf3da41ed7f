"""graphql-core's executor as the reference: the root that it starts from, and its values as the wire has them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def root(subject: Callable[[str, str], Any]) -> dict[str, Any]:
    """The resolvers of `Query` that name subjects; `subject` gives one's value, of its scheme and value."""

    def one(_info: Any, id: Mapping[str, Any]) -> Any:
        return subject(str(getattr(id["scheme"], "value", id["scheme"])), id["value"])

    def many(info: Any, ids: Sequence[Mapping[str, Any]]) -> Any:
        return [one(info, each) for each in ids]

    return {"organisation": one, "person": one, "organisations": many}


def plain(value: Any) -> Any:
    """A JSON value with instants as instants, however their offset is written."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str) and len(value) >= 20 and value[10:11] == "T":
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            return value
    return value
