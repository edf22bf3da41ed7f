"""The watch as a turn: the ledger followed behind it, and findings of break-glass that were taken away brought back.

The same as `dutybound watch follow`, which may run beside it: of two, whoever is second starts again from what the
first has stored.
"""

from __future__ import annotations

import asyncio

from gateway.acts.office import Office
from gateway.rules.files import thresholds
from gateway.watch import restore
from gateway.watch.break_glass import BreakGlass
from gateway.watch.follow import Follower

EVERY = 2.0
"""Seconds between two looks for new entries, where there were none."""
BATCH = 500
"""Entries of a shard that are taken at a time."""


class Following:
    """Follows, in one process."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._follower: Follower | None = None

    async def turn(self) -> bool:
        """Take some of what is new; whether there was any. As `Follower.turn`; the first also brings back.

        Raises `ConfigurationError` for what is wrong in `watch.yaml`, which no start refuses.
        """
        return await asyncio.to_thread(self._turn)

    def _turn(self) -> bool:
        if self._follower is None:
            self._follower = self._begun()
        return self._follower.turn() > 0

    def _begun(self) -> Follower:
        wanted = thresholds.needed(self._office.rules.watch)
        office, purposes = self._office, self._office.rules.policies.purposes
        glass = BreakGlass(office.store.engine, office.calendar, lambda: purposes, lambda *_: None)
        others = [purpose.name for purpose in purposes.values() if purpose.break_glass is None]
        restore.brought_back(office.store, glass, others)
        own = [purpose.name for purpose in purposes.values() if purpose.scope == "self"]
        return Follower(office.store, wanted, office.calendar, own, BATCH)
