"""A call ends when its time is over, and no more connections are open than are allowed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.http.transport import Response, TransportFault
from tests.connectors.http.transports import Make, make
from tests.connectors.servers import Request, answer, drip, serve, silent

__all__ = ["make"]


@pytest.mark.parametrize("handler", [silent, drip])
async def test_ends_when_its_time_is_over(make: Make, handler: Any) -> None:
    async with serve(handler) as server, make() as transport:
        async with asyncio.timeout(20):
            assert await transport.send("GET", server.url, {}, None, 0.3) is TransportFault.TIMEOUT
            assert await transport.send("GET", server.url, {}, None, 0.0) is TransportFault.TIMEOUT
    assert len(server.requests) == 1


@pytest.mark.parametrize("handler", [silent, drip])
async def test_its_own_timeout_counts_where_it_is_shorter(make: Make, handler: Any) -> None:
    async with serve(handler) as server, make(timeout=0.3) as transport, asyncio.timeout(20):
        assert await transport.send("GET", server.url, {}, None, 3600.0) is TransportFault.TIMEOUT


async def test_waiting_for_a_connection_counts_too(make: Make) -> None:
    async with serve(silent) as server, make(connections=1, timeout=1.0) as transport, asyncio.timeout(20):
        got = await asyncio.gather(*(transport.send("GET", server.url, {}, None, t) for t in (1.0, 0.2, 0.2)))
    assert got == [TransportFault.TIMEOUT, TransportFault.CROWDED, TransportFault.CROWDED]
    assert server.most_connections == 1


async def test_a_place_that_came_too_late_counts_too(make: Make) -> None:
    async with serve(silent) as server, make(connections=1, timeout=5.0) as transport, asyncio.timeout(20):
        first = transport.send("GET", server.url, {}, None, 0.3)
        got = await asyncio.gather(first, transport.send("GET", server.url, {}, None, 0.5))
    assert got == [TransportFault.TIMEOUT, TransportFault.CROWDED]


async def test_never_has_more_connections_than_allowed(make: Make) -> None:
    async def slowly(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(answer({}))

    async with serve(slowly) as server, make(connections=3) as transport:
        got = await asyncio.gather(*(transport.send("GET", server.url, {}, None, 5.0) for _ in range(20)))
    assert got == [Response(200, b"{}")] * 20
    assert server.most_connections <= 3


async def test_a_cancelled_call_gives_its_connection_back(make: Make) -> None:
    block = True

    async def at_first_silent(request: Request, writer: asyncio.StreamWriter) -> None:
        if block:
            await silent(request, writer)
        writer.write(answer({}))

    async with serve(at_first_silent) as server, make(connections=1) as transport:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await transport.send("GET", server.url, {}, None, 5.0)
        block = False
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
