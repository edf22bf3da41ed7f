"""What no recipient took in all the time that it was tried: reported to oversight, and not tried again.

The recall stays open in the recipient's inbox, with its term. A recipient to whom nothing is sent at all is not given
up: oversight knows of it already.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from gateway.acts.office import Office
from gateway.recall.delivering.deliver import GIVEN_UP
from gateway.recall.delivering.telling import Telling
from gateway.storage.recall.recalls import Recall, Work, recall, work
from gateway.storage.recall.work import DELIVER, delivery_stop
from gateway.storage.tables import micros

EVERY = 60.0
"""Seconds between two looks."""
_AT_ONCE = 100


class GivingUp:
    """Gives up, in one process."""

    def __init__(self, office: Office) -> None:
        self._office, self._telling = office, Telling(office)

    async def turn(self) -> bool:
        """Give up some of what is to be; whether there was any. Raises `Refusal`, SQLAlchemy's errors."""
        found = await asyncio.to_thread(self._over, micros(self._office.now()))
        told = await asyncio.gather(*(self._telling.given_up(each, row) for each, row in found))
        return any(told)

    def _over(self, now: int) -> list[tuple[Work, Recall]]:
        query = (
            select(work, recall)
            .join(recall, recall.c.id == work.c.what)
            .where(
                work.c.kind == DELIVER,
                work.c.lease <= now,
                recall.c.at < now - round(GIVEN_UP * 1_000_000),
                work.c.lane.not_in(select(delivery_stop.c.lane)),
            )
            .limit(_AT_ONCE)
        )
        width = len(work.c)
        with self._office.store.engine.connect() as connection:
            return [(Work._make(row[:width]), Recall._make(row[width:])) for row in connection.execute(query)]
