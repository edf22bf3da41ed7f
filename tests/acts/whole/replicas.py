"""Two gateways on one store, in one event loop: the real journey and every act, and each may be killed or begun anew.

Beside `tests.world`, which simulates what lies outside: departments, tokens, and the clock that both go by.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.base import Subject
from gateway.acts.graphql import Acts
from gateway.acts.matters.clocks import Clocks
from gateway.acts.office import Office
from gateway.errors import LedgerUnavailable
from gateway.inquiry import answer
from gateway.inquiry.admit import Admission
from gateway.inquiry.beside.fetches import Fetches
from gateway.inquiry.beside.recalled import StoredRecalls
from gateway.inquiry.beside.receipts import Receipts
from gateway.inquiry.beside.roots import Others
from gateway.inquiry.beside.unsent import Unsent
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.ledger.projections import lookups
from gateway.recall.enforcing.overdue import Overdue
from gateway.recall.handlers import handlers
from gateway.recall.own import answered_by
from gateway.rules.explain import permissions
from gateway.storage.keys.opening import unlock
from gateway.storage.port import Store
from tests.acts.whole import asking
from tests.ledger.support import KEY, ORIGIN, FaultyStore
from tests.ledgers import ledger_on
from tests.storage.conftest import Place
from tests.world import Ask, World, opened

BEFORE, AFTER = "before the commit", "after the commit"
STATEMENTS = ("INSERT INTO entry ", "UPDATE shard", "COMMIT", "AFTER COMMIT")
"""What fails in a commit of SQLite, by how the statement begins."""
DEATHS = (BEFORE, AFTER, *STATEMENTS)


class Said(NamedTuple):
    """An answer: its status, its bytes, and what they say."""

    status: int
    body: bytes
    said: Mapping[str, Any]

    @property
    def code(self) -> str:
        """How it was refused: the reason, or else the code; `OK` where it was not."""
        for error in self.said.get("errors", ()):
            extensions: Mapping[str, Any] = error["extensions"]
            return str(extensions.get("reason", extensions["code"]))
        return "OK"

    @property
    def value(self) -> Any:
        """What an act gave."""
        return self.said["data"]["it"]

    @property
    def act(self) -> str:
        """The id of the act; empty where there was none."""
        act: Mapping[str, Any] = self.said.get("extensions", {}).get("act", {})
        return str(act.get("id", ""))


class Replica:
    """One gateway. `store` is an opening of its own."""

    def __init__(self, world: World, store: Store) -> None:
        self.world, self.store = world, store
        self.ledger = ledger_on(store, KEY, ORIGIN)
        self.writer = Writer(self.ledger, world.clock, world.rules.calendar.zone)
        self.office = Office(self.writer, store, lambda: world.rules, world.clock)
        self.handlers = dict(handlers(self.office, lambda: self.journey))
        self.clocks = Clocks(self.office, lambda *_: None, lambda *_: None)
        self.overdue = Overdue(self.office)
        self._facts = store.facts()
        self.schema = world.serving.planner._schema
        past = Receipts(world.rules, self.ledger, lookups.places_of, world.clock)
        others = Others(self.schema, self._permitted, past.opened)
        serving = msgspec.structs.replace(world.serving, acts=Acts(self.schema, self.handlers), others=others)
        self.journey = msgspec.structs.replace(
            world.journey,
            serving=lambda: serving,
            facts=FactsReader(self._facts, serving.zone),
            admission=Admission(),
            ledger=self.ledger,
            unsent=Unsent(self.ledger),
            recalls=StoredRecalls(
                store, lambda who: answered_by(world.rules, who), Fetches(store, lookups.named_since)
            ),
        )

    def _permitted(self, requester: Requester, purpose: str, suspended: Any) -> list[dict[str, Any]]:
        return permissions.rows(self.world.rules, requester, purpose, self.world.today(), suspended)

    async def start(self) -> None:
        await self.ledger.start()

    async def end(self, *, killed: bool = False) -> None:
        """End it; one that is killed leaves everything as it is, but for the lock that its process had."""
        if killed:
            shard, publishing = self.ledger._shard, self.ledger._publishing
            self.ledger._open = False
            if publishing is not None:
                publishing.cancel()
            if shard is not None:
                await shard.release()
        else:
            await self.writer.close()
            await self.ledger.close()
        self._facts.close()
        self.store.close()

    async def ask(self, who: Requester, query: str, variables: Mapping[str, Any]) -> Said:
        """One request, from its bytes to its answer's."""
        got = await answer.answer(self.journey, *self.world.sent(Ask(who, query, variables)))
        return Said(got.status, got.body, json.loads(got.body))

    async def act(self, who: Requester, name: str, **given: Any) -> Said:
        """One root field of an act, and all of its value."""
        return await self.ask(who, asking.operation(self.schema, name, given), given)

    def dying(self, how: str) -> None:
        """Have the next acts that are committed meet a death."""
        if how in STATEMENTS:
            store = self.store
            assert isinstance(store, FaultyStore)
            store.fault = _failing(how)
            return
        right = self.ledger.append_together

        async def dies(several: Any) -> Any:
            if how == AFTER:
                await right(several)
            raise LedgerUnavailable("planted: the process ends")

        self.ledger.append_together = dies  # type: ignore[method-assign]


def _failing(begins: str) -> Callable[[str], None]:
    def fail(statement: str) -> None:
        if statement.lstrip().startswith(begins):
            error = sqlite3.OperationalError("planted: disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    return fail


class Replicas:
    """Two of them at a place."""

    def __init__(self, world: World, place: Place) -> None:
        self.world, self._place = world, place
        self.each: list[Replica] = []

    async def __aenter__(self) -> Replicas:
        for _ in range(2):
            self.each.append(await self._begun())
        return self

    async def __aexit__(self, *_: object) -> None:
        for replica in self.each:
            await replica.end()

    async def again(self, which: int, *, killed: bool) -> None:
        """End one, and begin another in its place."""
        await self.each[which].end(killed=killed)
        self.each[which] = await self._begun()

    async def clocks(self) -> None:
        """Have both do what is due."""
        await asyncio.gather(*(each.clocks.turn() for each in self.each))

    async def _begun(self) -> Replica:
        if self._place.kind == "sqlite":
            store: Store = FaultyStore(Path(self._place.url.removeprefix("sqlite:///")))
            unlock(store, self._place.key, "gateway.yaml", new=True)
        else:
            store = self._place.open()
        replica = Replica(self.world, store)
        await replica.start()
        return replica

    def who(self, client: str, *scopes: str, **more: Any) -> Requester:
        """A client's token, of now."""
        plain = {name: more.pop(name) for name in ("official", "identifier") if name in more}
        made = self.world.requester(client, scopes=scopes, **plain)
        entry = self.world.policies.requesters[made.who]
        return msgspec.structs.replace(made, reports_changes=entry.reports_changes, **more)

    def subject(self, of: Subject, person: str = "p-1", client: str = "citizen-portal") -> Requester:
        """A subject's own, of a sign-in just now."""
        now = self.world.now.timestamp()
        return self.who(client, "self", identifier=of[1:], person=person, auth_time=now)

    def steward(self, department: str, name: str, scope: str = "steward") -> Requester:
        return self.who(f"{department}-stewards", scope, official=name)


@contextlib.contextmanager
def together(place: Place) -> Iterator[tuple[World, Replicas]]:
    """A world, and both gateways in its loop, as long as this lasts."""
    with opened() as world:
        both = Replicas(world, place)
        world.run(both.__aenter__())
        try:
            yield world, both
        finally:
            world.run(both.__aexit__())
