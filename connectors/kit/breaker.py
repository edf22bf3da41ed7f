"""Stops asking a department that keeps failing, so that neither it nor an inquiry waits in vain.

After `failures` failures in a row nothing is asked for `open_for` seconds; then one call is let through, and what
becomes of it decides.
"""

from __future__ import annotations

from connectors.base import Config, Failure, Fault


def read_breaker(config: Config) -> tuple[int, float]:
    """The `breaker` key of `limits`: what a `Breaker` is made with."""
    keys = config.mapping((), ("failures", "open_for"))
    return keys["failures"].integer(1, 1_000_000, 5), keys["open_for"].duration(10.0)


class Breaker:
    """Counts one department's failures. Times are on the event loop's clock, in seconds."""

    failure = Failure(Fault.UNAVAILABLE, True, "breaker open after repeated failures")

    def __init__(self, failures: int, open_for: float) -> None:
        self._limit = failures
        self._open_for = open_for
        self._failures = 0
        self._open_until = 0.0
        self._trying = False

    def admits(self, now: float) -> bool:
        """Whether a call may be made now. After a yes the caller reports how it went."""
        if self._failures < self._limit:
            return True
        if now < self._open_until or self._trying:
            return False
        self._trying = True
        return True

    def worked(self) -> None:
        """The department answered."""
        self._failures = 0
        self._trying = False

    def failed(self, now: float) -> None:
        """The department did not answer, or said that it cannot."""
        self._failures += 1
        self._trying = False
        if self._failures >= self._limit:
            self._open_until = now + self._open_for

    def abandoned(self) -> None:
        """The call was cancelled: that says nothing of the department."""
        self._trying = False
