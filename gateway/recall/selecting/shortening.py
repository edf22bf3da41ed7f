"""What a shortened period of display ends before the day that was disclosed: it is noted to be recalled, once (Art.
44).

An answer says until when each of its records may be displayed. Where the active rule set has a shorter period for the
dataset, a record ends by that, counted from the same day, and whoever received it has to be told. Its first day stands
in the projection `displayed`, beside the last. Of each dataset, `display_period` says how far it was noted: the epoch,
and the first days. A new epoch begins anew, since nobody may have looked for several. What a shorter period had a job
for before is left out, unless somebody received it since. A longer period changes nothing that was told.

As for days that are over (`expiring`): acts of the gateway's own note a bounded slice each, and only who moves the head
on from where it is makes the act. An epoch is begun once the longest inquiry of the one before is over, and projected:
what was still disclosed by the longer period is in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Collection, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, Update, and_, func, select, text, tuple_, update

from gateway.acts.office import Office
from gateway.catalogue.periods import last_start
from gateway.ledger.acting.planned import Actor, AtEntry, Changes, Made, Planned, Seen
from gateway.ledger.entry import entries
from gateway.ledger.projections import extract, positions
from gateway.recall.selecting.expiring import NAME, SLICE, day_of, job, number_of, over_by
from gateway.recall.selecting.making import NothingToTell, never_again
from gateway.storage.port import Guarded
from gateway.storage.projections.tables import UNKNOWN, displayed, received
from gateway.storage.recall.recalls import display_period, recall, recall_job
from gateway.storage.rules import rulesets
from gateway.storage.tables import micros, subject_key

SHORTENED = "display-shortened"
LOOKED_AT = 5_000
"""Rows of the projection that one turn looks at, and those of the same first day as the last of them."""
MOST_RECEIVED = 1_000
"""Answers about a subject that are read through for one that came after a job; where there are more, there is one."""
_MICROSECOND = datetime.timedelta(microseconds=1)
_LAST = (1 << 63) - 1
"""No subject's key comes after it."""

_BEGUN = text(
    "INSERT INTO display_period (dataset, epoch, since, subject) VALUES (:dataset, :epoch, :since, :subject)"
    " ON CONFLICT DO NOTHING"
)


class _Head(NamedTuple):
    """How far a dataset was noted: its row of `display_period`."""

    dataset: str
    epoch: int
    since: int
    subject: int


class _Piece(NamedTuple):
    """What is next: where a dataset's head stands, and goes; None where it has no row yet.

    `subjects`, by their keys, are to be noted on the way: of `since`, whose last day is `day` by the active rule set.
    """

    before: _Head | None
    after: _Head
    since: int = 0
    day: int = 0
    subjects: Sequence[int] = ()


class Shortening:
    """Notes what shortened periods end, in one process. `wait` is as for `Selecting`."""

    def __init__(self, office: Office, wait: datetime.timedelta) -> None:
        self._office, self._wait = office, wait
        self._at = (-1, 0)
        self._sizes: dict[int, int] = {}

    async def turn(self) -> bool:
        """Note some of what ended; False where there is nothing. Raises as `Selecting.turn`."""
        piece = await asyncio.to_thread(self._due)
        if piece is None:
            return False
        if not piece.subjects:
            await asyncio.to_thread(self._pass, piece)
            return True
        with contextlib.suppress(NothingToTell):
            await self._office.writer.act(self._planned(piece, self._at[0]))
        return True

    def _due(self) -> _Piece | None:
        """What is next, where the projections have all that was disclosed by an earlier period, or before."""
        over = over_by(self._office, self._wait)
        with self._office.reading() as connection:
            epoch = self._epoch(connection)
            if epoch is None or self._next(connection, epoch, over) is None:
                return None
        with contextlib.closing(self._office.store.reader()) as reader:
            covered = [positions.covered(reader, name) for name in (NAME, received.name)]
        if self._at != (epoch, over):
            self._at, self._sizes = (epoch, over), dict(covered[0].sizes)
        if not all(each.usable and each.has(self._sizes) for each in covered):
            return None
        with self._office.reading(at_once=True) as connection:  # seen again there: one may be dropped meanwhile
            if not all(positions.reached(connection, name, self._sizes) for name in (NAME, received.name)):
                return None
            return self._next(connection, epoch, over)

    def _epoch(self, connection: Connection) -> int | None:
        """Since which epoch the office's rule set is active; None where it is not, or inquiries of before may go on."""
        active = rulesets.active(connection)
        if active is None:
            return 0
        began = micros(self._office.now() - self._wait)
        if active.digest != self._office.rules.digest or rulesets.since(connection, active.epoch) > began:
            return None
        return active.epoch

    def _next(self, connection: Connection, epoch: int, over: int) -> _Piece | None:
        """The first dataset of which there is something to look at, and what."""
        heads = {row.dataset: _Head._make(row) for row in connection.execute(select(display_period))}
        for name, dataset in sorted(self._office.rules.policies.catalogue.datasets.items()):
            longest = None if dataset.display is None else dataset.display.max
            last = None if longest is None else last_start(longest, day_of(over))
            if longest is None or last is None:
                continue
            head = heads.get(name)
            if head is None or head.epoch != epoch:
                return _Piece(head, _Head(name, epoch, UNKNOWN, _LAST))
            if head[2:] < (number_of(last), _LAST):
                since, subjects, after = self._ahead(connection, head, number_of(last), over)
                day = number_of(longest.after(day_of(since)))
                return _Piece(head, after, since, day, subjects)
        return None

    def _ahead(self, connection: Connection, head: _Head, last: int, over: int) -> tuple[int, Sequence[int], _Head]:
        """What is to be noted from the head on, up to a first day: of which, of whom, and where the head is then."""
        beyond = tuple_(displayed.c.since, displayed.c.subject) > tuple_(*head[2:])
        ahead = (displayed.c.dataset == head.dataset, displayed.c.since <= last, beyond)
        order = (displayed.c.since, displayed.c.subject)
        far = select(displayed.c.since).where(*ahead).order_by(*order).offset(LOOKED_AT).limit(1)
        top = connection.execute(far).scalar_one_or_none()
        top = last if top is None else int(top)
        ended = (*ahead, displayed.c.since <= top, displayed.c.day >= over)
        first = select(displayed.c.since).where(*ended).order_by(*order).limit(1)
        since = connection.execute(first).scalar_one_or_none()
        if since is None:
            return 0, (), _Head(head.dataset, head.epoch, top, _LAST)
        some = select(displayed.c.subject).where(*ended, displayed.c.since == since).distinct()
        subjects = list(connection.execute(some.order_by(displayed.c.subject).limit(SLICE)).scalars())
        after = _Head(head.dataset, head.epoch, int(since), subjects[-1])
        return int(since), _untold(connection, after, over, subjects, self._wait // _MICROSECOND), after

    def _pass(self, piece: _Piece) -> None:
        """Move the head to where there is nothing to note: nobody is told, so that this is no act."""
        with self._office.store.engine.begin() as connection:
            if piece.before is not None:
                connection.execute(_moving(piece.before, piece.after))
            else:
                connection.execute(_BEGUN, piece.after._asdict())

    def _planned(self, piece: _Piece, epoch: int) -> Planned:
        def make(seen: Seen) -> Made:
            dataset, before = piece.after.dataset, piece.before
            there = seen.connection.execute(select(display_period).where(display_period.c.dataset == dataset)).first()
            if before is None or there is None or before != _Head._make(there) or self._epoch(seen.connection) != epoch:
                raise NothingToTell
            told = entries.Acted(
                entries.VERSION, seen.id, seen.now, entries.OWN, SHORTENED, due=day_of(piece.day), dataset=dataset,
                rule_set=self._office.rules.digest, since=day_of(piece.since),
            )  # fmt: skip
            changes: list[Changes] = [Guarded(_moving(before, piece.after))]
            of = partial(job, day=piece.day, at=micros(seen.now), since=piece.since)
            changes += [AtEntry(partial(of, dataset, key)) for key in piece.subjects]
            return Made(told, entries.Oversight(entries.VERSION, facts=seen.change), changes, "", None)

        actor = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)
        return Planned(actor, frozenset([("expiry",)]), (), make, never_again, bulk=True)


def _untold(connection: Connection, of: _Head, over: int, subjects: Sequence[int], wait: int) -> list[int]:
    """Those of these subjects, by their keys, of whom a shortened period had no job for what counts from a day.

    Or somebody received that since, or up to `wait` (microseconds) before the job, and there is no recall of it.
    """
    same = and_(recall_job.c.scheme == subject_key.c.scheme, recall_job.c.value == subject_key.c.value)
    mine = (subject_key.c.id.in_(subjects), recall_job.c.since == of.since, recall_job.c.dataset == of.dataset)
    jobs = select(subject_key.c.id, func.max(recall_job.c.at)).join(recall_job, same).where(*mine)
    noted = {row[0]: int(row[1]) for row in connection.execute(jobs.group_by(subject_key.c.id))}
    recalls = select(subject_key.c.id, recall.c.place).join(recall_job, same)
    recalls = recalls.join(recall, recall.c.job == recall_job.c.id).where(*mine)
    recalled = {(int(row[0]), int(row[1])) for row in connection.execute(recalls)}
    return [
        key
        for key in subjects
        if key not in noted or _received_since(connection, of, over, key, noted[key] - wait, recalled)
    ]


def _received_since(
    connection: Connection, of: _Head, over: int, key: int, at: int, recalled: Collection[tuple[int, int]]
) -> bool:
    """Whether an answer that came after `at` disclosed what counts from a day and has not ended, and has no recall."""
    later = select(received.c.entry, received.c.shares).where(received.c.subject == key, received.c.at > at)
    answers = connection.execute(later.order_by(received.c.at.desc()).limit(MOST_RECEIVED)).all()
    return len(answers) == MOST_RECEIVED or any(
        dataset == of.dataset and since == of.since and day >= over
        for entry, shares in answers
        if (key, entry) not in recalled
        for dataset, day, since in extract.displays(extract.decode(shares))
    )


def _moving(before: _Head, after: _Head) -> Update:
    """Moves the head on from where it was; where nobody else did."""
    mine = [display_period.c[name] == each for name, each in before._asdict().items()]
    return update(display_period).where(*mine).values(after._asdict())
