"""A body out of the one encoding that a transport asks for: gzip, one member, bounded in bytes.

What is large is unpacked beside the event loop, so that it holds up nobody else. `x-gzip` is the same (RFC 9110,
8.4.1.3); any other encoding was not asked for.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from connectors.http.transport import INLINE, TransportFault

_BESIDE = ThreadPoolExecutor(1, "dutybound-reading")
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


_rests = _Rests()


def beside(work: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
    """Unpack or decode what is large in a thread, one at a time, and in none of those that entries wait for."""
    return asyncio.get_running_loop().run_in_executor(_BESIDE, _rests.run, work, *arguments)


_GZIP = (b"gzip", b"x-gzip")


async def unpacked(coding: bytes, body: bytes, limit: int, asked: bool) -> bytes | TransportFault:
    """The body, at most `limit` bytes of it; `asked` is whether gzip was asked for."""
    if coding in (b"", b"identity") or not body:
        return body
    if coding not in _GZIP or not asked:
        return TransportFault.INVALID
    inflater = zlib.decompressobj(wbits=31)
    try:
        if len(body) > INLINE:
            plain = await beside(inflater.decompress, body, limit + 1)
        else:
            plain = inflater.decompress(body, min(limit, INLINE) + 1)
        if not inflater.eof and INLINE < len(plain) <= limit:
            rest = limit + 1 - len(plain)
            plain += await beside(inflater.decompress, inflater.unconsumed_tail, rest)
    except zlib.error:
        return TransportFault.INVALID
    if len(plain) > limit:
        return TransportFault.TOO_LARGE
    # Whatever follows the first member, or one without an end: the body came whole, so no other try mends it.
    return plain if inflater.eof and not inflater.unused_data else TransportFault.INVALID
