"""A body out of the one encoding that a transport asks for: gzip, one member, bounded in bytes.

What is large is unpacked beside the event loop, so that it holds up nobody else. `x-gzip` is the same (RFC 9110,
8.4.1.3); any other encoding was not asked for.
"""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor

from connectors.http.transport import INLINE, TransportFault

BESIDE = ThreadPoolExecutor(2, "dutybound-reading")
"""Where large answers are unpacked and decoded: few threads, and none of those that entries wait for."""

_GZIP = (b"gzip", b"x-gzip")


async def unpacked(coding: bytes, body: bytes, limit: int, asked: bool) -> bytes | TransportFault:
    """The body, at most `limit` bytes of it; `asked` says whether gzip was asked for."""
    if coding in (b"", b"identity") or not body:
        return body
    if coding not in _GZIP or not asked:
        return TransportFault.INVALID
    inflater = zlib.decompressobj(wbits=31)
    loop = asyncio.get_running_loop()
    try:
        if len(body) > INLINE:
            plain = await loop.run_in_executor(BESIDE, inflater.decompress, body, limit + 1)
        else:
            plain = inflater.decompress(body, min(limit, INLINE) + 1)
        if not inflater.eof and INLINE < len(plain) <= limit:
            rest = limit + 1 - len(plain)
            plain += await loop.run_in_executor(BESIDE, inflater.decompress, inflater.unconsumed_tail, rest)
    except zlib.error:
        return TransportFault.INVALID
    if len(plain) > limit:
        return TransportFault.TOO_LARGE
    # Whatever follows the first member, or one without an end: the body came whole, so no other try mends it.
    return plain if inflater.eof and not inflater.unused_data else TransportFault.INVALID
