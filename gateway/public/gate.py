"""Whose turn it is at what needs no token: so many per second in all, and fewer of one address.

Both are looked at before anything is done for a request. An address is remembered as a digest under a key that is made
anew each day and never leaves memory: nobody can say later who looked at what. It is written nowhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

from cachetools import LRUCache

from gateway.bounds.address import share_of

EACH = 1.0
"""Requests per second of one address, and of IPv6 of one network of 64 bits."""
AT_ONCE = 10.0
"""So many of them may come at once."""
TOGETHER = 32
"""Requests that are answered at once."""
_ADDRESSES = 65_536
_DAY = 86_400.0


class _Left(NamedTuple):
    """How many requests were left to somebody at a moment."""

    many: float
    at: float


class Gate:
    """Of one process. `ticks` is a monotonic clock, in seconds."""

    def __init__(self, per_second: float, ticks: Callable[[], float], together: int = TOGETHER) -> None:
        self._rate, self._ticks, self._together = per_second, ticks, together
        self._saved = max(1.0, per_second)
        self._all = _Left(self._saved, ticks())
        self._addresses: LRUCache[bytes, _Left] = LRUCache(_ADDRESSES)
        self._key, self._since = os.urandom(32), ticks()
        self.busy = 0
        """How many are answered now."""

    def wait(self, address: str) -> float:
        """Take a turn: 0 where it is this address's, otherwise after how many seconds it may ask again."""
        now = self._ticks()
        if now - self._since >= _DAY:
            self._key, self._since = os.urandom(32), now
            self._addresses.clear()
        who = hashlib.blake2b(share_of(address).encode(), key=self._key, digest_size=16).digest()
        own, each = _now(self._addresses.get(who), now, EACH, AT_ONCE), EACH
        if own.many < 1:
            self._addresses[who] = own
            return (1 - own.many) / each
        everybody = _now(self._all, now, self._rate, self._saved)
        if everybody.many < 1 or self.busy >= self._together:
            self._all = everybody
            return max((1 - everybody.many) / self._rate, 1.0)
        self._addresses[who] = own._replace(many=own.many - 1)
        self._all = everybody._replace(many=everybody.many - 1)
        return 0.0


def _now(left: _Left | None, now: float, rate: float, most: float) -> _Left:
    return _Left(most, now) if left is None else _Left(min(most, left.many + (now - left.at) * rate), now)
