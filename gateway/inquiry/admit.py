"""Step 5, admit: how often about one subject, and about how many subjects, one may ask; before any fetch.

Arts. 27, 28(1)(2). A purpose's frequency is a sliding window per requester and subject, and where the purpose needs a
case, per verified case: an inquiry counts until its period, in calendar months and days of UTC, has passed since, and
no longer than those made before it. A case that nobody verified separates nothing. Its quotas bound the distinct
subjects of an official, and of a requester (`beside.quotas`). A reservation is for all of an inquiry's subjects,
against all of these, or for none, and nothing else runs between the look and the mark. What was refused does not count.
A retry, with the same reference, document, variables, purpose and verified case by the same requester and official
within `RETRY_SECONDS`, counts once: the same document and variables name the same subjects.

The ledger is the durable count. What an inquiry is counted against is looked up before the look, where memory does not
have it (`counting.known`): so memory does not grow with what was asked, and a start reads little.

Leaves to others: counts shared between replicas (`gateway.inquiry.counting.shared_counts`), which entries of the ledger
count.
"""

from __future__ import annotations

import asyncio
import datetime
import math
from collections.abc import Awaitable, Iterable
from typing import Any, Protocol

import msgspec

from connectors.base import Subject
from gateway.errors import Code, Refusal, StoreUnavailable
from gateway.inquiry.counting.counts import RETRY_SECONDS, Asked, Counted, end
from gateway.inquiry.counting.known import Found, Known, unavailable
from gateway.inquiry.counting.tallies import Tally
from gateway.inquiry.types import Declaration, Requester
from gateway.nouns import counted
from gateway.rules.model import Frequency, Purpose

__all__ = ["RETRY_SECONDS", "Admission", "AdmissionPort", "Counted", "Reservation", "asking", "exceeded"]

_TRIES = 3
_MINUTE = 60


class Reservation(msgspec.Struct, frozen=True):
    """Permission to continue. `counted` is false for a retry, which was counted the first time."""

    counted: bool


def asking(
    requester: Requester, purpose: str, subjects: Iterable[Subject], declared: Declaration,
    now: datetime.datetime, id: str,
) -> Counted:  # fmt: skip
    """What this requester asks now, about these subjects."""
    named = tuple([subject[1:] for subject in subjects])
    issuer, client, official = requester.issuer, requester.client, requester.official
    case, reference, request = declared.case, declared.reference, declared.request
    return Counted(issuer, client, purpose, named, case, reference, now, official, id, request, declared.recall)


class AdmissionPort(Protocol):
    """What reserves for the purpose that `asked` names: at once, or once awaited where that has to be looked up."""

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation | Awaitable[Reservation]: ...


class Admission:
    """The counts of one process, over what is `known`. Not for use by two threads at once."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known or Known()

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation | Awaitable[Reservation]:
        """Count one inquiry for `purpose` against each of its subjects, or refuse and count nothing.

        Raises `Refusal` with `QUOTA_EXCEEDED`, the `quota` and when it `resetsAt`; with `DECISION_UNAVAILABLE`, where
        it cannot be found out.
        """
        if purpose.frequency.unlimited:
            return Reservation(counted=False)
        digested = Asked.of(asked, self.known.digests)
        found = self.known.find(purpose, digested)
        if found is None:
            waiting = self._load(purpose, digested)
            found = None if waiting else self.known.find(purpose, digested)
            if found is None:
                return self._once_known(purpose, digested, waiting)
        return self._reserve(purpose, digested, found)

    async def _once_known(self, purpose: Purpose, asked: Asked, waiting: list[asyncio.Future[Any]]) -> Reservation:
        for _ in range(_TRIES):
            if waiting:
                await asyncio.wait(waiting)  # not by each: others wait for the same, and go on when this one is gone
            try:
                for each in waiting:
                    each.result()
            except StoreUnavailable:
                raise unavailable() from None
            if (found := self.known.find(purpose, asked)) is not None:
                return self._reserve(purpose, asked, found)
            waiting = self._load(purpose, asked)
        raise unavailable()

    def _load(self, purpose: Purpose, asked: Asked) -> list[asyncio.Future[Any]]:
        try:
            return self.known.load(purpose, asked)
        except StoreUnavailable:
            raise unavailable() from None

    def _reserve(self, purpose: Purpose, asked: Asked, found: Found) -> Reservation:
        at, frequency = asked.at, purpose.frequency
        case = asked.about_case if purpose.case_required else None
        if asked.retry is not None and all(past.retried(asked.retry, case, at) for past in found.pasts):
            return Reservation(counted=False)
        full = 0.0
        for past in found.pasts:
            tally = past.tally(case, frequency.per, at)
            if tally is not None and tally.total >= frequency.max:
                full = max(full, _free_again(tally, frequency, at))
        if full:
            raise exceeded(purpose, full)
        for bounded in found.bounded:
            bounded.reach.check(purpose.name, bounded.windows, bounded.asked, at)
        self.known.mark(purpose, asked, found)
        return Reservation(counted=True)


def _free_again(tally: Tally, frequency: Frequency, now: float) -> float:
    """When, in epoch seconds, so many will have ended that one more is allowed."""
    surplus, latest = tally.total - frequency.max + 1, now
    for at, count in tally:
        latest = max(latest, end(frequency.per, at))
        surplus -= count
        if surplus <= 0:
            return latest
    return end(frequency.per, now)


def exceeded(purpose: Purpose, free: float) -> Refusal:
    """`QUOTA_EXCEEDED` of a frequency; `free` is when, in epoch seconds, one more is allowed.

    It `resetsAt` the next whole minute from then: when another official asked before is not shown to the second.
    """
    resets = datetime.datetime.fromtimestamp(math.ceil(free / _MINUTE) * _MINUTE, datetime.UTC)
    frequency = purpose.frequency
    return Refusal(
        Code.QUOTA_EXCEEDED,
        f"`{purpose.name}` allows {counted(frequency.max, 'inquiry')} about one subject in {frequency.per.text}; "
        f"ask again from {resets.isoformat()}",
        quota="frequency",
        resetsAt=resets.isoformat(),
    )
