"""A browser before the open pages of a world."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
from starlette.applications import Starlette

from connectors.base import Subject
from gateway.public import record_page
from gateway.public.gate import Gate
from gateway.public.record import OpenRecords
from gateway.public.routes import Routes
from gateway.texts import words
from gateway.texts.words import Words
from tests.world import World

WORDS = Words(words.read())


class Desk:
    """A browser before the open pages of a world; `ticks` is the gate's clock."""

    def __init__(self, world: World) -> None:
        self.world, self.ticks = world, 0.0
        self.gate = Gate(20, lambda: self.ticks)
        self.journey = world.journey
        self.routes = Routes(self._using, OpenRecords(world.ledger), self.gate, (), world.clock, WORDS)
        self._app = Starlette(routes=self.routes.routes())

    def _using(self) -> Any:
        return contextlib.nullcontext(self.journey)

    def get(self, address: str, accept: str = "application/json", **headers: str) -> httpx.Response:
        self.ticks += 1.0

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.get(address, headers={"Accept": accept, **headers})

        found: httpx.Response = self.world.run(ask())
        return found

    def record(self, subject: Subject, **headers: str) -> httpx.Response:
        return self.get(f"{record_page.PATH}/{subject.scheme}/{subject.value}", **headers)

    def shown(self, subject: Subject) -> dict[str, list[str]]:
        """The ids of the records that are shown, by dataset."""
        answer = self.record(subject)
        assert answer.status_code == 200, answer.text
        return {each["id"]: [one["id"] for one in each["records"]] for each in answer.json()["datasets"]}
