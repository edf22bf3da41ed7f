"""Each process follows the store: it serves the active rule set, from the first inquiry whose facts name it.

The store's epoch is looked at every `EVERY` seconds, and at once where an inquiry's facts are ahead (`reached`). What
is active then is loaded beside inquiries (`load`) and exchanged whole (`exchange`). What was loaded last
is kept (`KEPT`), so that a rollback takes no time; and a set that was stored last, as a proposal's, is loaded ahead.

Invariants: what is served is what some activation made active, never a mixture; the last good one is served until the
active one is loaded, and nothing is decided by it for facts that are ahead of it; while the active one cannot be loaded
`hindrance` says why. Valkey has no part in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.activation.stored import Stored, stored, stored_as
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.saying import in_words
from gateway.storage.looking import Looking
from gateway.storage.port import Store
from gateway.storage.rules import rulesets
from gateway.storage.statement import Statement
from gateway.storage.subjects.facts import fact_head

EVERY = 0.3
"""Seconds between two looks."""
AGAIN = 2.0
"""Seconds after which a rule set that could not be loaded is tried again."""
TELL = 5.0
"""Seconds between two rows that say what this process serves."""
KEPT = 4

T = TypeVar("T")
Heard = Callable[[str, str | None], None]


class Seen(NamedTuple):
    """The store's epoch, and how many rule sets it has, of which none ever goes."""

    epoch: int
    stored: int


_SEEN = Statement(select(fact_head.c.epoch, select(func.count(rulesets.rule_set.c.digest)).scalar_subquery()))
_NEWEST = select(rulesets.rule_set.c.digest).order_by(rulesets.rule_set.c.at.desc()).limit(1)


class Following(Generic[T]):
    """Follows for one process. What is served is a `T`, which `load` makes of what is stored.

    `exchange` has it served, as of an epoch. `heard` is told that the active set cannot be loaded, and `now` gives the
    time that `replica` has. `shard` is the process's name in it, `sources` the digest of the `sources.yaml` it goes by.
    """

    def __init__(
        self,
        store: Store,
        load: Callable[[Stored], Awaitable[T]],
        exchange: Callable[[int, T], Awaitable[None]],
        heard: Heard,
        now: Callable[[], float],
        shard: Callable[[], str],
        sources: Callable[[], str] = str,
    ) -> None:
        self._engine, self._load, self._exchange, self._heard = store.engine, load, exchange, heard
        self._looking = Looking(store, _SEEN)
        self._now, self._shard, self._sources = now, shard, sources
        self.epoch, self.digest, self._since = 0, "", 0
        self.hindrance: str | None = None
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._stored = 0
        self._ahead: asyncio.Task[None] | None = None
        self._advanced = asyncio.Condition()
        self._wake = asyncio.Event()
        self._told = float("-inf")
        self._tried = float("-inf")

    def begin(self, epoch: int, digest: str, served: T) -> None:
        """What is served at first, from now on."""
        self.epoch, self.digest, self._since = epoch, digest, self._micros()
        self._keep(digest, served)

    @property
    def current(self) -> T | None:
        """What is served."""
        return self._kept.get(self.digest)

    async def made(self, digest: str) -> T:
        """What would be served of a stored rule set; loaded where it is not, and kept for its activation.

        Raises `ConfigurationError` where it cannot be loaded, and `StoreUnavailable`.
        """
        if self._ahead is not None and self._ahead.get_name() == digest:
            await asyncio.wait([self._ahead])
        if digest not in self._kept:
            found = await asyncio.to_thread(stored_as, self._engine, digest)
            if found is None:
                raise StoreUnavailable(f"rule set {digest} is not in the store any more")
            self._keep(digest, await self._load(found))
        return self._kept[digest]

    async def reached(self, epoch: int, until: float) -> bool:
        """Wait until an epoch, or a later one, is served; whether it is by then (on the event loop's clock)."""
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until), self._advanced:
                await self._advanced.wait_for(lambda: self.epoch >= epoch or self.hindrance is not None)
        return self.epoch >= epoch

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self.look()
                except Exception as error:  # whatever it is, it goes on once that is over
                    self._heard("", in_words(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await self._wake.wait()
        finally:
            await asyncio.to_thread(self._looking.close)

    async def look(self) -> None:
        """Switch to the active rule set, where it is another; returns what is served. Raises what the store does."""
        (row,) = await asyncio.to_thread(self._looking.rows)
        seen = Seen._make(row)
        if seen.epoch and seen.epoch != self.epoch and self._due():
            await self._advance()
        elif seen.epoch == self.epoch:
            await self._settled(None)
            if seen.stored != self._stored and self._ahead is None:
                self._look_ahead(await asyncio.to_thread(self._newest))
                self._stored = seen.stored
        if time.monotonic() - self._told > TELL:
            await self._tell()

    def _due(self) -> bool:
        return self.hindrance is None or time.monotonic() - self._tried > AGAIN

    async def _advance(self) -> None:
        self._tried = time.monotonic()
        found = await asyncio.to_thread(stored, self._engine)
        if found is None:
            return None
        if self._ahead is not None and self._ahead.get_name() == found.digest:
            await asyncio.wait([self._ahead])
        try:
            served = self._kept.get(found.digest)
            if served is None:
                served = await self._load(found)
            await self._exchange(found.epoch, served)
        except ConfigurationError as error:
            return await self._settled(str(error))
        self.epoch, self.digest, self._since = found.epoch, found.digest, self._micros()
        self._keep(found.digest, served)
        await self._settled(None)
        return await self._tell()

    def _look_ahead(self, newest: str | None) -> None:
        """Load what was stored last before it is active, if it ever is; what is wrong with it is told then."""
        if newest is not None and newest not in self._kept:
            self._ahead = asyncio.create_task(self._loaded_ahead(newest), name=newest)

    async def _loaded_ahead(self, digest: str) -> None:
        try:
            found = await asyncio.to_thread(stored_as, self._engine, digest)
            if found is not None:
                self._keep(digest, await self._load(found))
        except (ConfigurationError, StoreUnavailable):
            """It is told where it is activated."""
        finally:
            self._ahead = None

    def _keep(self, digest: str, served: T) -> None:
        self._kept[digest] = served
        self._kept.move_to_end(digest)
        if self.digest in self._kept:
            self._kept.move_to_end(self.digest)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def _settled(self, why: str | None) -> None:
        """What hinders now; those who wait look again."""
        if why is None and self.hindrance is None:
            self._heard("", None)
        elif why != self.hindrance:
            self.hindrance = why
            self._heard("", why)
            await self._tell()
        async with self._advanced:
            self._advanced.notify_all()

    def _newest(self) -> str | None:
        with self._engine.connect() as connection:
            return connection.execute(_NEWEST).scalar_one_or_none()

    async def _tell(self) -> None:
        """Write what is served to `replica`; nothing is decided by it, so that it may fail."""
        self._told = time.monotonic()
        row = {
            "epoch": self.epoch, "digest": self.digest, "since": self._since, "seen": self._micros(),
            "hindrance": self.hindrance, "sources": self._sources(),
        }  # fmt: skip
        with contextlib.suppress(SQLAlchemyError):
            await asyncio.to_thread(self._write, self._shard(), row)

    def _write(self, shard: str, row: dict[str, object]) -> None:
        of = rulesets.replica
        with self._engine.begin() as connection:
            if not connection.execute(update(of).where(of.c.shard == shard).values(row)).rowcount:
                connection.execute(insert(of).values(shard=shard, **row))

    def _micros(self) -> int:
        return int(self._now() * 1e6)
