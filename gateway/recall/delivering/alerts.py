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
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, String, cast, insert, literal, select
from sqlalchemy.exc import IntegrityError

from gateway.acts.office import Office
from gateway.config.outgoing import AlertSettings
from gateway.recall.delivering.deliver import AGAIN, GIVEN_UP
from gateway.recall.delivering.trying import Trying
from gateway.storage.recall.recalls import OPEN, Work, recall, recall_job, work
from gateway.storage.recall.work import alerted, delivery_stop, recipient_of
from gateway.storage.rules.proposals import WAITING, proposal
from gateway.storage.rules.rulesets import activation
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
        self.settled, self.close = self._trying.settled, self._trying.close

    async def turn(self) -> bool:
        """Report what is new, and begin to send what is due; returns whether there was any. Raises SQLAlchemy's
        errors."""
        now = self._office.now()
        told = await asyncio.to_thread(self._new, now)
        for each in told:
            self._log.state("alert", level="warning", kind=each.kind, **_about(each.kind, each.id))
            self._count(each.kind)
        return await self._begin() or bool(told)

    def _new(self, now: datetime.datetime) -> list[_New]:
        """What was not told yet, each noted, with its work, in a transaction of its own."""
        engine, told = self._office.store.engine, []
        with engine.connect() as connection:
            found = [_New(kind, id_) for kind in self._kinds for id_ in self._ids(connection, kind, now)]
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
        return told

    def _ids(self, connection: Connection, kind: str, now: datetime.datetime) -> list[str]:
        if kind in (GLASS, REVIEW, FOUND):
            return self._findings(connection, kind, now)
        if kind == STOPPED:
            name = delivery_stop.c.lane + literal(" ") + cast(delivery_stop.c.filed_in, String)
            query = select(delivery_stop.c.lane, delivery_stop.c.filed_in).where(_untold(kind, name))
            return [f"{lane} {place}" for lane, place in connection.execute(query.limit(_AT_ONCE))]
        if kind == SUSPENDED:
            query = select(matter.c.id).where(WAITS, matter.c.kind == SUSPENSION, _untold(kind, matter.c.id))
        elif kind == UNREPORTED:
            late = recall_job.c.selected > micros(now - _UNREPORTED_FOR)
            mine = (late, recall_job.c.cause == "unreported")
            query = select(recall_job.c.id).where(*mine, _untold(kind, recall_job.c.id))
        elif kind == WIDENS:
            mine = (proposal.c.noted.is_not(None), proposal.c.state.in_(WAITING))
            query = select(proposal.c.id).where(*mine, _untold(kind, proposal.c.id))
        elif kind == ROLLED_BACK:
            mine = (activation.c.how == "rollback", _untold(kind, cast(activation.c.epoch, String)))
            return [
                str(each)
                for each in connection.execute(select(activation.c.epoch).where(*mine).limit(_AT_ONCE)).scalars()
            ]
        else:
            query = select(recall.c.id).where(OPEN, recall.c.state == "overdue", _untold(kind, recall.c.id))
        return list(connection.execute(query.limit(_AT_ONCE)).scalars())

    def _findings(self, connection: Connection, kind: str, now: datetime.datetime) -> list[str]:
        waits = (
            select(finding.c.id, finding.c.at, finding.c.purpose)
            .outerjoin(verdict, verdict.c.finding == finding.c.id)
            .where(verdict.c.finding.is_(None), _untold(kind, finding.c.id))
            .where(finding.c.detector != BREAK_GLASS if kind == FOUND else finding.c.detector == BREAK_GLASS)
        )
        rows = connection.execute(waits if kind == REVIEW else waits.limit(_AT_ONCE)).all()
        if kind == REVIEW:
            today = self._office.calendar.local(now).date()
            rows = [row for row in rows if self._glass.last_day(moment(row.at), row.purpose) < today][:_AT_ONCE]
        return [row.id for row in rows]

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
            self._heard("", f"they cannot be sent ({type(error).__name__})")

    def _told_at(self, name: str) -> datetime.datetime:
        with self._office.store.engine.connect() as connection:
            return moment(connection.execute(select(alerted.c.at).where(alerted.c.id == name)).scalar_one())


def _about(kind: str, id_: str) -> dict[str, str]:
    """What an alert has the id of; of a delivery that stopped, its client (`id_` says which stop it was, too)."""
    return {KINDS[kind]: recipient_of(id_.rpartition(" ")[0])[1] if kind == STOPPED else id_}


def _untold(kind: str, id_: ColumnElement[str]) -> ColumnElement[bool]:
    there = select(alerted.c.id).where(alerted.c.id == literal(f"{kind}:") + id_)
    return ~there.exists()
