"""What everybody may read of how datasets came into the catalogue: each step, its time and its words; never by whom.

The rows are read at most once in `FRESH` seconds, however many ask, and what was said is read where they changed.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Sequence
from typing import Any

from gateway.acts.office import Office
from gateway.acts.subject.words import acts_at
from gateway.catalogue import definitions
from gateway.errors import Refusal
from gateway.storage.rules import cataloguing as rows
from gateway.storage.rules.cataloguing import Step, Supplement
from gateway.storage.tables import moment
from gateway.web.open.opened import History, Told, ToldStep

FRESH = 1.0
"""Seconds."""


class Histories:
    """Gives the history as it is now; the last one that could be read where the store is out of reach."""

    def __init__(self, office: Office) -> None:
        self._office, self._known, self._read_at = office, History((), 0), float("-inf")
        self._steps: Sequence[Step] = ()
        self._lock = asyncio.Lock()

    async def now(self) -> History:
        """The history; raises `Refusal` where it was never read, and cannot be."""
        async with self._lock:
            if time.monotonic() - self._read_at >= FRESH:
                try:
                    await asyncio.to_thread(self._look)
                except Refusal:
                    if self._read_at == float("-inf"):
                        raise
                self._read_at = time.monotonic()
        return self._known

    def _look(self) -> None:
        with self._office.reading() as connection:
            steps = rows.steps(connection)
            if steps == self._steps:
                return
            bodies = rows.bodies(connection, {each.definition for each in steps})
        said = acts_at(self._office.store, [each.filed_in for each in steps])
        told = [_told(each, bodies[each.definition], said) for each in rows.supplements(steps)]
        told.sort(key=lambda each: (each.dataset, each.steps[0].at))
        self._steps, self._known = steps, History(tuple(told), self._known.number + 1)


def _told(own: Supplement, body: bytes, said: Any) -> Told:
    proposed = definitions.read(body)
    consulted = own.consulted
    until = datetime.date.fromisoformat(consulted.until) if consulted and consulted.until else None
    steps = tuple([_step(each, said) for each in own.steps])
    return Told(own.id, own.dataset, own.department, own.definition, own.state, until, proposed, steps)


def _step(step: Step, said: Any) -> ToldStep:
    entry = said[step.filed_in]
    return ToldStep(step.step, moment(step.at), step.days, step.until, entry.words, entry.outcome)
