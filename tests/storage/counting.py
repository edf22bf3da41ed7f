"""Inquiries counted, entered and projected as a gateway does it, on a store; and a naive model of all of it."""

from __future__ import annotations

import asyncio
import collections
import datetime
import itertools
from collections.abc import Mapping
from typing import NamedTuple

from connectors.base import Subject
from gateway.catalogue.model import Period
from gateway.errors import Code, Refusal
from gateway.inquiry.admit import Admission, Reservation
from gateway.inquiry.beside import past
from gateway.inquiry.counting.counts import Counted
from gateway.inquiry.counting.known import Known
from gateway.inquiry.counting.snapshot import Sources
from gateway.inquiry.types import Requester
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections import unprojected
from gateway.ledger.projections.projector import Projector
from gateway.rules.model import Frequency, Purpose, Quota, Quotas
from gateway.storage.port import Store
from gateway.storage.projections import projecting as kept
from tests.inquiry.counting.counted import counted
from tests.inquiry.test_admit import ends

ISSUER = "https://login.example"
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
RETRIED = datetime.timedelta(seconds=600)
P1D, P1M = Period("P1D", 0, 1), Period("P1M", 1, 0)
WIDE = Quotas(Quota(1_000_000, 1_000_000), Quota(1_000_000, 1_000_000))


def purpose(most: int, per: Period, quotas: Quotas | None = WIDE, name: str = "TENDER", case: bool = True) -> Purpose:
    return Purpose(
        name, "", (), (), "", ("organisation",), {}, Frequency(most, per), per, case_required=case, quotas=quotas
    )


class Ask(NamedTuple):
    """What is asked; `subjects` are numbers."""

    client: str
    official: str | None
    subjects: tuple[int, ...]
    case: str | None = None
    reference: str | None = None


class Naive:
    """All that was asked, in a list."""

    def __init__(self, allowed: Purpose) -> None:
        self._allowed = allowed
        self._asked: list[tuple[datetime.datetime, Ask]] = []
        self._times: dict[tuple[str, str | None, int], collections.deque[datetime.datetime]] = {}
        self._retries: dict[Ask, datetime.datetime] = {}

    def ask(self, at: datetime.datetime, ask: Ask) -> str:
        ask = ask._replace(case=ask.case if self._allowed.case_required else None)
        same = ask._replace(subjects=tuple(sorted(ask.subjects)))
        if ask.reference is not None and same in self._retries and at < self._retries[same] + RETRIED:
            return "retry"
        for subject in ask.subjects:
            times = self._times.setdefault((ask.client, ask.case, subject), collections.deque())
            while times and ends(self._allowed.frequency.per, times[0]) <= at:
                times.popleft()
            if len(times) >= self._allowed.frequency.max:
                return "refused"
        if self._allowed.quotas is not None:
            own, whole = self._allowed.quotas.official, self._allowed.quotas.requester
            for quota, official in ((own, ask.official), (whole, None)):
                if quota is own and official is None:
                    continue
                for most, within in ((quota.hour, HOUR), (quota.day, DAY)):
                    before = self._reach(at, within, ask.client, official)
                    if not set(ask.subjects) <= before and len(before | set(ask.subjects)) > most:
                        return "refused"
        self._asked.append((at, ask))
        self._retries[same] = at
        for subject in ask.subjects:
            self._times[ask.client, ask.case, subject].append(at)
        return "counted"

    def _reach(self, at: datetime.datetime, within: datetime.timedelta, client: str, official: str | None) -> set[int]:
        return {
            subject
            for when, each in self._asked
            if when > at - within and each.client == client and official in (None, each.official)
            for subject in each.subjects
        }


class Office:
    """A gateway's step 5 on a store, without the rest of it: what it admits is entered, at once or later."""

    def __init__(self, store: Store, ledger: Ledger, purposes: Mapping[str, Purpose], most: int, batch: int) -> None:
        self.store, self.ledger, self.purposes, self._most = store, ledger, purposes, most
        self.projector = Projector(store, batch)
        self.now = datetime.datetime(2026, 1, 30, 23, 30, tzinfo=datetime.UTC)
        self.unentered: list[Counted] = []
        self._ids = map(str, itertools.count())
        self.admission = Admission(self._known())

    def _known(self) -> Known:
        def tail(reader: object, since: int) -> list[Counted]:
            return unprojected.counted(reader, since, past.counted)  # type: ignore[arg-type]

        now = lambda: self.now.timestamp()  # noqa: E731
        return Known(Sources(self.store, lambda: self.purposes, tail, unprojected.since, now), self._most)

    async def open(self) -> None:
        """Count as it does at a start."""
        await self.admission.known.fill()
        while not self.admission.known.whole:  # counts are being dropped: a gateway tries again, while others drop
            self.projector.turn()
            await self.admission.known.fill()

    async def restart(self) -> None:
        """Stop, having entered what waits, and start again."""
        await self.enter()
        await self.admission.known.close()
        self.admission = Admission(self._known())
        await self.open()

    async def ask(self, allowed: Purpose, ask: Ask) -> str:
        """Ask now; what is admitted waits to be entered (`enter`)."""
        who = Requester(ISSUER, ask.client, ask.official, frozenset(), 0.0)
        subjects = [Subject("organisation", "LEI", f"{number:020d}") for number in ask.subjects]
        asked = counted(who, allowed, subjects, self.now, ask.case, ask.reference, f"inquiry-{next(self._ids)}")
        try:
            reserved = self.admission.reserve(allowed, asked)
            reservation = reserved if isinstance(reserved, Reservation) else await reserved
        except Refusal as refusal:
            if refusal.code is Code.DECISION_UNAVAILABLE:
                return "unavailable"
            resets = datetime.datetime.fromisoformat(refusal.extensions["resetsAt"])
            return "refused" if resets > self.now else "refused until the past"
        self.unentered.append(asked)
        return "counted" if reservation.counted else "retry"

    async def enter(self) -> None:
        """Enter what was admitted, in groups."""
        waiting, self.unentered = self.unentered, []
        await asyncio.gather(*(enter(self.ledger, each) for each in waiting))

    async def close(self) -> None:
        self.projector.close()
        await self.admission.known.close()

    def drop(self) -> None:
        """Have the counts dropped, to be made again."""
        kept.start_over(self.store.engine, ["counted"])


def told(asked: Counted) -> tuple[entries.Inquiry, entries.Oversight]:
    """Both sides of an inquiry's entry."""
    named = [
        entries.Disclosed("organisation", *each, [entries.Dataset("permits", ("amount",), [f"permits/R-{each[1]}@1"])])
        for each in asked.distinct
    ]
    declared = entries.Declared(asked.purpose, asked.case, None, None, asked.reference, asked.request)
    who = entries.Who(asked.issuer, asked.client, "a department")
    head = (entries.VERSION, asked.id, asked.time, who, None, declared, "5ec0de", [], named)
    return entries.Inquiry(*head, entries.Data(bytes(32), bytes(32))), entries.Oversight(
        entries.VERSION, asked.official, 0
    )


async def enter(ledger: Ledger, asked: Counted) -> None:
    """Enter an inquiry."""
    parts = split(*told(asked))
    by = (asked.issuer, asked.client)
    await ledger.append(parts.told, parts.oversight, asked.time, by, (), parts.subjects)
