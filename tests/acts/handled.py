"""A world in which acts are served by handlers that note what they are asked."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from gateway.acts.called import Acted, Called, Handler
from gateway.acts.graphql import Acts
from gateway.inquiry.document.acts import ACT_QUERIES
from gateway.inquiry.types import Answer, Requester
from tests.world import Ask, Reply, World, new_subject, opened

SUBJECT = new_subject("person")
ACT = {"id": "0" * 32, "at": "2026-03-02T12:00:00Z", "receipt": "c2sp.org/tlog-proof@v1"}
MATTER = {
    "id": "m-1", "kind": "OBJECTION", "state": "WITHDRAWN", "scheme": SUBJECT.scheme, "value": SUBJECT.value,
    "filed": datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC), "papers": [], "due": "2026-03-11",
    "provisional": False, "overdue": False, "reason": "not mine",
}  # fmt: skip
WITHDRAW = "mutation W($id: ID!) { mine: withdrawMatter(id: $id) { id state due papers { issuer } } }"


class Handlers:
    """Handlers that note what they are asked and give what a test wants, or raise it."""

    def __init__(self) -> None:
        self.called: list[tuple[Requester, Called]] = []
        self.gives: Any = None
        self.act: bytes | None = msgspec.json.encode(ACT)

    async def __call__(self, requester: Requester, called: Called) -> Acted | Answer:
        self.called.append((requester, called))
        if isinstance(self.gives, Exception):
            raise self.gives
        return Acted(self.gives, self.act)


class Place:
    """A world in which some acts are served."""

    def __init__(self, world: World, handlers: Mapping[str, Handler] | None = None) -> None:
        self.world, self.handler = world, Handlers()
        self.schema = world.serving.planner._schema
        known = (*self.schema.mutation_type.fields, *ACT_QUERIES)  # type: ignore[union-attr]
        served = dict.fromkeys(known, self.handler) if handlers is None else handlers
        self.serving = msgspec.structs.replace(world.serving, acts=Acts(self.schema, served))

    def ask(self, who: Requester, query: str, header: bytes | None = None, /, **variables: Any) -> Reply:
        return self.world.ask(Ask(who, query, variables, header), serving=lambda: self.serving)

    def who(self, *scopes: str, official: str | None = None, **more: Any) -> Requester:
        return self.world.requester("citizen-portal", scopes=scopes, official=official, **more)

    @property
    def called(self) -> Called:
        """How the handler was called; it was once."""
        ((_, called),) = self.handler.called
        return called


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as made:
        yield made


@pytest.fixture
def place(world: World) -> Place:
    return Place(world)
