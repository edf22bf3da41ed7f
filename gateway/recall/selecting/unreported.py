"""A version that changed without a report: it is found, entered, and recalled from whoever has an older one (Art. 47).

The entries that disclosed something are followed behind the projection `received`, in bounded slices. Where the newest
version of a record that anybody received is neither the first nor one that a report or an earlier finding names, its
department told nobody of it. An act of the gateway's own enters that, and inserts the job that recalls every older
version, once for each record and version.

How far it followed is kept in memory alone: a start looks at the ledger's last day again, and finds nothing twice. A
report may come a little after its source changed (`GRACE`).

What is found says that somebody looked. Where all who received that version are kept from the subject, so is the find,
and each recall that it gives rise to, until the first of them is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from gateway.acts.office import Office
from gateway.ledger.acting.planned import Actor, Made, Planned, Row, Seen
from gateway.ledger.entry import entries
from gateway.ledger.projections import positions
from gateway.ledger.projections.positions import Tail
from gateway.ledger.projections.several import Received, received_of
from gateway.ledger.stored import read
from gateway.recall.selecting.answers import opened_at
from gateway.recall.selecting.jobs import reported
from gateway.recall.selecting.making import NothingToTell, never_again
from gateway.recall.selecting.versions import Newest, newest
from gateway.storage.port import Reader
from gateway.storage.recall import recalls
from gateway.storage.tables import micros, subject_key

FOUND, CAUSE = "unreported-found", "unreported"
NAME = "received"
SLICE = 256
"""Entries of a shard that are looked at in one turn."""
GRACE = datetime.timedelta(minutes=10)
"""How long after a version was first disclosed its report may come."""
AGAIN = datetime.timedelta(days=1)
"""How much of the ledger, up to its last entry, a start looks at again."""
EVERY = 5.0
"""Seconds until the next turn, where there was nothing."""

_Subject = tuple[str, str]


class _Found(NamedTuple):
    """A version that nobody reported, and until when its subject does not learn that it is known."""

    subject: _Subject
    newest: Newest
    secret_until: datetime.datetime | None


class _Slice(NamedTuple):
    """What is to be entered, and how far it was looked then: per shard the first entry that was not.

    `passed`: the projections have all that was waited for.
    """

    found: Sequence[_Found]
    cursors: dict[int, int]
    passed: bool


class Unreported:
    """Finds such versions, in one process."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._cursors: dict[int, int] | None = None
        self._until: dict[int, int] = {}

    async def turn(self) -> bool:
        """Look at some of what is new; whether there was any.

        Raises as `Selecting.turn`; then the same is looked at again.
        """
        slice_ = await asyncio.to_thread(self._slice)
        for each in slice_.found:
            with contextlib.suppress(NothingToTell):
                await self._office.writer.act(self._planned(each))
        moved = slice_.cursors != self._cursors
        self._cursors = slice_.cursors
        if slice_.passed and not moved:  # while it waits for the projections it goes on waiting for the same
            self._until = {}
        return moved

    def _slice(self) -> _Slice:
        until = micros(self._office.now() - GRACE)
        with contextlib.closing(self._office.store.reader()) as reader:
            covered = positions.covered(reader, NAME)
            cursors = dict(_begun(reader) if self._cursors is None else self._cursors)
            self._cursors = dict(cursors)
            # All shards have to be projected as far: an older version may stand in another than a newer one.
            self._until = self._until or dict(covered.sizes)
            if not covered.usable or any(covered.next.get(shard, 0) < size for shard, size in self._until.items()):
                return _Slice((), cursors, False)
            keys = _advanced(reader, cursors, self._until, until)
            subjects = {(row[3], row[4]) for row in read.key_rows(reader, keys) if row[1] is not None}
            received = received_of(reader, subjects) if subjects else {}
            found = [(of, each) for of, its in received.items() for each in newest(its) if each.at <= until]
            if not found:
                return _Slice((), cursors, True)
            with self._office.reading() as connection:
                known = reported(connection, {of for of, _ in found})
            fresh = [(of, each) for of, each in found if _key(of, each) not in known]
            several = [_Found(of, each, _secret_until(reader, received[of], each)) for of, each in fresh]
        return _Slice(several, cursors, True)

    def _planned(self, fresh: _Found) -> Planned:
        subject, found = fresh.subject, fresh.newest

        def make(seen: Seen) -> Made:
            there = _named(seen.connection, subject)
            if not there or _key(subject, found) in reported(seen.connection, {subject}):
                raise NothingToTell
            told = entries.Acted(
                entries.VERSION, seen.id, seen.now, entries.OWN, FOUND, scheme=subject[0], value=subject[1],
                dataset=found.dataset, record=found.record, version=found.before, new_version=found.version,
                rule_set=self._office.rules.digest,
            )  # fmt: skip
            about = {"dataset": found.dataset, "record": found.record, "new_version": found.version}
            row = recalls.job(CAUSE, subject, micros(seen.now), id=seen.id, **about)
            oversight = entries.Oversight(entries.VERSION, facts=seen.change, secret_until=fresh.secret_until)
            return Made(told, oversight, [Row(recalls.recall_job, row, ("filed_in",))], "", None)

        actor = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)
        touches = frozenset([(CAUSE, *subject, found.dataset, found.record)])
        return Planned(actor, touches, (), make, never_again, bulk=True)


def _secret_until(reader: Reader, received: Sequence[Received], found: Newest) -> datetime.datetime | None:
    """When the first who received a version is no longer kept from its subject; None where one is not at all."""
    named = f"{found.record}@{found.version}"
    who = [
        each.entry
        for each in received
        if any(share.dataset == found.dataset and named in share.records for share in each.shares)
    ]
    ends = [each.oversight.secret_until for each in opened_at(reader, who).values()]
    secret = [each for each in ends if each is not None]
    return min(secret) if secret and len(secret) == len(ends) else None


def _begun(reader: Reader) -> dict[int, int]:
    """Where a start begins in each shard."""
    heads = read.heads(reader)
    since = max((head.floor for head in heads), default=0) - AGAIN // datetime.timedelta(microseconds=1)
    return {head.id: read.first_since(reader, head, since) for head in heads}


def _younger(reader: Reader, shard: int, index: int, until: int) -> bool:
    """Whether an entry, and so all that follow it in its shard, is of later than a time."""
    at = positions.time_of(reader, shard, index)
    return at is not None and at > until


def _advanced(reader: Reader, cursors: dict[int, int], sizes: dict[int, int], until: int) -> set[int]:
    """The keys of the subjects of the next entries up to a time, behind which the cursors then stand."""
    begun = {shard: cursors.get(shard, 0) for shard in sizes}
    waits = {shard: at for shard, at in begun.items() if at < sizes[shard] and not _younger(reader, shard, at, until)}
    spans = {shard: (at, min(at + SLICE, sizes[shard])) for shard, at in waits.items()}
    keys: set[int] = set()
    for place, of in positions.named(reader, Tail(spans, 0, None)):
        if place.at <= until:
            keys.update(of or ())
            cursors[place.shard] = place.number + 1
    return keys


def _named(connection: Connection, subject: _Subject) -> bool:
    """Whether the ledger still names the subject: it may have been erased meanwhile."""
    mine = (subject_key.c.scheme == subject[0], subject_key.c.value == subject[1], subject_key.c.secret.is_not(None))
    return connection.execute(select(subject_key.c.id).where(*mine).limit(1)).first() is not None


def _key(subject: _Subject, found: Newest) -> tuple[str, str, str, str]:
    return (*subject, found.dataset, f"{found.record}@{found.version}")
