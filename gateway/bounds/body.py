"""A request's body, bounded in bytes and in time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from gateway.errors import BodyRefused

WITHIN = 10.0
"""Seconds that a body may take."""


async def read(request: Request, most: int, within: float = WITHIN) -> bytes:
    """The whole body; raises `BodyRefused` where it is longer than `most` bytes, too slow or cut short."""
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise BodyRefused(413, f"the body is longer than {most} bytes")
    except TimeoutError as error:
        raise BodyRefused(408, f"the body did not come within {within:g} seconds") from error
    except ClientDisconnect as error:
        raise BodyRefused(400, "the body ended before it was whole") from error
    return bytes(body)
