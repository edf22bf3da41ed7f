"""Quotas by distinct subject (Arts. 27, 28(1)(2)): the reach of an official, and of a requester, under one purpose.

What is counted is subjects, not questions: asking again about one that was asked about within the window is free,
however it is asked. Windows slide: within no hour, and within no 86,400 seconds, are there more distinct subjects than
allowed.

`Reach` is the count of one process, in memory; `shared_counts` counts between processes. It knows how many subjects
there are, and not which: when one was asked about last is known of the subject (`gateway.inquiry.counting.known`), so
it takes no more memory for more of them. No clock and no I/O: the time is an argument. Left to others: what counts
(`admit`), and what an official's reach looks like over weeks (the detectors of `gateway.watch`).
"""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.errors import Code, Refusal
from gateway.inquiry.counting.tallies import Tally, slotted, width
from gateway.nouns import counted
from gateway.rules.model import Quotas

HOUR, DAY = 3_600.0, 86_400.0


class Window(NamedTuple):
    """One quota, of an `official` or of a requester; `seconds` is its length, `most` its subjects.

    `width` is the length of its slots, in microseconds.
    """

    name: str
    official: bool
    seconds: float
    most: int
    width: int


@functools.lru_cache(maxsize=256)
def windows(quotas: Quotas) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """What an inquiry counts against: its official's, where it has one, and its requester's."""
    official, requester = quotas.official, quotas.requester
    return (
        (_window("official-hour", True, HOUR, official.hour), _window("official-day", True, DAY, official.day)),
        (_window("requester-hour", False, HOUR, requester.hour), _window("requester-day", False, DAY, requester.day)),
    )


def _window(name: str, official: bool, seconds: float, most: int) -> Window:
    return Window(name, official, seconds, most, width(most, seconds))


def exceeded(purpose: str, window: Window, free: float) -> Refusal:
    """`QUOTA_EXCEEDED`; `free` is when, in epoch seconds, the same inquiry would be within the quota."""
    resets = datetime.datetime.fromtimestamp(math.ceil(free), datetime.UTC).isoformat()
    who = "one official" if window.official else "one requester"
    within = "an hour" if window.seconds == HOUR else "a day"
    return Refusal(
        Code.QUOTA_EXCEEDED,
        f"`{purpose}` lets {who} ask about {counted(window.most, 'subject')} within {within}; ask again from {resets}",
        quota=window.name,
        resetsAt=resets,
    )


class Reach:
    """How many subjects one requester or official got answers about, and when, within an hour and a day."""

    __slots__ = ("day", "hour", "latest", "pending")

    def __init__(self) -> None:
        self.hour, self.day, self.latest, self.pending = Tally(), Tally(), 0.0, 0

    def check(self, purpose: str, found: Iterable[Window], asked: Sequence[float], at: float) -> None:
        """Raise `Refusal` where one more inquiry, at epoch second `at`, would go over a quota. Marks nothing.

        `asked` is when each of its subjects was asked about last, 0 where it never was.
        """
        for window in found:
            _, _, seconds, most, wide = window
            tally = self.hour if seconds == HOUR else self.day
            if tally.total + len(asked) <= most:  # even if all of them are new, and of the others none has left
                continue
            until = at - seconds
            tally.drop(until)
            within = [slot for each in asked if (slot := slotted(each, wide)) > until]
            new = len(asked) - len(within)
            if new and tally.total + new > most:
                raise exceeded(purpose, window, _free(tally, window, within, new, at))

    def mark(self, found: Iterable[Window], asked: Sequence[float], at: float) -> float:
        """Count an inquiry about subjects that were asked about last at these times; when it counts as asked.

        One that comes after inquiries made later, since it waited for its case, counts as the latest of them: nobody's
        window ends sooner because of it.
        """
        at = self.latest = max(at, self.latest)
        for _, _, seconds, _, wide in found:
            tally, until = self.hour if seconds == HOUR else self.day, at - seconds
            tally.drop(until)
            for each in asked:
                if (slot := slotted(each, wide)) > until:
                    tally.remove(slot)
            tally.add(slotted(at, wide), len(asked))
        return at

    def fill(self, window: Window, found: Iterable[tuple[int, int]]) -> None:
        """Take what the store has of a window: times, in microseconds and of this width, and how many each."""
        tally = self.hour if window.seconds == HOUR else self.day
        for at, count in found:
            tally.add(at / 1e6, count)
        if tally.times and window.width == 1:
            self.latest = max(self.latest, tally.times[-1])


def _free(tally: Tally, window: Window, within: Sequence[float], new: int, at: float) -> float:
    """When so many other subjects will have left the window that this inquiry is within the quota."""
    surplus = tally.total + new - window.most
    for asked, count in tally:
        surplus -= count - within.count(asked)
        if surplus <= 0:
            return asked + window.seconds
    return at + window.seconds
