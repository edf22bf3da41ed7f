"""An act as it is asked for, and what comes of it: what handlers share with the GraphQL side, and nothing of GraphQL.

Processes that act without being asked by GraphQL import this and save the time that its libraries take.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from gateway.inquiry.http.request import Media
from gateway.inquiry.types import Answer, Requester


class Called(NamedTuple):
    """One act, as it is asked for.

    `arguments` are coerced, those that were left out are missing; an enum's value is also its name as text. `selected`
    is what is asked of the field's value, by GraphQL name with its own arguments: nothing else has to be made. `render`
    gives the bytes of a value, for whoever enters what they commit to.
    """

    field: str
    arguments: Mapping[str, Any]
    selected: Mapping[str, Mapping[str, Any]]
    media: Media
    render: Callable[[Any], Awaitable[bytes]]


class Acted(NamedTuple):
    """What came of it: a value by GraphQL names (of a union, with `__typename`), and the JSON of `extensions.act`."""

    value: Any
    act: bytes | None = None


Handler = Callable[[Requester, Called], Awaitable[Acted | Answer]]
"""Does one root field; raises `Refusal`. It gives an `Answer` where it made the bytes itself, by `render`."""

Handlers = Mapping[str, Handler]
"""By the name of the root field."""
NO_ACTS: Handlers = {}
"""Where no act is served."""
