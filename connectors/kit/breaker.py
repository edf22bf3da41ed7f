"""Stops asking a department that keeps failing, so that neither it nor an inquiry waits in vain.

After `failures` failures in a row, or where a `share` of the calls within a `window` failed, nothing is asked for
`open_for` seconds; then one call is let through, and what becomes of it decides. A department that says when to come
back is left alone until then. Retries have a budget: what worked earns them.
"""

from __future__ import annotations

import email.utils
import math
import operator
import time
from collections import deque
from typing import NamedTuple

from connectors.base import Config, Failure, Fault

CROWDED = Failure(Fault.TIMEOUT, True, "as many were asked at once as `limits.concurrency` lets")
"""What became of a call that waited for a free place until its time was over, or until little of it was left."""
SOON = 0.002
"""Seconds before its time is over at which a call stops waiting for a place: later, whoever made it may be gone."""
LONGEST = 300.0
"""Seconds for which a department is left alone at most because it said so."""

_CALLS = 1000
"""Calls of the window that are remembered at most."""
_failed = operator.itemgetter(1)
_RETRIES = 0.1
"""Retries that each call that worked earns."""
_SAVED = 10.0
"""Retries that can be saved up; as many there are at the start."""


def crowded(begun: float, placed: float, end: float) -> bool:
    """Whether a call that was not answered by its end had waited for its place longer than it was under way.

    Then it is not the department that was slow.
    """
    return placed - begun > end - placed


class BreakerLimits(NamedTuple):
    """The `breaker` key of `limits`; times in seconds, `share` in percent."""

    failures: int = 5
    open_for: float = 10.0
    share: int = 50
    window: float = 30.0


def read_breaker(config: Config, timeout: float) -> BreakerLimits:
    """The `breaker` key of `limits`; a call takes `timeout` seconds at most."""
    keys, usual = config.mapping((), BreakerLimits._fields), BreakerLimits()
    window = keys["window"].duration(usual.window)
    if "window" in keys and window < timeout:
        keys["window"].problem(
            "is shorter than a call may take (`limits.timeout`), so that few would count; make it longer"
        )
    return BreakerLimits(
        keys["failures"].integer(1, 1_000_000, usual.failures),
        keys["open_for"].duration(usual.open_for),
        keys["share"].integer(1, 100, usual.share),
        window,
    )


class Breaker:
    """Counts one department's failures. Times are on the event loop's clock, in seconds."""

    failure = Failure(Fault.UNAVAILABLE, True, "breaker open after repeated failures")

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._in_a_row = 0
        self._calls: deque[tuple[float, bool]] = deque(maxlen=_CALLS)
        self._open_until = 0.0
        self._open = self._trying = False
        self.closed_from = 0.0
        """From when on calls are made as ever, which need no trial and change nothing before their end."""
        self._retries = _SAVED

    def admits(self, now: float) -> bool:
        """Whether a call may be made now. After a yes the caller reports how it went."""
        if now < self._open_until or (self._open and self._trying):
            return False
        self._trying = self._open
        return True

    def worked(self, now: float) -> None:
        """The department answered."""
        if self._open:
            if not self._trying:
                return  # a call from before it opened
            self._calls.clear()
            self._open = self._trying = False
            self.closed_from = self._open_until
        self._in_a_row = 0
        if self._retries < _SAVED:
            self._retries = min(_SAVED, self._retries + _RETRIES)
        self._calls.append((now, False))

    def failed(self, now: float) -> None:
        """The department did not answer, or answered that it cannot."""
        self._trying = False
        self._in_a_row += 1
        calls, limits = self._calls, self._limits
        calls.append((now, True))
        while calls[0][0] < now - limits.window:
            calls.popleft()
        # A share of few calls says nothing: twice as many as the failures in a row that open it.
        many = len(calls) >= 2 * limits.failures
        share = many and 100 * sum(map(_failed, calls)) >= limits.share * len(calls)
        if self._open or share or self._in_a_row >= limits.failures:
            self._open = True
            self._open_until = max(self._open_until, now + limits.open_for)
            self.closed_from = math.inf

    def abandoned(self, now: float, end: float) -> None:
        """The call was cancelled. That is no sign of the department's state, unless its time was over."""
        self._trying = False
        if now >= end - 0.001:  # a timer may fire just before its time
            self.failed(now)

    def unsent(self) -> None:
        """The call got no place, or far too late, and the department is not to blame."""
        self._trying = False

    def come_back(self, now: float, seconds: float) -> None:
        """The department answered that it is not to be asked for so long."""
        self._open_until = max(self._open_until, now + min(seconds, LONGEST))
        if not self._open:
            self.closed_from = self._open_until

    def retries(self) -> bool:
        """Whether there is a retry left to be made; it is spent then."""
        if self._retries < 1:
            return False
        self._retries -= 1
        return True


def retry_after(said: str) -> float:
    """The seconds of a `Retry-After` header, as a number or a date; 0 where it has none (RFC 9110)."""
    said = said.strip()
    if said.isascii() and said.isdigit():
        return float(said[:20])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
