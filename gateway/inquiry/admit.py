"""Step 5, admit: how often about one subject, and about how many subjects, one may ask; before any fetch.

Arts. 27, 28(1)(2). A purpose's frequency is a sliding window per requester and subject, and where the purpose needs a
case, per verified case: an inquiry counts until its period, in calendar months and days of UTC, has passed since, and
no longer than those made before it. A case that nobody verified separates nothing. Its quotas bound the distinct
subjects of an official, and of a requester (`beside.quotas`). A reservation is for all of an inquiry's subjects,
against all of these, or for none, and nothing else runs between the look and the mark. What was refused does not count.
A retry, with the same reference, document, variables, purpose, verified case and subjects by the same requester and
official within `RETRY_SECONDS`, counts once.

Counts stand in memory; the ledger is the durable count, from which `refill` restores them at start. Memory is bounded
by what was asked within the windows: a purpose that allows more than `EXACT` in a period counts in slots of a
thousandth of it (each rounded up, so never too few), and what has ended is dropped a little with each reservation.

Leaves to others: counts shared between replicas (`gateway.inquiry.beside.shared_counts`), which entries of the ledger
count.
"""

from __future__ import annotations

import datetime
import math
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from connectors.base import Subject
from gateway.catalogue.model import Period
from gateway.errors import Code, Refusal
from gateway.inquiry.beside.quotas import Distinct
from gateway.inquiry.types import Declaration, Requester
from gateway.rules.model import Frequency, Purpose

RETRY_SECONDS = 600
EXACT = 1024

_DAY = 86_400.0

_Key = tuple[str, str, str, str, str | None]  # scheme, value, issuer, client, case
_Reference = tuple[str, str, str | None, str, str | None, bytes, str | None, frozenset[tuple[str, str]]]


class Reservation(NamedTuple):
    """Leave to go on. `counted` is false for a retry, which was counted the first time."""

    counted: bool


class Counted(NamedTuple):
    """One inquiry as it is counted, whether it asks now or the ledger tells of it. `subjects` are (scheme, value).

    `case` is what it declared; `request` tells its document and variables from others under its reference.
    """

    issuer: str
    client: str
    purpose: str
    subjects: tuple[tuple[str, str], ...]
    case: str | None
    reference: str | None
    time: datetime.datetime
    official: str | None = None
    id: str = ""
    request: bytes = b""

    @classmethod
    def of(
        cls, requester: Requester, purpose: str, subjects: Iterable[Subject], declared: Declaration,
        now: datetime.datetime, id: str,
    ) -> Counted:  # fmt: skip
        """What this requester asks now, about these subjects."""
        named = tuple([subject[1:] for subject in subjects])
        issuer, client, official = requester.issuer, requester.client, requester.official
        case, reference, request = declared.case, declared.reference, declared.request
        return cls(issuer, client, purpose, named, case, reference, now, official, id, request)

    def verified_case(self, purpose: Purpose) -> str | None:
        """Its case, where the purpose needs one: only then was it verified, in step 3, before anything is counted."""
        return self.case if purpose.case_required else None

    @property
    def distinct(self) -> Sequence[tuple[str, str]]:
        """The subjects, each once, in an order that does not depend on how they were named."""
        return self.subjects if len(self.subjects) == 1 else sorted(set(self.subjects))


class AdmissionPort(Protocol):
    """What reserves for the purpose that `asked` names: at once, or where other processes count too, once awaited."""

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation | Awaitable[Reservation]: ...


class _Tally:
    """The inquiries that count against one key, oldest first: `counts` of them at each of `times`, in epoch seconds."""

    __slots__ = ("counts", "times", "total")

    def __init__(self) -> None:
        self.times, self.counts, self.total = array("d"), array("L"), 0

    def add(self, at: float) -> None:
        if self.times and self.times[-1] >= at:
            self.counts[-1] += 1
        else:
            self.times.append(at)
            self.counts.append(1)
        self.total += 1

    def drop_ended(self, period: Period, now: float) -> None:
        ended = 0
        for at in self.times:
            if not _has_ended(period, at, now):
                break
            ended += 1
        if ended:
            self.total -= sum(self.counts[:ended])
            del self.times[:ended], self.counts[:ended]

    def free_again(self, frequency: Frequency, now: float) -> float:
        """When, in epoch seconds, so many will have ended that one more is allowed."""
        surplus, latest = self.total - frequency.max + 1, now
        for at, count in zip(self.times, self.counts, strict=True):
            latest = max(latest, end(frequency.per, at))
            surplus -= count
            if surplus <= 0:
                return latest
        return end(frequency.per, now)


def end(period: Period, at: float) -> float:
    """When an inquiry made at `at` stops to count, both in epoch seconds."""
    if not period.months:
        return at + period.days * _DAY
    day = datetime.datetime.fromtimestamp(at, datetime.UTC).date()
    return at + (period.after(day) - day).days * _DAY


def _has_ended(period: Period, at: float, now: float) -> bool:
    # No month is shorter than 28 days: that settles nearly every question without the calendar.
    return now >= at + (period.months * 28 + period.days) * _DAY and now >= end(period, at)


def _slotted(frequency: Frequency, at: float) -> float:
    """`at`, or where many are allowed the end of its slot: a tally then holds a bounded number of times."""
    if frequency.max <= EXACT:
        return at
    slot = (frequency.per.months * 28 + frequency.per.days) * _DAY / EXACT
    return math.ceil(at / slot) * slot


def _keys(purpose: Purpose, asked: Counted) -> list[_Key]:
    """What its frequency counts against, for each of its subjects."""
    case = asked.verified_case(purpose)
    return [(scheme, value, asked.issuer, asked.client, case) for scheme, value in asked.distinct]


def _retried(purpose: Purpose, asked: Counted) -> _Reference:
    """What a retry has in common with the inquiry that was counted."""
    issuer, client, official, case = asked.issuer, asked.client, asked.official, asked.verified_case(purpose)
    subjects = frozenset(asked.subjects)
    return issuer, client, official, asked.purpose, asked.reference, asked.request, case, subjects


class Admission:
    """The counts of one process. Not for use by two threads at once."""

    def __init__(self) -> None:
        # Per purpose the tallies in the order of their last inquiry, so that the first is the first to end.
        self._purposes: dict[str, OrderedDict[_Key, _Tally]] = {}
        self._references: OrderedDict[_Reference, float] = OrderedDict()
        self._distinct = Distinct()

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation:
        """Count one inquiry for `purpose` against each of its subjects, or refuse and count nothing.

        Raises `Refusal` with `QUOTA_EXCEEDED`, the `quota` and when it `resetsAt`. Counts in one process do without the
        inquiry's `id`.
        """
        at, frequency, quotas = asked.time.timestamp(), purpose.frequency, purpose.quotas
        if asked.reference is not None and not self._first(purpose, asked, at):
            return Reservation(counted=False)
        tallies = self._purposes.get(asked.purpose)
        if tallies is None:
            tallies = self._purposes[asked.purpose] = OrderedDict()
        keys, full = _keys(purpose, asked), 0.0
        for key in keys:
            tally = tallies.get(key)
            if tally is not None:
                tally.drop_ended(frequency.per, at)
                if tally.total >= frequency.max:
                    full = max(full, tally.free_again(frequency, at))
        if full:
            raise exceeded(purpose, full)
        if quotas is not None:
            issuer, client, official, pairs = asked.issuer, asked.client, asked.official, asked.distinct
            self._distinct.check(quotas, asked.purpose, issuer, client, official, pairs, at)
            self._distinct.mark(asked.purpose, issuer, client, official, pairs, at)
        self._mark(tallies, frequency, keys, at)
        if asked.reference is not None:
            self._references[_retried(purpose, asked)] = at
        return Reservation(counted=True)

    def refill(self, entries: Iterable[Counted], purposes: Mapping[str, Purpose]) -> None:
        """Count again what the ledger says was asked for the purposes that there are, in order of time.

        Limits are not applied: what was asked was asked. To be called once, before the first reservation, with at least
        each purpose's last period of entries, retries included.
        """
        for entry in sorted(entries, key=lambda entry: entry.time):
            purpose, at = purposes.get(entry.purpose), entry.time.timestamp()
            if purpose is None:
                continue
            if entry.reference is not None:
                if not self._first(purpose, entry, at):
                    continue
                self._references[_retried(purpose, entry)] = at
            if purpose.quotas is not None:
                issuer, client, official = entry.issuer, entry.client, entry.official
                self._distinct.mark(entry.purpose, issuer, client, official, entry.distinct, at)
            tallies = self._purposes.setdefault(entry.purpose, OrderedDict())
            self._mark(tallies, purpose.frequency, _keys(purpose, entry), at)

    def _first(self, purpose: Purpose, asked: Counted, at: float) -> bool:
        """Whether this is no retry of an inquiry that was counted; forgets references that have aged."""
        references = self._references
        for _ in range(2):
            if references and at - next(iter(references.values())) >= RETRY_SECONDS:
                references.popitem(last=False)
        seen = references.get(_retried(purpose, asked))
        return seen is None or at - seen >= RETRY_SECONDS

    def _mark(self, tallies: OrderedDict[_Key, _Tally], frequency: Frequency, keys: list[_Key], at: float) -> None:
        slotted = _slotted(frequency, at)
        for key in keys:
            tally = tallies.get(key)
            if tally is None:
                tally = tallies[key] = _Tally()
            else:
                tallies.move_to_end(key)
            tally.add(slotted)
            for _ in range(2):
                oldest = next(iter(tallies))
                times = tallies[oldest].times
                if times and not _has_ended(frequency.per, times[-1], at):
                    break
                del tallies[oldest]


def exceeded(purpose: Purpose, free: float) -> Refusal:
    """`QUOTA_EXCEEDED` of a frequency; `free` is when, in epoch seconds, one more is allowed."""
    resets = datetime.datetime.fromtimestamp(math.ceil(free), datetime.UTC)
    frequency = purpose.frequency
    return Refusal(
        Code.QUOTA_EXCEEDED,
        f"`{purpose.name}` allows {frequency.max} inquiries about one subject in {frequency.per.text}; "
        f"ask again from {resets.isoformat()}",
        quota="frequency",
        resetsAt=resets.isoformat(),
    )
