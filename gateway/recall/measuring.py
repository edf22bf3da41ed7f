"""What the process that recalls counts, reported to its supervisor, whose metrics have it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from sqlalchemy.exc import SQLAlchemyError

from gateway.acts.office import Office
from gateway.errors import StoreUnavailable
from gateway.manage.link import Link
from gateway.manage.messages import Recalling
from gateway.storage.looking import Looking
from gateway.storage.recall import work as queue
from gateway.storage.tables import micros
from gateway.telemetry.metrics import RecallCounts

EVERY = 2.0


class Counting:
    """Counts what happens, of kinds that are fixed in the code: no label names a subject or comes from outside.

    Every outcome and kind is there from the start: Prometheus sees no increase where a series begins at 1.
    """

    def __init__(self, outcomes: Iterable[str], kinds: Iterable[str]) -> None:
        self.counts = RecallCounts(dict.fromkeys(outcomes, 0), dict.fromkeys(kinds, 0))

    def message(self, outcome: str) -> None:
        """One more try to notify a recipient."""
        self.counts.messages[outcome] += 1

    def alert(self, kind: str) -> None:
        """One more alert."""
        self.counts.alerts[kind] += 1


class Measuring:
    """A turn that looks at what waits, and reports it to the supervisor, where there is one."""

    def __init__(self, office: Office, counting: Counting, link: Link | None) -> None:
        self._office, self._counting, self._link = office, counting, link
        self._looking = Looking(office.store, queue.WAITING)

    async def turn(self) -> bool:
        """Look and report; there is never more to do at once. Raises `Refusal`, `StoreUnavailable`, SQLAlchemy's
        errors."""
        counts = self._counting.counts
        ((counts.waiting, first),) = await asyncio.to_thread(self._looking.rows)
        counts.late = 0.0 if first is None else max(0.0, (micros(self._office.now()) - first) / 1e6)
        if self._link is not None:
            await asyncio.to_thread(self._link.tell, Recalling(counts))
        return False

    async def close(self) -> None:
        """Give the connection back."""
        with contextlib.suppress(StoreUnavailable, SQLAlchemyError):
            await asyncio.to_thread(self._looking.close)
