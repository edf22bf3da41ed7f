"""What an inquiry is counted by, in digests; and what one requester asked about one subject for one purpose."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

import msgspec

from gateway.catalogue.model import Period
from gateway.inquiry.counting.quotas import DAY
from gateway.inquiry.counting.tallies import Tally, slotted, width
from gateway.rules.model import Frequency, Purpose
from gateway.storage.port import Looked
from gateway.storage.projections.counted import Digests

RETRY_SECONDS = 600

_DAY = 86_400.0
_MANY = 16


def periods(purposes: Mapping[str, Purpose]) -> Mapping[str, tuple[object, ...]]:
    """What of purposes sets how far back is counted, and by what."""
    return {name: (each.frequency.per, bool(each.quotas), each.case_required) for name, each in purposes.items()}


class Counted(msgspec.Struct, frozen=True):
    """One inquiry as it is counted, whether it asks now or comes from the ledger. `subjects` are (scheme, value).

    `case` is what it declared; `request` tells its document and variables from others under its reference. `recall` is
    the one whose correction is fetched: that alone counts then.
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
    recall: str | None = None

    def verified_case(self, purpose: Purpose) -> str | None:
        """Its case, where the purpose needs one: only then was it verified, in step 3, before anything is counted."""
        return self.case if purpose.case_required else None

    @property
    def distinct(self) -> list[tuple[str, str]]:
        """The subjects, each once, in an order that does not depend on how they were named."""
        return sorted(set(self.subjects))


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The same in digests, which is all that stays in memory. `at` is in epoch seconds."""

    purpose: str
    requester: int
    official: int | None
    subjects: tuple[int, ...]
    about_case: int | None
    retry: int | None
    inquiry: int
    at: float

    @classmethod
    def of(cls, counted: Counted, digests: Digests) -> Asked:
        """What counts of an inquiry."""
        by = (counted.purpose, counted.issuer, counted.client)
        official, subject = counted.official, digests.subject
        return cls(
            counted.purpose,
            digests.requester(*by),
            digests.official(*by, official),
            tuple([subject(*each) for each in set(counted.subjects)]),
            digests.about_case(counted.case),
            digests.retry(official, counted.reference, counted.request),
            digests.inquiry(counted.id),
            counted.time.timestamp(),
        )


class Past:
    """What one requester asked about one subject for one purpose; `pending` of it is not known to be in the store."""

    __slots__ = ("_asked", "_officials", "_retries", "_tallies", "pending")

    def __init__(self) -> None:
        self._tallies: dict[int | None, Tally] = {}
        self._asked = 0.0
        self._officials: dict[int, float] | None = None
        self._retries: dict[tuple[int, int | None], float] | None = None
        self.pending = 0

    def tally(self, case: int | None, per: Period, now: float) -> Tally | None:
        """What counts at a time, of a verified case."""
        tally = self._tallies.get(case)
        if tally is not None and tally.times and has_ended(per, tally.times[0], now):
            ended = 0
            for at in tally.times:
                if not has_ended(per, at, now):
                    break
                ended += 1
            tally.drop_first(ended)
        return tally

    def last(self, official: int | None) -> float:
        """When an official (None: anybody) asked last; 0 for never."""
        if official is None:
            return self._asked
        return 0.0 if self._officials is None else self._officials.get(official, 0.0)

    def retried(self, retry: int | None, case: int | None, now: float) -> bool:
        """Whether it is a retry of what was counted."""
        seen = None if retry is None or self._retries is None else self._retries.get((retry, case))
        return seen is not None and now - seen < RETRY_SECONDS

    def count(self, frequency: Frequency, case: int | None, retry: int | None, at: float) -> None:
        """Count an inquiry against the frequency."""
        tally = self._tallies.get(case)
        if tally is None:
            if len(self._tallies) >= _MANY:
                for each in list(self._tallies):
                    if not (self.tally(each, frequency.per, at) or Tally()).total:
                        del self._tallies[each]
            tally = self._tallies[case] = Tally()
        tally.add(slotted(at, width(frequency.max, shortest(frequency.per))))
        if retry is not None:
            if self._retries is None:
                self._retries = {}
            elif len(self._retries) >= _MANY:
                self._retries = {each: seen for each, seen in self._retries.items() if at - seen < RETRY_SECONDS}
            self._retries[retry, case] = at

    def ask(self, official: int | None, at: float) -> None:
        """Note that an official (None: anybody) asked."""
        if official is None:
            self._asked = at
            return
        if self._officials is None:
            self._officials = {}
        elif len(self._officials) >= _MANY:
            self._officials = {each: last for each, last in self._officials.items() if last > at - DAY}
        self._officials[official] = at

    @classmethod
    def of(cls, purpose: Purpose, rows: Iterable[Looked]) -> Past:
        """What the store has of it."""
        past = cls()
        for row in sorted(rows, key=lambda row: row.at):
            case, at = row.about_case if purpose.case_required else None, row.at / 1e6
            if not past.retried(row.retry, case, at):
                past.count(purpose.frequency, case, row.retry, at)
                past.ask(None, at)
                if row.official is not None:
                    past.ask(row.official, at)
        return past


def micros(at: float) -> int:
    """Epoch seconds, in microseconds."""
    return round(at * 1e6)


def shortest(period: Period) -> float:
    """Seconds that a period has at least."""
    return (period.months * 28 + period.days) * _DAY


def longest(period: Period) -> float:
    """Seconds that a period, or a day, has at most."""
    return max(period.months * 31 + period.days, 1) * _DAY


def days(purposes: Iterable[Purpose]) -> int:
    """For how many days inquiries for any of these purposes count, and a day more."""
    return int(max((longest(each.frequency.per) for each in purposes), default=_DAY) / _DAY) + 1


def end(period: Period, at: float) -> float:
    """When an inquiry made at `at` stops to count, both in epoch seconds."""
    if not period.months:
        return at + period.days * _DAY
    day = datetime.datetime.fromtimestamp(at, datetime.UTC).date()
    return at + (period.after(day) - day).days * _DAY


def has_ended(period: Period, at: float, now: float) -> bool:
    """Whether an inquiry made at `at` no longer counts."""
    # No month is shorter than 28 days: that settles nearly every question without the calendar.
    return now >= at + shortest(period) and now >= end(period, at)
