"""Inquiries that are under way together take their steps abreast: each of them one step, before any of them the next.

A step costs less right after the same step of another inquiry, while the processor's caches hold its code. So where a
crowd is under way, an inquiry gives its turn to all others that are ready, before steps 2 and 6. Later it has records,
which would leave the caches meanwhile. Whoever waits for a department does as much, so nothing else becomes of it.
"""

from __future__ import annotations

import types
from collections.abc import Generator
from typing import Protocol

CROWD = 8
"""So many that are under way are a crowd: for a few, a turn of the event loop costs more than it saves."""


class Busy(Protocol):
    """What knows how many inquiries are under way in this process."""

    @property
    def busy(self) -> int: ...


class _Alone:
    busy = 0


ALONE = _Alone()
"""Nothing is known of others."""


@types.coroutine
def abreast(crowd: Busy) -> Generator[None]:
    """Where a crowd is under way, go on after all others that are ready now."""
    if crowd.busy >= CROWD:
        yield
