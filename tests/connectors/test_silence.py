"""Connections to a department's database that die in silence: others are tried, threads come back, a stop ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from connectors import sql
from connectors.base import Connector, Failure, Fault
from tests.connectors.asking import ACME, ask, fetch, written
from tests.connectors.silence import Proxy
from tests.connectors.test_sql_rows import SHAPES, Make, config, make
from tests.waiting import until_async

LIMITS = {"timeout": "2s", "concurrency": 4, "breaker": {"failures": 1000}}


__all__ = ["make"]  # a fixture


@pytest.fixture(params=["postgresql", "mariadb"])
async def scene(request: pytest.FixtureRequest, make: Make) -> AsyncIterator[tuple[Proxy, Connector]]:
    place = make(request.param)
    server = place.server
    assert server is not None
    async with Proxy(server.port).serving() as proxy:
        node = written(
            {**config(place), "url": place.url.replace(f":{server.port}/", f":{proxy.port}/"), "limits": LIMITS}
        )
        connector = sql.build(node, SHAPES)
        assert node.problems == []
        assert await together(connector) == [None] * 4
        yield proxy, connector
        await connector.close()
        await until_async("the threads to end", lambda: not threads())


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("database")]


async def one(connector: Connector) -> Fault | None:
    outcome = (await fetch(connector, ask("facts", "text")))[ACME, "facts"]
    return outcome.fault if isinstance(outcome, Failure) else None


async def together(connector: Connector) -> list[Fault | None]:
    """What four at once get, each with a connection of its own."""
    return list(await asyncio.gather(*(one(connector) for _ in range(4))))


async def test_another_connection_is_tried_within_the_same_inquiry(scene: tuple[Proxy, Connector]) -> None:
    proxy, connector = scene
    proxy.silence()
    assert await together(connector) == [None] * 4
    opened = proxy.opened
    assert await together(connector) == [None] * 4
    assert proxy.opened == opened


async def test_it_is_back_as_soon_as_connections_are(scene: tuple[Proxy, Connector]) -> None:
    proxy, connector = scene
    proxy.mute = True
    proxy.silence()
    for _ in range(3):
        assert await together(connector) == [Fault.TIMEOUT] * 4
    assert len(threads()) <= 4
    proxy.mute = False

    async def back() -> bool:
        return await together(connector) == [None] * 4

    await until_async("four answers", back)


async def test_a_stop_ends_what_hangs(scene: tuple[Proxy, Connector]) -> None:
    proxy, connector = scene
    proxy.mute = True
    proxy.silence()
    asked = [asyncio.create_task(one(connector)) for _ in range(8)]
    await asyncio.sleep(0)
    await connector.close()
    await until_async("the threads to end", lambda: not threads())
    assert await asyncio.gather(*asked, return_exceptions=True)
