"""Each client's share of the work that takes long: compiling an unseen document, executing what is no inquiry.

It is done in threads beside the event loop, so that whoever is answered from what is known waits for none of it.
Invariants: of one client one piece is done at a time, and clients are taken in turn; a client that spent its share of
CPU time is refused before anything is done for it, until it has some again. What a piece cost is measured, not
guessed: the CPU time of its own thread.
"""

from __future__ import annotations

import asyncio
import datetime
import math
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cachetools import LRUCache

from gateway.bounds.turns import Turns
from gateway.errors import Code, Crowded, Refusal

_T = TypeVar("_T")

THREADS = 2
"""Pieces of work that are done at once in a process, each of another client."""
SHARE = 0.25
"""Seconds of CPU time that a client has anew in each second."""
SAVED = 3.0
"""Seconds of CPU time that a client has at most, where it used none for a while."""
WAITING = 32
"""Pieces of work of one client that may wait."""
_CLIENTS = 4096


class _Account:
    __slots__ = ("at", "cost", "left")

    def __init__(self, left: float, at: float) -> None:
        self.left, self.at, self.cost = left, at, 0.0


class Shares:
    """The threads of one process. `now` gives an aware datetime that never falls."""

    def __init__(self, now: Callable[[], datetime.datetime], share: float = SHARE, saved: float = SAVED) -> None:
        self._now, self._share, self._saved = now, share, saved
        self._turns = Turns(THREADS, 1, WAITING)
        self._accounts: LRUCache[Hashable, _Account] = LRUCache(_CLIENTS)
        self._threads = ThreadPoolExecutor(THREADS, "shares")
        self._under_way: dict[tuple[Hashable, Hashable], asyncio.Future[Any]] = {}

    async def do(self, client: Hashable, work: Callable[[], _T]) -> _T:
        """What `work` gives, in the client's turn. Raises `Refusal` `QUOTA_EXCEEDED` where its share is spent."""
        self._check(self._account(client))
        try:
            await self._turns.take(client)
        except Crowded as error:
            raise self._refusal(f"{WAITING} of your documents wait already", 1.0) from error
        account = self._account(client)
        try:
            self._check(account)
            done = asyncio.get_running_loop().run_in_executor(self._threads, _measured, account, work)
        except BaseException:
            self._turns.give(client)
            raise
        # The turn ends with the work, also where nobody waits for it any more.
        done.add_done_callback(lambda _: self._ended(client, account))
        return await asyncio.shield(done)

    async def once(self, client: Hashable, key: Hashable, work: Callable[[], _T]) -> _T:
        """As `do`; whoever of the client asks for the same `key` meanwhile waits for the same work."""
        under_way = self._under_way.get((client, key))
        if under_way is None:
            under_way = self._under_way[client, key] = asyncio.ensure_future(self.do(client, work))
            under_way.add_done_callback(lambda done: self._done((client, key), done))
        return await asyncio.shield(under_way)

    def _done(self, place: tuple[Hashable, Hashable], done: asyncio.Future[Any]) -> None:
        del self._under_way[place]
        if not done.cancelled():
            done.exception()  # seen, also where nobody waits any more

    def close(self) -> None:
        """Let what is under way end, and begin nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _account(self, client: Hashable) -> _Account:
        now = self._now().timestamp()
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = _Account(self._saved, now)
        account.left = min(self._saved, account.left + (now - account.at) * self._share)
        account.at = now
        return account

    def _check(self, account: _Account) -> None:
        if account.left <= 0:
            needed = -account.left / self._share
            raise self._refusal("your documents used more than their share of the gateway's time", needed)

    def _ended(self, client: Hashable, account: _Account) -> None:
        account.left -= account.cost
        self._turns.give(client)

    def _refusal(self, why: str, needed: float) -> Refusal:
        seconds = max(1, math.ceil(needed))
        resets = (self._now() + datetime.timedelta(seconds=seconds)).replace(microsecond=0)
        return Refusal(
            Code.QUOTA_EXCEEDED,
            f"{why}; send documents that were sent before, with variables, or ask again from {resets.isoformat()}",
            headers={"Retry-After": str(seconds)},
            quota="documents",
            resetsAt=resets.isoformat(),
        )


def _measured(account: _Account, work: Callable[[], _T]) -> _T:
    began = time.thread_time()
    try:
        return work()
    finally:
        account.cost = time.thread_time() - began
