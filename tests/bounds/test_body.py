"""A body is read within its bounds of bytes and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from gateway.bounds.body import read
from gateway.errors import BodyRefused

Receive = Callable[[], Awaitable[dict[str, Any]]]


def request(receive: Receive) -> Request:
    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_a_body_is_bounded_in_time_and_bytes() -> None:
    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": b"whole"}

    assert await read(request(whole), 5) == b"whole"
    for receive, most, within, status in ((drip, 10**6, 0.1, 408), (drip, 5, 60.0, 413), (gone, 5, 60.0, 400)):
        with pytest.raises(BodyRefused) as refused:
            await read(request(receive), most, within)
        assert refused.value.status == status
