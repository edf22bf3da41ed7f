"""Quotas by distinct subject (Arts. 27, 28(1)(2)): how many subjects a purpose lets an official and a requester reach.

What is counted is subjects, not questions: asking again about one that was asked about within the window is free,
however it is asked. Windows slide: within no hour, and within no 86,400 seconds, are there more distinct subjects than
allowed.

`Distinct` is the count of one process, in memory; `shared_counts` counts between processes. It remembers what was asked
about within a day, and nothing longer. No clock and no I/O: the time is an argument. Left to others: what counts
(`admit`), and what an official's reach looks like over weeks (the detectors of `gateway.watch`).
"""

from __future__ import annotations

import datetime
import math
from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

from gateway.errors import Code, Refusal
from gateway.rules.model import Quotas

HOUR, DAY = 3_600.0, 86_400.0

Named = tuple[str, str]
"""A subject's scheme and value."""


class Window(NamedTuple):
    """One quota. `official` is whose it is, `None` for a requester's; `seconds` its length, `most` its subjects."""

    name: str
    official: str | None
    seconds: float
    most: int


def windows(quotas: Quotas, official: str | None) -> tuple[Window, ...]:
    """What an inquiry counts against; without an official, against the requester's quotas only."""
    whole = quotas.requester
    found = (
        Window("requester-hour", None, HOUR, whole.hour),
        Window("requester-day", None, DAY, whole.day),
    )
    if official is None:
        return found
    own = quotas.official
    return (
        Window("official-hour", official, HOUR, own.hour),
        Window("official-day", official, DAY, own.day),
        *found,
    )


def exceeded(purpose: str, window: Window, free: float) -> Refusal:
    """`QUOTA_EXCEEDED`; `free` is when, in epoch seconds, the same inquiry would be within the quota."""
    resets = datetime.datetime.fromtimestamp(math.ceil(free), datetime.UTC).isoformat()
    who = "one requester" if window.official is None else "one official"
    within = "an hour" if window.seconds == HOUR else "a day"
    return Refusal(
        Code.QUOTA_EXCEEDED,
        f"`{purpose}` lets {who} ask about {window.most} subjects within {within}; ask again from {resets}",
        quota=window.name,
        resetsAt=resets,
    )


class _Reach:
    """The subjects that were asked about, the longest ago first, each with the time that it was last."""

    __slots__ = ("day", "hour")

    def __init__(self) -> None:
        self.hour: OrderedDict[Named, float] = OrderedDict()
        self.day: OrderedDict[Named, float] = OrderedDict()


_Who = tuple[str, str, str, str | None]  # purpose, issuer, client, official


class Distinct:
    """The distinct subjects of every requester and official of one process. Not for two threads at once."""

    def __init__(self) -> None:
        # In the order of their last inquiry, so that the first is the first to have nothing left.
        self._reached: OrderedDict[_Who, _Reach] = OrderedDict()

    def check(
        self, quotas: Quotas, purpose: str, issuer: str, client: str, official: str | None,
        subjects: Collection[Named], at: float,
    ) -> None:  # fmt: skip
        """Raise `Refusal` where one more inquiry, at epoch second `at`, would go over a quota. Marks nothing."""
        for whose in (official, None) if official is not None else (None,):
            reach = self._reached.get((purpose, issuer, client, whose))
            if reach is not None or len(subjects) > 1:
                self._check(reach or _Reach(), whose, quotas, purpose, subjects, at)

    def _check(
        self, reach: _Reach, official: str | None, quotas: Quotas, purpose: str, subjects: Collection[Named], at: float
    ) -> None:
        quota = quotas.requester if official is None else quotas.official
        _forget(reach.hour, at - HOUR)
        _forget(reach.day, at - DAY)
        if len(reach.hour) + len(subjects) <= quota.hour and len(reach.day) + len(subjects) <= quota.day:
            return
        for window in windows(quotas, official)[:2]:
            seen = reach.hour if window.seconds == HOUR else reach.day
            new = sum(subject not in seen for subject in subjects)
            if new and len(seen) + new > window.most:
                raise exceeded(purpose, window, _free(seen, window, subjects, new, at))

    def mark(
        self, purpose: str, issuer: str, client: str, official: str | None, subjects: Collection[Named], at: float
    ) -> None:
        """Count an inquiry, made at an epoch second.

        One that comes after inquiries made later, since it waited for its case, counts as the latest of them: nobody's
        window ends sooner because of it.
        """
        reached = self._reached
        for who in ((purpose, issuer, client, None), (purpose, issuer, client, official)):
            reach = reached.get(who)
            if reach is None:
                reach = reached[who] = _Reach()
            else:
                reached.move_to_end(who)
            hour, day = reach.hour, reach.day
            counted = max(at, day[next(reversed(day))]) if day else at
            for subject in subjects:
                hour[subject] = day[subject] = counted
                hour.move_to_end(subject)
                day.move_to_end(subject)
            if official is None:
                break
        for _ in range(2):
            oldest = next(iter(reached))
            day = reached[oldest].day
            if day and day[next(reversed(day))] > at - DAY:
                break
            del reached[oldest]


def _forget(seen: OrderedDict[Named, float], until: float) -> None:
    while seen:
        first = next(iter(seen))
        if seen[first] > until:
            return
        del seen[first]


def _free(seen: OrderedDict[Named, float], window: Window, subjects: Collection[Named], new: int, at: float) -> float:
    """When so many other subjects will have left the window that this inquiry is within the quota."""
    surplus = len(seen) + new - window.most
    for subject, asked in seen.items():
        if subject not in subjects:
            surplus -= 1
            if surplus == 0:
                return asked + window.seconds
    return at + window.seconds
