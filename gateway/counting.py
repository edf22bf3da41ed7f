"""What step 5 counts by, wired: in the memory of this process, or in Valkey for all replicas.

What was asked before this process is read of the ledger and of the store; where purposes come to count over other
periods, nothing is admitted until memory and store have what that takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import LedgerUnavailable
from gateway.inquiry.admit import Admission
from gateway.inquiry.beside import past
from gateway.inquiry.beside.fetches import Fetches
from gateway.inquiry.counting import counts
from gateway.inquiry.counting.known import Known
from gateway.inquiry.counting.snapshot import Sources
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections import lookups, unprojected
from gateway.rules.model import Purpose
from gateway.storage.port import Store
from gateway.storage.projections import projecting

if TYPE_CHECKING:
    from gateway.inquiry.counting.shared_counts import SharedAdmission


class Counting:
    """The counts of one process; `purposes` gives those that are served now."""

    def __init__(
        self, settings: Settings, store: Store, ledger: Ledger, purposes: Callable[[], Mapping[str, Purpose]],
        now: Clock, secret: bytes,
    ) -> None:  # fmt: skip
        self._engine, self._ledger, self._purposes, self._now = store.engine, ledger, purposes, now
        self.fetches = Fetches(store, lookups.named_since)
        tail = functools.partial(unprojected.counted, of_interest=past.counted)
        self._known = Known(Sources(store, purposes, tail, unprojected.since, lambda: now().timestamp()))
        self._shared: SharedAdmission | None = None
        if settings.valkey:
            # Imported where it is configured: Valkey's client would be a tenth of every start.
            from gateway.inquiry.counting.shared_counts import SharedAdmission

            self._shared = SharedAdmission(
                settings.valkey, _named(settings, secret), secret, purposes, self._counted, now
            )

    def admission(self) -> Admission | SharedAdmission:
        """What reserves an inquiry's counts."""
        return self._shared or Admission(self._known)

    def healthy(self) -> bool | Awaitable[bool]:
        """Whether it counts now."""
        return self._known.whole if self._shared is None else self._shared.healthy()

    async def start(self) -> None:
        """See that all is counted that was asked before this process."""
        await asyncio.to_thread(projecting.count_for, self._engine, counts.days(self._purposes().values()))
        await (self._shared.start() if self._shared is not None else self._known.fill(alone=True))

    async def start_over(self) -> None:
        """Purposes count over other periods now: nothing is admitted until memory and store have what that takes."""
        days = counts.days(self._purposes().values())
        with contextlib.suppress(LedgerUnavailable, SQLAlchemyError):  # it is tried again then
            await asyncio.to_thread(projecting.count_for, self._engine, days)
            if self._shared is None:
                await self._known.fill()

    async def close(self) -> None:
        """Disconnect from Valkey and from the store."""
        if self._shared is not None:
            await self._shared.close()
        await self._known.close()

    async def _counted(self) -> list[counts.Counted]:
        """What the ledger says was asked within the longest frequency period, and within a day."""
        since = self._now() - datetime.timedelta(days=counts.days(self._purposes().values()))
        return await self._ledger.entered_since(since, past.counted)


def _named(settings: Settings, secret: bytes) -> str:
    """What tells these counts from others' in one Valkey: another secret finds none, and has them filled again."""
    if settings.secrets_file is None:
        return settings.ledger.origin
    return f"{settings.ledger.origin} {hashlib.sha256(b'dutybound counts ' + secret).hexdigest()[:8]}"
