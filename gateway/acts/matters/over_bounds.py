"""Acts beyond a day's bounds: one count per hour of each client and bound is entered, and not each of them."""

from __future__ import annotations

import datetime

from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, Made, Planned, Seen
from gateway.storage.subjects.acts import Act

HOUR = datetime.timedelta(hours=1)


class OverBounds:
    """Enters what one process refused. What was refused within an hour before its end is not entered."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._since: datetime.datetime | None = None

    async def turn(self) -> None:
        """Enter the counts, where an hour is over. Raises `Refusal`."""
        now = self._office.now()
        if self._since is None or now - self._since < HOUR:
            self._since = self._since or now
            return
        self._since = now
        for (actor, quota), count in self._office.writer.refused().items():
            await self._office.writer.act(self._planned(actor, quota, count))

    def _planned(self, actor: Actor, quota: str, count: int) -> Planned:
        def make(seen: Seen) -> Made:
            told = self._office.told(seen, actor, "over-bounds", outcome=f"{quota}: {count}")
            return Made(told, self._office.oversight(seen, actor), [], "", None)

        def again(_seen: Seen, _past: Act) -> None:
            """It has no reference, so it is never repeated."""

        return Planned(actor, frozenset(), (), make, again)
