"""What needs a person, sent to the operator: to the address in `alerts`, as a log line, and as a metric.

Told are a use of break-glass, a review that is overdue, what the watch found, a grant that is suspended, a recall that
is overdue, a recipient to whom nothing is sent any more, a version that changed without a report, a proposal of rules
that opens data of people or not public, a rollback of rules, and drift of a department's system (which `dutybound
source watch` finds): by its kind and its id, never by a subject. What was
told is a row (`alerted`), which commits with the work that sends it; so nothing is told twice, and nothing is forgotten
by whichever process ends. Uses of break-glass have a turn and a lane of their own: nothing else is before them.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    bindparam,
    cast,
    insert,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.exc import IntegrityError

from gateway.acts.office import Office
from gateway.config.outgoing import AlertSettings
from gateway.recall.delivering.deliver import AGAIN, GIVEN_UP
from gateway.recall.delivering.trying import Trying
from gateway.saying import in_words
from gateway.storage.looking import Looking
from gateway.storage.recall.recalls import OPEN, Work, recall, recall_job, work
from gateway.storage.recall.work import alerted, delivery_stop, recipient_of
from gateway.storage.rules.proposals import WAITING, proposal
from gateway.storage.rules.rulesets import activation
from gateway.storage.statement import Statement
from gateway.storage.subjects.acts import WAITS, matter
from gateway.storage.tables import micros, moment
from gateway.storage.watch.findings import BREAK_GLASS, finding, verdict
from gateway.telemetry.log import Log
from gateway.watch.break_glass import BreakGlass
from gateway.web.messages.sending import Sender, Taken
from gateway.web.messages.signing import message

GLASS, REVIEW, FOUND = "break-glass.used", "review.overdue", "finding.waiting"
SUSPENDED, OVERDUE, STOPPED = "grant.suspended", "recall.overdue", "delivery.stopped"
UNREPORTED = "version.unreported"
WIDENS, ROLLED_BACK = "rules.widening", "rules.rolled-back"
DRIFT = "source.drift"
URGENT = (GLASS,)
OTHERS = (REVIEW, FOUND, SUSPENDED, OVERDUE, STOPPED, UNREPORTED, WIDENS, ROLLED_BACK)
KINDS: Mapping[str, str] = {
    GLASS: "finding", REVIEW: "finding", FOUND: "finding",
    SUSPENDED: "suspension", OVERDUE: "recall", STOPPED: "client", UNREPORTED: "entry",
    WIDENS: "proposal", ROLLED_BACK: "epoch", DRIFT: "drift",
}  # fmt: skip
"""What is told, and of what it has the id."""

LANE = f"alerts {OTHERS[0]}"
"""Where whoever finds something by itself (`dutybound source watch`) leaves what is to be told."""
SUSPENSION = "suspension"
"""The kind of the matter."""
_UNREPORTED_FOR = datetime.timedelta(days=1)
"""How long after its recalls were selected a version without a report is looked for."""
_AT_ONCE, _SENT_AT_ONCE = 100, 8
_DUE = "due"


def _word(word: str) -> ColumnElement[str]:
    """A word of our own as SQL, in which a statement that is kept has it."""
    return literal_column(f"'{word}'", Text())


_OF_FINDINGS = (GLASS, REVIEW, FOUND)
_JUDGED = select(verdict.c.finding).where(verdict.c.finding == finding.c.id).exists()
_BREAKS = finding.c.detector == _word(BREAK_GLASS)
_WAITING: Mapping[str, Sequence[Any]] = {
    GLASS: (finding.c.id, _BREAKS, ~_JUDGED),
    REVIEW: (finding.c.id, _BREAKS, ~_JUDGED),
    FOUND: (finding.c.id, ~_BREAKS, ~_JUDGED),
    SUSPENDED: (matter.c.id, WAITS, matter.c.kind == _word(SUSPENSION)),
    OVERDUE: (recall.c.id, OPEN, recall.c.state == _word("overdue")),
    STOPPED: (delivery_stop.c.lane + _word(" ") + cast(delivery_stop.c.filed_in, Text()),),
    UNREPORTED: (
        recall_job.c.id, recall_job.c.cause == _word("unreported"),
        recall_job.c.selected > bindparam("since", type_=BigInteger()),
    ),
    WIDENS: (proposal.c.id, proposal.c.noted.is_not(None), proposal.c.state.in_([_word(each) for each in WAITING])),
    ROLLED_BACK: (cast(activation.c.epoch, Text()), activation.c.how == _word("rollback")),
}  # fmt: skip
"""Of each kind, the ids of what is to be told, and which of them are."""


class _New(NamedTuple):
    kind: str
    id: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.id}"


class Alerts:
    """Alerts of some kinds, in one process. `heard` is called while the operator's address takes none."""

    def __init__(
        self,
        office: Office,
        kinds: Sequence[str],
        to: AlertSettings | None,
        sender: Sender,
        log: Log,
        heard: Callable[[str, str | None], None],
        count: Callable[[str], None],
    ) -> None:
        self._office, self._kinds, self._to = office, kinds, to
        self._log, self._heard, self._count = log, heard, count
        self._lane = f"alerts {kinds[0]}"
        self._glass = BreakGlass(
            office.store.engine, office.calendar, lambda: office.rules.policies.purposes, lambda *_: None
        )
        self._trying = Trying(office, sender, _SENT_AT_ONCE)
        self.settled = self._trying.settled
        self._looking = Looking(office.store, _statement(kinds, self._lane))

    async def close(self) -> None:
        """Give up what is under way, as `Trying.close`."""
        await self._trying.close()
        await asyncio.to_thread(self._looking.close)

    async def turn(self) -> bool:
        """Report what is new, and begin to send what is due; returns whether there was any. Raises SQLAlchemy's
        errors."""
        now = self._office.now()
        told, due = await asyncio.to_thread(self._new, now)
        for each in told:
            self._log.state("alert", level="warning", kind=each.kind, **_about(each.kind, each.id))
            self._count(each.kind)
        return (due and await self._begin()) or bool(told)

    def _new(self, now: datetime.datetime) -> tuple[list[_New], bool]:
        """What was not told yet, each noted, with its work, in a transaction of its own; and whether work is due."""
        engine, told = self._office.store.engine, []
        found, due = self._found(now)
        for each in found:
            try:
                with engine.begin() as connection:
                    connection.execute(insert(alerted).values(id=each.name, at=micros(now)))
                    if self._to is not None:
                        row = Work(each.name, "alert", each.name, self._lane, micros(now), 0, 0, 0)
                        connection.execute(insert(work).values(**row._asdict()))
            except IntegrityError:
                continue  # another process told it
            told.append(each)
        return told, due or bool(told)

    def _found(self, now: datetime.datetime) -> tuple[list[_New], bool]:
        since, today = micros(now - _UNREPORTED_FOR), self._office.calendar.local(now).date()
        found, due = [], False
        for kind, id_, at, purpose in self._looking.rows(*([since] if UNREPORTED in self._kinds else []), micros(now)):
            if kind == _DUE:
                due = True
            elif kind != REVIEW or self._glass.last_day(moment(at), purpose) < today:
                found.append(_New(kind, id_))
        return found[:_AT_ONCE], due

    async def _begin(self) -> bool:
        free = self._trying.free
        if self._to is None or free <= 0:
            return False
        return await self._trying.begin(self._lane, free, functools.partial(self._one, self._to)) > 0

    async def _one(self, to: AlertSettings, taken: Work) -> None:
        try:
            kind, _, id_ = taken.what.partition(":")
            now, begun = self._office.now(), await asyncio.to_thread(self._told_at, taken.what)
            about = _about(kind, id_)
            name = hashlib.sha256(taken.what.encode()).hexdigest()[:32]
            body, headers = message(kind, begun, about, name, now, to.secrets)
            tried = await self._trying.send(to.url, body, headers)
            self._heard("", None if tried.outcome is Taken.TAKEN else f"they are not taken: {tried.why}")
            over = (now - begun).total_seconds() > GIVEN_UP
            if tried.outcome is Taken.TAKEN or over:
                await self._trying.finish(taken)
            else:
                await self._trying.again(taken, tried, AGAIN[:3])
        except Exception as error:  # its lease runs out, and it is tried again
            self._heard("", f"they cannot be sent ({in_words(error)})")

    def _told_at(self, name: str) -> datetime.datetime:
        with self._office.store.engine.connect() as connection:
            return moment(connection.execute(select(alerted.c.at).where(alerted.c.id == name)).scalar_one())


def _about(kind: str, id_: str) -> dict[str, str]:
    """What an alert has the id of; of a delivery that stopped, its client (`id_` says which stop it was, too)."""
    return {KINDS[kind]: recipient_of(id_.rpartition(" ")[0])[1] if kind == STOPPED else id_}


def untold(kind: str) -> Select[Any]:
    """What has no alert yet, of one kind: the kind, the id, and of a finding its time and purpose."""
    id_, *conditions = _WAITING[kind]
    there = select(alerted.c.id).where(alerted.c.id == _word(f"{kind}:") + id_)
    about = (
        (finding.c.at, finding.c.purpose)
        if kind in _OF_FINDINGS
        else (cast(null(), BigInteger()), cast(null(), Text()))
    )
    return select(_word(kind), id_, *about).where(*conditions, ~there.exists())


def _statement(kinds: Sequence[str], lane: str) -> Statement:
    """All that has no alert yet, of some kinds, and whether work of their lane is due (`_DUE`).

    Its parameters are the time since when, where `UNREPORTED` is one, and the time of now.
    """
    mine = (work.c.lane == _word(lane), work.c.due <= bindparam("now", type_=BigInteger()))
    there = select(work.c.id).where(*mine).exists()
    due = select(_word(_DUE), _word(""), cast(null(), BigInteger()), cast(null(), Text())).where(there)
    return Statement(union_all(*map(untold, kinds), due), *(["since"] if UNREPORTED in kinds else []), "now")
