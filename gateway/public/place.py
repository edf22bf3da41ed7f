"""Where the entries of what everybody is shown go: a shard of its own, so that a flood delays no authority's.

It is taken with the first request, and again after a fault. Invariant: what is not durable there is not shown.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable

from sqlalchemy.sql import ClauseElement

from gateway.errors import LedgerUnavailable
from gateway.ledger.entry.parts import SubjectParts
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.tlog_proof import Receipt

AGAIN = 1.0
"""Seconds after which a shard that could not be had is tried again."""


class Place:
    """A ledger that is opened when it is first needed; `make` gives one that is not started. Of one event loop."""

    def __init__(self, make: Callable[[], Ledger], again: float = AGAIN) -> None:
        self._make, self._again = make, again
        self._ledger: Ledger | None = None
        self._starting: asyncio.Task[Ledger] | None = None
        self._refused: tuple[float, str] | None = None

    async def append(
        self,
        told: bytes,
        oversight: bytes,
        at: datetime.datetime,
        by: tuple[str, str] = ("", ""),
        changes: tuple[ClauseElement, ...] = (),
        subjects: tuple[SubjectParts, ...] = (),
    ) -> Receipt:
        """As `Ledger.append`."""
        ledger = self._ledger or await self._opened()
        return await ledger.append(told, oversight, at, by, changes, subjects)

    async def _opened(self) -> Ledger:
        loop = asyncio.get_running_loop()
        if self._starting is None:
            if self._refused is not None and loop.time() < self._refused[0] + self._again:
                raise LedgerUnavailable(self._refused[1])
            self._starting = loop.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    async def _start(self) -> Ledger:
        ledger = self._make()
        await ledger.start()
        return ledger

    def _started(self, task: asyncio.Task[Ledger]) -> None:
        self._starting = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._ledger = task.result()
        else:
            self._refused = (asyncio.get_running_loop().time(), str(error))

    async def close(self) -> None:
        """Commit what waits, and let the shard go."""
        if self._starting is not None:
            await asyncio.wait([self._starting])
        if self._ledger is not None:
            await self._ledger.close()
