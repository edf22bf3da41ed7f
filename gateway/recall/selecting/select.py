"""From what changed to who is to be notified: each job that waits becomes recalls of the answers that it touches (Art.
47).

`turn` does a bounded piece of the work and may be stopped anywhere: a recall stands once for each job, answer and
dataset, whoever makes it, and a job is done only once all of its recalls stand.

1. The sizes of the shards are read, after the act stood.
2. Once the projections passed these sizes, all answers that it touches are looked up, of many jobs together.
3. For some time afterwards `raced` is asked: what was decided from facts before the act, and became durable later, is
   recalled too. So nobody waits for the inquiries that were under way.
4. For longer than that, corrections are looked up again: a source's copy may lag, and give an older version once more.

Why nothing is missed stands in `gateway.ledger.projections.recipients`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.acts.office import Office
from gateway.ledger.projections import positions
from gateway.ledger.projections.several import NAMES, Received, raced_since, received_of
from gateway.recall.selecting import jobs as rows
from gateway.recall.selecting.answers import Opened, opened_at, secrecy
from gateway.recall.selecting.making import Making, NothingToTell, Wanted, begin_counts, holder
from gateway.recall.selecting.touched import affected, touched
from gateway.recall.selecting.versions import firsts, older
from gateway.storage.port import Reader
from gateway.storage.recall.recalls import FOUND_BY_ANSWERS, Job, Recalled
from gateway.storage.tables import micros, moment

EVERY = 5.0
"""Seconds until the next turn, where no job waits, and between two looks for what raced."""
JOBS = 1_000
"""Jobs that are looked up together."""
RECALLS = 512
"""Recalls that are made in one turn: a group of bulk acts is smaller, and people's acts go between."""
OPENED = 4_096
"""Entries that are opened in one turn to find them."""
RACES_FOR = datetime.timedelta(hours=1)
"""How long after its selection a job is looked after for what raced with it."""
LAGS_FOR = datetime.timedelta(days=2)
"""How long after its selection a correction is looked after for a source that gives an older version again."""
LAGS_EVERY = 600.0
"""Seconds between two such looks."""


class Found(NamedTuple):
    """An answer that a job touches, by what the projection has."""

    job: Job
    subject: tuple[str, str]
    received: Received
    share: int
    items: tuple[Recalled, ...]

    @property
    def key(self) -> tuple[str, int, str]:
        return self.job.id, self.received.entry, self.received.shares[self.share].dataset


class _Slice(NamedTuple):
    """What one turn makes: recalls, and the jobs that are done once these stand."""

    wanted: Sequence[Wanted]
    done: Sequence[str]
    more: bool


_NOTHING = _Slice((), (), False)


class Selecting:
    """Selects, in one process."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._making = Making(office)
        self._settled: set[tuple[str, int, str]] = set()
        self._left_out: set[tuple[str, int, str]] = set()
        self._races_at = self._lags_at = 0.0
        self._raced_by: datetime.datetime | None = None
        self._looked: tuple[datetime.datetime, Mapping[int, int]] | None = None
        self._lagged_by: datetime.datetime | None = None
        self._again: list[str] = []

    async def turn(self) -> bool:
        """Do one piece of work; False where there is none now.

        Raises `Refusal`, `StoreUnavailable` or SQLAlchemy's errors where the store or the ledger is out of reach: what
        stands then stands, and a later turn does the rest.
        """
        now = self._office.now()
        if self._raced_by is None or self._lagged_by is None:
            self._raced_by = self._lagged_by = await asyncio.to_thread(self._begun, now)
        found = await asyncio.to_thread(self._waiting)
        if not (found.wanted or found.done) and time.monotonic() - self._races_at >= EVERY:
            self._races_at = time.monotonic()
            found = await asyncio.to_thread(self._raced, now)
        if found == _NOTHING and (self._again or time.monotonic() - self._lags_at >= LAGS_EVERY):
            found = await asyncio.to_thread(self._lagging, now)
        await self._make(found.wanted)
        if found.done:
            await asyncio.to_thread(rows.note_selected, self._office.store.engine, found.done, micros(now))
        return bool(found.wanted or found.done or found.more)

    async def _make(self, wanted: Sequence[Wanted]) -> None:
        if not wanted:
            return
        requesters = self._office.rules.policies.requesters
        holders = {holder(requesters, each.issuer, each.client).who for each in wanted}
        await asyncio.to_thread(self._begin_counts, holders)
        acts = [self._office.writer.act(self._making.planned(each)) for each in wanted]
        for done in await asyncio.gather(*acts, return_exceptions=True):
            if isinstance(done, BaseException) and not isinstance(done, NothingToTell):
                raise done

    def _begin_counts(self, holders: set[tuple[str, str]]) -> None:
        with self._office.store.engine.begin() as connection:
            begin_counts(connection, holders)

    def _waiting(self) -> _Slice:
        """The next recalls of the jobs that wait, from one snapshot that is younger than their acts."""
        with self._office.reading() as connection:
            jobs = rows.waiting(connection, JOBS)
            if not jobs:
                return _NOTHING
            with contextlib.closing(self._office.store.reader()) as reader:
                covered = [positions.covered(reader, name) for name in NAMES]
                ready = [job for job in jobs if _passed(covered, job)]
                found = self._slice(reader, connection, ready)
        if fresh := [job.id for job in jobs if job.sizes is None]:
            rows.note_sizes(self._office.store.engine, fresh, covered[0].sizes)
        return found

    def _raced(self, now: datetime.datetime) -> _Slice:
        """Recalls of what raced with jobs that were selected lately, and is not recalled by them."""
        with self._office.reading() as connection, contextlib.closing(self._office.store.reader()) as reader:
            late = set(raced_since(reader, micros(min(self._raced_by or now, now) - RACES_FOR)))
            self._settled &= late
            late -= self._settled
            fresh = late - rows.recalled_of(connection, {job for job, _, _ in late})
            if not fresh:
                self._settled |= late
                covered = positions.covered(reader, NAMES[0])
                if self._looked is None or covered.has(self._looked[1]):  # else it may race and not be projected yet
                    self._raced_by = self._looked[0] if self._looked is not None else self._raced_by
                    self._looked = now, covered.sizes
                return _NOTHING
            found = self._slice(reader, connection, rows.of_ids(connection, {job for job, _, _ in fresh}))
        if not found.more:  # what is left out now is left out for good
            self._settled |= late - {(each.job.id, each.place, each.dataset) for each in found.wanted}
        return found._replace(done=())

    def _begun(self, now: datetime.datetime) -> datetime.datetime:
        """When whoever was before selected last: nobody may have looked since, and what came meanwhile counts too."""
        with self._office.reading() as connection:
            selected = rows.last_selected(connection)
        return now if selected is None else moment(selected)

    def _lagging(self, now: datetime.datetime) -> _Slice:
        """Recalls of versions that their sources gave again after a correction that was selected lately."""
        if not self._again:
            self._lags_at = time.monotonic()
        with self._office.reading() as connection:
            if not self._again:
                since, self._lagged_by = micros(min(self._lagged_by or now, now) - LAGS_FOR), now
                self._again = rows.corrected_since(connection, since)
            if not self._again:
                return _NOTHING
            jobs = rows.of_ids(connection, self._again[:JOBS])
            with contextlib.closing(self._office.store.reader()) as reader:
                found = self._slice(reader, connection, jobs)
        if not found.more:
            self._again = self._again[JOBS:]
        return found._replace(done=(), more=bool(self._again))

    def _slice(self, reader: Reader, connection: Connection, jobs: Sequence[Job]) -> _Slice:
        """As many recalls of these jobs as a turn makes."""
        found = look_up(reader, connection, jobs)
        done = rows.recalled_of(connection, {each.job.id for each in found}) | self._left_out
        missing = [each for each in found if each.key not in done]
        secret = secrecy(reader, [job for job in jobs if job.cause in FOUND_BY_ANSWERS])
        today = self._office.today()
        wanted: list[Wanted] = []
        at = 0
        while at < min(len(missing), OPENED) and len(wanted) < RECALLS:
            some = missing[at : at + RECALLS - len(wanted)]
            opened = opened_at(reader, [each.received.entry for each in some])
            for each in some:
                if (one := _wanted(each, opened, secret.get(each.job.filed_in), today)) is not None:
                    wanted.append(one)
                else:
                    self._left_out.add(each.key)
            at += len(some)
        unfinished = {each.job.id for each in missing[at:]}
        self._left_out = {key for key in self._left_out if key[0] in unfinished}
        return _Slice(wanted, [job.id for job in jobs if job.id not in unfinished], bool(unfinished))


def look_up(reader: Reader, connection: Connection, jobs: Sequence[Job]) -> list[Found]:
    """The answers that these jobs touch, by what the projections have: those of a job one after the other.

    Raises `StoreUnavailable`, or SQLAlchemy's errors.
    """
    newer = rows.newer_versions(connection, jobs)
    subjects = {(job.scheme, job.value) for job in jobs if job.scheme is not None and job.value is not None}
    received = received_of(reader, subjects)
    return list(_touched(jobs, received, newer, rows.shortened_before(connection, jobs)))


def _passed(covered: Sequence[positions.Covered], job: Job) -> bool:
    """Whether the projections have all that a job has to see."""
    sizes = rows.sizes_of(job) or covered[0].sizes
    return all(of.has(sizes) for of in covered)


def _touched(
    jobs: Iterable[Job],
    received: Mapping[tuple[str, str], Sequence[Received]],
    newer: Mapping[str, frozenset[str]],
    shortened: Collection[rows.Shortened],
) -> Iterable[Found]:
    for job in jobs:
        subject = (job.scheme or "", job.value or "")
        after = newer.get(job.id, frozenset())
        always = job._replace(change=None)
        old = _superseded(job, received.get(subject, ()), after)
        for each in received.get(subject, ()):
            if job.client is not None and (job.issuer, job.client) != (each.issuer, each.client):
                continue
            for place, share in enumerate(each.shares):
                if job.since is not None and (*subject, share.dataset, job.since, each.entry) in shortened:
                    continue
                items = () if job.cause == "unreported" else touched(job, share, each.facts, after)
                if not items and old:  # its source gave it again, from a copy that lags
                    again = touched(always, share, None, after)
                    items = tuple([one for one in again if one.version in old])
                if items:
                    yield Found(job, subject, each, place, items)


def _superseded(job: Job, received: Sequence[Received], newer: frozenset[str]) -> frozenset[str]:
    """The versions of a record that its correction took out of force, as far as anybody received one.

    Without a report that are those that came before it: what comes later may be newer still.
    """
    if job.new_version is None:
        return frozenset()
    if job.cause == "unreported":
        return older(firsts(received).get((job.dataset or "", job.record or ""), {}), job.new_version)
    before = [items for each in received for share in each.shares for items in touched(job, share, each.facts, newer)]
    return frozenset([each.version for each in before])


def _wanted(
    found: Found, opened: Mapping[int, Opened], secret: datetime.datetime | None, today: datetime.date
) -> Wanted | None:
    """The recall of an answer, where its entry and the day leave something to tell; `secret`: as long as its job is."""
    entry, job, received = opened.get(found.received.entry), found.job, found.received
    answer = None if entry is None else entry.of(found.subject)
    if entry is None or answer is None:
        return None
    share = received.shares[found.share]
    items = affected(job, share.dataset, found.items, answer, today)
    if not items:
        return None
    by = entry.told.requester
    if secret is not None:
        answer = answer._replace(secret_until=max(secret, answer.secret_until or secret))
    return Wanted(job, found.subject, received.entry, by.issuer, by.client, share.dataset, items, answer)
