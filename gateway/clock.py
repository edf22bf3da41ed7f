"""Time that never falls (invariant 15)."""

from __future__ import annotations

import datetime
from collections.abc import Callable


class Clock:
    """The time now, as an aware datetime in UTC, never less than it said before nor than `floor` says.

    `floor` is the time of the last committed entry. `wall` is the machine's clock.
    """

    def __init__(
        self,
        floor: Callable[[], datetime.datetime],
        wall: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self._floor, self._wall = floor, wall
        self._last = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def __call__(self) -> datetime.datetime:
        now = max(self._wall(), self._last, self._floor())
        self._last = now
        return now

    def skew(self) -> float:
        """By how many seconds the machine's clock is behind the last committed entry; negative where it is ahead."""
        return (self._floor() - self._wall()).total_seconds()
