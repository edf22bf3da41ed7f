"""A body out of the one encoding that a transport asks for: gzip, one member, bounded in bytes.

What is large is unpacked beside the event loop, so that it holds up nobody else. `x-gzip` is the same (RFC 9110,
8.4.1.3); any other encoding was not asked for.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from connectors.http.transport import INLINE, TransportFault

_T = TypeVar("_T")


class _Rests:
    """Between two works the thread rests as long as the first one took.

    What decodes keeps Python's lock while it works. The event loop needs that lock many times in an inquiry, and each
    time would wait for another piece of somebody's large answers.
    """

    def __init__(self) -> None:
        self._again = 0.0

    def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        time.sleep(max(0.0, self._again - time.monotonic()))
        began = time.monotonic()
        try:
            return work(*arguments)
        finally:
            ended = time.monotonic()
            self._again = ended + (ended - began)


class _Turns:
    """One work at a time, and of each owner in turn, so that nobody waits behind another's many."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "dutybound-reading")
        self._rests, self._lock = _Rests(), threading.Lock()
        self._waiting: dict[object, deque[tuple[Future[Any], Callable[[], Any]]]] = {}

    def begin(self, owner: object, work: Callable[[], _T]) -> Future[_T]:
        """Have it done, in its owner's turn."""
        future: Future[_T] = Future()
        with self._lock:
            self._waiting.setdefault(owner, deque()).append((future, work))
        self._thread.submit(self._next)
        return future

    def _next(self) -> None:
        with self._lock:
            owner = next(iter(self._waiting))
            own = self._waiting.pop(owner)
            future, work = own.popleft()
            if own:
                self._waiting[owner] = own  # behind all others
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._rests.run(work))
        except BaseException as error:
            future.set_exception(error)


_turns = _Turns()


def beside(owner: object, work: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
    """Unpack or decode what is large in a thread, one at a time, and in none of those that entries wait for.

    `owner` is whose it is: each department's caller or transport has its turn, however much another one's answers hold.
    """
    return asyncio.wrap_future(_turns.begin(owner, functools.partial(work, *arguments)))


_GZIP = (b"gzip", b"x-gzip")


async def unpacked(owner: object, coding: bytes, body: bytes, limit: int, asked: bool) -> bytes | TransportFault:
    """The body, at most `limit` bytes of it; `asked` is whether gzip was asked for, `owner` as in `beside`."""
    if coding in (b"", b"identity") or not body:
        return body
    if coding not in _GZIP or not asked:
        return TransportFault.INVALID
    inflater = zlib.decompressobj(wbits=31)
    try:
        if len(body) > INLINE:
            plain = await beside(owner, inflater.decompress, body, limit + 1)
        else:
            plain = inflater.decompress(body, min(limit, INLINE) + 1)
        if not inflater.eof and INLINE < len(plain) <= limit:
            rest = limit + 1 - len(plain)
            plain += await beside(owner, inflater.decompress, inflater.unconsumed_tail, rest)
    except zlib.error:
        return TransportFault.INVALID
    if len(plain) > limit:
        return TransportFault.TOO_LARGE
    # Whatever follows the first member, or one without an end: the body came whole, so no other try mends it.
    return plain if inflater.eof and not inflater.unused_data else TransportFault.INVALID
