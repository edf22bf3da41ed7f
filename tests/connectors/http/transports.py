"""Both transports, and how the tests of them keep a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.http.httpx_transport import HttpxTransport
from connectors.http.pooled_transport import PooledTransport
from connectors.http.transport import Response, Transport, TransportOptions

Make = Callable[..., Any]


@pytest.fixture(params=[PooledTransport, HttpxTransport])
def make(request: pytest.FixtureRequest) -> Make:
    @asynccontextmanager
    async def made(**options: Any) -> AsyncIterator[Transport]:
        transport = request.param(TransportOptions(**{"timeout": 5.0, **options}))
        try:
            yield transport
        finally:
            await transport.close()

    return made


async def settled(transport: Transport, url: str, lane: object, keep: bool = True, fresh: bool = False) -> bool:
    """Ask in a lane and settle the connection; whether it had been used before."""
    got = await transport.send("GET", url, {}, None, 5.0, lane, fresh)
    assert isinstance(got, Response)
    assert got.lease is not None
    reused = got.lease.reused
    assert got.lease.settle(keep)
    return reused
