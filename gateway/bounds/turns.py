"""Turns: so many at once, and whoever waits is taken key by key, so that one who sends much waits for itself.

Invariants: at most `together` have a turn, at most `each` of them of one key; a free turn is never left while somebody
waits who may have it; of those who wait, each key has the next one in its own turn, those who come `first` before all
others; at most `waiting` wait of one key, and `all_waiting` of all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

from gateway.errors import Crowded

_Queues = OrderedDict[Hashable, "deque[asyncio.Future[None]]"]


class Turns:
    """Of one event loop."""

    def __init__(self, together: int, each: int, waiting: int, all_waiting: int = 1024) -> None:
        self._together, self._each = together, each
        self._waiting, self._all_waiting = waiting, all_waiting
        self._taken: dict[Hashable, int] = {}
        self._first: _Queues = OrderedDict()
        self._others: _Queues = OrderedDict()

    async def take(self, key: Hashable, *, first: bool = False) -> None:
        """Wait for a turn, to be given back by `give`. Raises `Crowded` where too many wait already."""
        if self._free(key):
            self._taken[key] = self._taken.get(key, 0) + 1
            return
        queues = self._first if first else self._others
        queue = queues.setdefault(key, deque())
        if len(queue) >= self._waiting or sum(map(len, queues.values())) >= self._all_waiting:
            if not queue:
                del queues[key]
            raise Crowded("too many wait for a turn")
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                if mine in queue:
                    queue.remove(mine)
                if not queue and queues.get(key) is queue:
                    del queues[key]
            else:  # it came at the same moment
                self.give(key)
            raise

    def give(self, key: Hashable) -> None:
        """Give a turn back; whose it is next gets it."""
        left = self._taken[key] - 1
        if left:
            self._taken[key] = left
        else:
            del self._taken[key]
        for queues in (self._first, self._others):
            for waiting in list(queues):
                if self._free(waiting) and self._granted(queues, waiting):
                    return

    def _free(self, key: Hashable) -> bool:
        return sum(self._taken.values()) < self._together and self._taken.get(key, 0) < self._each

    def _granted(self, queues: _Queues, key: Hashable) -> bool:
        """Give the turn to the next of that key; whether there was one that still waits."""
        queue = queues[key]
        mine = queue.popleft()
        while mine.done() and queue:  # given up, and not yet gone
            mine = queue.popleft()
        queues.move_to_end(key)
        if not queue:
            del queues[key]
        if mine.done():
            return False
        self._taken[key] = self._taken.get(key, 0) + 1
        mine.set_result(None)
        return True
