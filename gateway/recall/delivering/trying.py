"""Work that is taken and tried, each piece in a task of its own: what deliveries and alerts have in common.

What is taken is leased (`gateway.storage.recall.work`), so a process that ends with tries under way leaves them to
whoever comes next.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from gateway.acts.office import Office
from gateway.storage.recall import work as queue
from gateway.storage.recall.recalls import Work
from gateway.storage.tables import micros
from gateway.web.messages.sending import Sender, Tried

LEASE = 60.0
"""Seconds that a try may take; then another may have its work."""
_MICRO = 1_000_000


def spread() -> float:
    """A factor near 1, so that not all is tried again at once."""
    return random.uniform(0.9, 1.1)  # noqa: S311 - no secret


class Trying:
    """Tries under way, at most `together` at once, in one process and event loop."""

    def __init__(self, office: Office, sender: Sender, together: int) -> None:
        self.send = sender.send
        self._office, self._sender, self._together = office, sender, together
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """How many more may be begun."""
        return self._together - len(self._tasks)

    async def begin(self, lane: str, most: int, one: Callable[[Work], Awaitable[None]]) -> int:
        """Take what is due of a lane, at most so much, and begin to try each; how much. Raises SQLAlchemy's errors."""
        now = micros(self._office.now())
        engine = self._office.store.engine
        taken = await asyncio.to_thread(queue.take, engine, lane, now, now + round(LEASE * _MICRO), most)
        for each in taken:
            task = asyncio.ensure_future(one(each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(taken)

    async def again(self, work: Work, tried: Tried, waits: Sequence[float]) -> None:
        """Put work off: longer after each try, as `waits` has it, and as long as its receiver wants."""
        wait = waits[min(work.attempt, len(waits)) - 1] * spread()
        due = micros(self._office.now()) + round(max(wait, tried.after) * _MICRO)
        await asyncio.to_thread(queue.put_off, self._office.store.engine, work, due)

    async def finish(self, work: Work) -> None:
        """End work of which nobody is to be notified any more."""
        await asyncio.to_thread(queue.finish, self._office.store.engine, work)

    async def settled(self) -> None:
        """Wait until every try that is under way is over."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give up what is under way: its leases run out, and the next process continues."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.close()
