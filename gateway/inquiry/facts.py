"""Step 3, facts: what is known of the named subjects, in one snapshot read after the inquiry arrived.

Arts. 23-25, 41(2), 42, 45-47. Invariant 6: a read begins only after everyone it is for has asked, on the primary; its
change number belongs to the same snapshot. Whoever asks in the same turn of the event loop, or while a query is under
way, shares the next one; rows are handed to those who named their subject and to nobody else. Nothing is kept between
reads.

Fails closed: a store that cannot be read, or a row that is not understood, is `DECISION_UNAVAILABLE`. Time is an
argument. Leaves to others: the case (`case.registries`), a consent's terms and last day against the inquiry (`decide`),
what a restrained record is (`restrain`).
"""

from __future__ import annotations

import asyncio
import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Facts
from gateway.saying import in_words
from gateway.storage.port import FactRow, FactRows
from gateway.storage.subjects.kinds import MEMBERS, NOTHING, SUSPENSION, About, Consent, Kind, SubjectFacts

_terms = msgspec.json.Decoder(dict[str, frozenset[str] | None])

Heard = Callable[[str, str | None], None]
"""Told what is out of order, by name, and None once it is not (`gateway.manage.states`)."""

Who = tuple[str, str]
"""A requester: issuer and client."""

_Waiting = list[tuple[Sequence[Subject], Who, "asyncio.Future[_Snapshot]"]]
_Snapshot = tuple[int, int, dict[tuple[str, str], list[FactRow]]]


class FactsReader:
    """Reads facts for inquiries, in groups. `zone` is the policies' time zone, in which an objection's day ends.

    It belongs to the event loop that first calls it.
    `heard` is told when they cannot be read, and when they can again; it is not told of single inquiries.
    """

    def __init__(self, source: FactRows, zone: datetime.tzinfo, heard: Heard = lambda name, why: None) -> None:
        self._source, self._zone, self._heard = source, zone, heard
        self._waiting: _Waiting = []
        self._reading = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def read(
        self, subjects: Sequence[Subject], now: datetime.datetime, who: Who, zone: datetime.tzinfo | None = None
    ) -> Facts:
        """The facts of these subjects, and what `who` is suspended for; an objection is overdue once its day is over.

        Days are those of `zone`, where one is given.
        Raises `Refusal` with `DECISION_UNAVAILABLE`.
        """
        if (loop := self._loop) is None:  # asked for once: in Python 3.11 each time costs a system call
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[_Snapshot] = loop.create_future()
        if not self._waiting and not self._reading:
            loop.call_soon(self._begin)
        self._waiting.append((subjects, who, future))
        change, epoch, found = await future
        if not found:
            return Facts(change, dict.fromkeys(subjects, NOTHING), epoch=epoch)
        today = now.astimezone(zone or self._zone).date().isoformat()
        try:
            known = {each: _folded(found.get(each[1:], ()), today) for each in subjects}
            return Facts(change, known, suspended=_suspended(found.get(who, ())), epoch=epoch)
        except (LookupError, ValueError, TypeError, msgspec.MsgspecError) as error:
            self._heard("", f"a fact is not understood ({in_words(error)})")
            raise _unavailable() from None

    def _begin(self) -> None:
        """Read for everyone who waits now; whoever comes while the query is under way waits for the next."""
        waiting, self._waiting = self._waiting, []
        try:
            wanted = {subject[1:]: None for subjects, _, _ in waiting for subject in subjects}
            wanted |= {who: None for _, who, _ in waiting}
            rows = self._source.read(wanted)
            if not isinstance(rows, asyncio.Future):
                return self._answer(waiting, rows)
        except Exception as error:
            return self._refuse(waiting, error)
        self._reading = True
        return rows.add_done_callback(functools.partial(self._end, waiting))

    def _end(self, waiting: _Waiting, outcome: asyncio.Future[Sequence[FactRow]]) -> None:
        self._reading = False
        try:
            self._answer(waiting, outcome.result())
        except (Exception, asyncio.CancelledError) as error:
            self._refuse(waiting, error)
        if self._waiting:
            self._begin()

    def _answer(self, waiting: _Waiting, rows: Sequence[FactRow]) -> None:
        change, epoch = rows[0].change, rows[0].epoch
        self._heard("", None)
        found: dict[tuple[str, str], list[FactRow]] = {}
        if rows[0].kind is not None:
            for row in rows:
                found.setdefault((row.scheme, row.value), []).append(row)
        for _, _, future in waiting:
            if not future.done():
                future.set_result((change, epoch, found))

    def _refuse(self, waiting: _Waiting, error: BaseException) -> None:
        self._heard("", in_words(error))
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(_unavailable())


def _unavailable() -> Refusal:
    return Refusal(
        Code.DECISION_UNAVAILABLE,
        "consents and objections cannot be read now, so nothing was disclosed; ask again later",
        retryable=True,
    )


def _folded(rows: Sequence[FactRow], today: str) -> SubjectFacts:
    if not rows:
        return NOTHING
    values: dict[str, list[Any]] = {}
    for row in rows:
        for member, kind in _MEMBERS_OF[row.kind]:
            if not kind.past or len(row.until) != len(today) or row.until < today:
                values.setdefault(member, []).append(_VALUES[kind.about](row))
    return SubjectFacts(**{member: _TAKEN_AS[member](of) for member, of in values.items()})


def _suspended(rows: Sequence[FactRow]) -> dict[tuple[str, str], str]:
    """The recall by purpose and dataset; a subject may not be named as a requester is, so nothing else is there."""
    found = {}
    for row in rows:
        if row.kind != SUSPENSION.name:
            raise LookupError("a fact about a requester is of another kind")
        found[_text(row.purpose), _text(row.dataset)] = _text(row.record)
    return found


def _consent(row: FactRow) -> Consent:
    until = datetime.date.fromisoformat(row.until)
    return Consent(row.id, row.issuer, row.client, row.purpose, _terms.decode(row.fields), until)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("a fact names nothing")
    return value


_VALUES: Mapping[About, Callable[[FactRow], Any]] = {
    "subject": lambda row: True,
    "dataset": lambda row: _text(row.dataset),
    "record": lambda row: f"{_text(row.dataset)}/{_text(row.record)}",
    "requester": _consent,
}
"""By what a kind that is a member is about."""
_TAKEN_AS: Mapping[str, Callable[[list[Any]], Any]] = {
    member: type(default) for member, default in msgspec.structs.asdict(NOTHING).items()
}
"""What a member is by default says how it takes its values: as a set, as a tuple, or whether there are any."""
_MEMBERS_OF: Mapping[str | None, list[tuple[str, Kind]]] = {
    kind.name: [each for each in MEMBERS.items() if each[1].name == kind.name] for kind in MEMBERS.values()
}
