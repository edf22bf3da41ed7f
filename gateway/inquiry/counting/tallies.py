"""What counts against one limit, oldest first: a bounded number of times, and how many inquiries each stands for. Pure.

A limit that allows more than `EXACT` in its window is counted in slots of a thousandth of it: a time is rounded up to
its slot's end, so that nothing ever counts for too short, and a tally holds a bounded number of times.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

EXACT = 1024
UNSURE = 60.0
"""Seconds by which an inquiry may be entered later than it was counted: it takes no longer."""


def width(most: int, seconds: float) -> int:
    """The length of a slot, in microseconds, where so many are allowed within so many seconds: 1 where all are kept."""
    return 1 if most <= EXACT else int(seconds * 1_000_000 / EXACT)


def slotted(at: float, width: int) -> float:
    """`at`, or the end of its slot."""
    return at if width == 1 else -(-round(at * 1e6) // width) * width / 1e6


class Tally:
    """`counts` inquiries at each of `times`, in epoch seconds; `total` in all."""

    __slots__ = ("counts", "times", "total")

    def __init__(self) -> None:
        self.times, self.counts, self.total = array("d"), array("L"), 0

    def add(self, at: float, count: int = 1) -> None:
        """One that comes after later ones counts as the latest: none ends sooner than those before it."""
        times = self.times
        if times and times[-1] >= at:
            self.counts[-1] += count
        else:
            times.append(at)
            self.counts.append(count)
        self.total += count

    def remove(self, at: float) -> None:
        """Take one out that was added at a time; where that is not known to the moment, one from surely before it."""
        times, counts = self.times, self.counts
        place = bisect_left(times, at)
        if place == len(times) or times[place] != at:
            place = bisect_right(times, at - UNSURE) - 1
            if place < 0:
                return  # then it counts twice, for a while
        self.total -= 1
        if counts[place] > 1:
            counts[place] -= 1
        else:
            del times[place], counts[place]

    def drop(self, until: float) -> None:
        """Leave out what is not later than a time."""
        if self.times and self.times[0] <= until:
            self.drop_first(bisect_right(self.times, until))

    def drop_first(self, ended: int) -> None:
        """Leave out so many times."""
        if ended:
            self.total -= sum(self.counts[:ended])
            del self.times[:ended], self.counts[:ended]

    def __iter__(self) -> Iterator[tuple[float, int]]:
        return zip(self.times, self.counts, strict=True)
