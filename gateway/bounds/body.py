"""A request's body, bounded in bytes and in time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

WITHIN = 10.0
"""Seconds that a body may take."""


class BodyRefused(Exception):
    """Not read; the status and the words that say why."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told


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
