"""What may not be displayed any more: each day that is over is noted to be recalled, once (Art. 44).

The last day of display of each record stands in the entry that disclosed it, and by that day in the projection
`displayed`. A day is over at its midnight in the policies' time zone. It is noted by acts of the gateway's own, each of
a bounded slice, which insert a job for each dataset of each subject; from whom it is recalled is found when that is
selected. `expiry_head` says how far it was noted, and only who moves it on from there makes the act.

A day is noted once the longest inquiry of it is over, and projected: what was disclosed in its last second is in it.
The act itself sees once more that this is so: the projection may have been dropped meanwhile, to be built again.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Insert, Integer, insert, literal, select, tuple_, update

from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, AtEntry, Changes, Made, Planned, Seen
from gateway.ledger.entry import entries
from gateway.ledger.projections import positions
from gateway.recall.selecting.making import NothingToTell, never_again
from gateway.rules import deadlines
from gateway.storage.port import Guarded
from gateway.storage.projections.tables import displayed
from gateway.storage.recall.recalls import expiry_head, recall_job
from gateway.storage.tables import micros, subject_key

ENDED = "display-ended"
NAME = "displayed"
SLICE = 200
"""Datasets of subjects that one act notes."""
LOOKED = 5.0
"""Seconds until it is looked again whether a day is over."""
_EPOCH = datetime.date(1970, 1, 1)
_DAY = datetime.timedelta(days=1)


def number_of(day: datetime.date) -> int:
    """A day as the index has it: in days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> datetime.date:
    """The inverse of `number_of`."""
    return _EPOCH + number * _DAY


def over_by(office: Office, wait: datetime.timedelta) -> int:
    """The first day that is not over yet, and its longest inquiry, of `wait`, with it."""
    now, today = office.now(), office.today()
    before = today - _DAY
    return number_of(before if now < deadlines.end(office.calendar, before) + wait else today)


class Expiring:
    """Notes the days that are over, in one process. `wait` is as for `Selecting`."""

    def __init__(self, office: Office, wait: datetime.timedelta) -> None:
        self._office, self._wait = office, wait
        self._sizes: tuple[int, dict[int, int]] = (0, {})

    async def turn(self) -> bool:
        """Note some of the first day that is over; False where there is none. Raises as `Selecting.turn`."""
        if not await asyncio.to_thread(self._due):
            return False
        with contextlib.suppress(NothingToTell):
            await self._office.writer.act(self._planned(*self._sizes))
        return True

    def _due(self) -> bool:
        over = over_by(self._office, self._wait)
        with self._office.reading() as connection:
            if _next(connection, over) is None:
                return False
            with contextlib.closing(self._office.store.reader()) as reader:
                covered = positions.covered(reader, NAME)
        if self._sizes[0] != over:
            self._sizes = (over, dict(covered.sizes))
        return covered.has(self._sizes[1])

    def _planned(self, over: int, sizes: Mapping[int, int]) -> Planned:
        def make(seen: Seen) -> Made:
            found = _next(seen.connection, over)
            if found is None or not positions.reached(seen.connection, NAME, sizes):
                raise NothingToTell
            before, day, pairs = found
            told = entries.Acted(
                entries.VERSION, seen.id, seen.now, entries.OWN, ENDED, due=day_of(day),
                rule_set=self._office.rules.digest,
            )  # fmt: skip
            oversight = entries.Oversight(entries.VERSION, facts=seen.change)
            at = micros(seen.now)
            changes: list[Changes] = [_moved(before, day, pairs)]
            changes += [AtEntry(partial(job, dataset, key, day=day, at=at)) for dataset, key in pairs]
            return Made(told, oversight, changes, "", None)

        actor = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)
        return Planned(actor, frozenset([("expiry",)]), (), make, never_again, bulk=True)


class _Head(NamedTuple):
    """How far it was noted: the row of `expiry_head`."""

    id: int
    day: int
    dataset: str
    subject: int


def _next(connection: Connection, over: int) -> tuple[_Head, int, Sequence[tuple[str, int]]] | None:
    """How far it was noted, and what is next: a day that is over, and some of its datasets with a subject's key."""
    head = _Head._make(connection.execute(select(expiry_head)).one())
    day = connection.execute(
        select(displayed.c.day)
        .where(tuple_(displayed.c.day, displayed.c.dataset, displayed.c.subject) > tuple_(*head[1:]))
        .where(displayed.c.day < over)
        .order_by(displayed.c.day, displayed.c.dataset, displayed.c.subject)
        .limit(1)
    ).scalar_one_or_none()
    if day is None:
        return None
    after = head[2:] if day == head.day else ("", -1)
    some = (
        select(displayed.c.dataset, displayed.c.subject)
        .where(displayed.c.day == day, tuple_(displayed.c.dataset, displayed.c.subject) > tuple_(*after))
        .group_by(displayed.c.dataset, displayed.c.subject)
        .order_by(displayed.c.dataset, displayed.c.subject)
        .limit(SLICE)
    )
    return head, int(day), [(dataset, key) for dataset, key in connection.execute(some)]


def _moved(before: _Head, day: int, pairs: Sequence[tuple[str, int]]) -> Guarded:
    """Moves the head on from where it was, behind these; where nobody else did."""
    dataset, key = pairs[-1]
    here = (expiry_head.c.day == before.day, expiry_head.c.dataset == before.dataset)
    moved = update(expiry_head).where(*here, expiry_head.c.subject == before.subject)
    return Guarded(moved.values(day=day, dataset=dataset, subject=key))


def job(dataset: str, key: int, entry: int, *, day: int, at: int, since: int | None = None) -> Insert:
    """A job about the subject of a key, of the act in `entry`; none where that was erased meanwhile.

    `day` is the last one of display. `since`, where a shortened period ended it, is the one that it counts from.
    """
    values = {
        "id": literal(secrets.token_hex(16)), "cause": literal("expired"), "state": literal("waits"),
        "scheme": subject_key.c.scheme, "value": subject_key.c.value, "dataset": literal(dataset), "found": literal(0),
        "day": literal(day), "since": literal(since, Integer()), "at": literal(at, BigInteger()),
        "filed_in": literal(entry, BigInteger()),
    }  # fmt: skip
    there = select(*values.values()).where(subject_key.c.id == key, subject_key.c.secret.is_not(None))
    return insert(recall_job).from_select(list(values), there)
