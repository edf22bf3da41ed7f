"""A head that is late, a body that may not come, and clients that take no answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any

import pytest

from gateway.bounds import connections
from tests.serving.echo import CHUNKED, CLOSE, LIMIT, Served, bodies, post, served
from tests.waiting import until_async

__all__ = ["served"]


async def test_a_slow_head_behind_an_inquiry_costs_it_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT", 0.2)
    async with served.connected() as (reader, writer):
        writer.write(post(b"wait") + b"GET / HT")
        await asyncio.sleep(0.6)
        served.application.release.set()
        assert bodies(await asyncio.wait_for(reader.read(), 20)) == [b"wait"]


async def test_requests_sent_ahead_are_bounded(served: Served) -> None:
    async with served.connected() as (reader, writer):
        writer.write(post(b"wait") + post(b"more") * 500)
        await until_async("the first to be asked", lambda: len(served.application.asked) == 1)
        served.application.release.set()
        assert bodies(await asyncio.wait_for(reader.read(), 20)) == [b"wait", *[b"more"] * connections.AHEAD]


@pytest.mark.parametrize("content", [post(b"wait", path=b"/graphql?x"), CHUNKED.replace(b"four", b"wait") % b"A: b"])
async def test_an_answer_by_asgi_that_nobody_waits_for_is_reported_too(served: Served, content: bytes) -> None:
    async with served.connected() as (_, writer):
        writer.write(content)
        await until_async("it to be asked", lambda: len(served.application.asked) == 1)
    await until_async("the connection to end", lambda: not served.server.server_state.connections)
    served.application.release.set()
    await until_async("the report", lambda: served.application.unsent == 1)


async def test_a_body_that_may_never_come_ends_the_connection(served: Served) -> None:
    expects = post(b"x" * 10, b"Expect: 100-continue", path=b"/else").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    got = await served.said(expects + post(b"next"))
    assert got.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in got
    assert bodies(got) == [b""]


async def test_a_head_that_was_not_read_is_not_late(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT", 0.2)
    async with served.connected() as (reader, writer):
        writer.write(post(b"wait") + post(b"two") + b"POST /gra")
        await until_async("the first to be asked", lambda: len(served.application.asked) == 1)
        writer.write(post(b"three", CLOSE)[9:])
        await asyncio.sleep(0.6)
        served.application.release.set()
        assert bodies(await asyncio.wait_for(reader.read(), 20)) == [b"wait", b"two", b"three"]


async def test_a_body_that_is_refused_early_is_no_head(served: Served) -> None:
    body = b"x" * (3 * LIMIT)
    assert len(bodies(await served.said(post(body) + post(b"after", CLOSE)))) == 2


def over(protocol: Any) -> None:
    """The time for a head is over."""
    protocol._timer.cancel()
    protocol._due = 0.0
    protocol._look()


def begun(protocol: Any) -> bool:
    """Whether the first line of a head was read."""
    return bool(getattr(protocol, "url", b"")) and not protocol._between


async def test_a_kept_connection_has_its_time_for_a_head_again(served: Served) -> None:
    async with served.connected() as (reader, writer):
        ends = [0.0]
        for _ in range(3):
            writer.write(post(b"x"))
            await reader.readuntil(b"\r\n\r\nx")
            [protocol] = served.server.server_state.connections
            ends.append(protocol._due)  # type: ignore[union-attr]
        writer.write(b"POST /graphql HTTP/1.1\r\n")  # one that begins has all of its time
        await until_async("a head to begin", lambda: not protocol._between)  # type: ignore[union-attr]
        ends.append(protocol._due)  # type: ignore[union-attr]
        assert ends == sorted(set(ends))
        writer.write(post(b"y").partition(b"\r\n")[2])
        await reader.readuntil(b"\r\n\r\ny")
        over(protocol)
        assert await asyncio.wait_for(reader.read(), 20) == b""
    await until_async("all to be gone", lambda: not connections._open)


async def test_a_head_that_is_not_whole_in_time_ends_its_connection(served: Served) -> None:
    for before in (b"", post(b"x")):
        async with served.connected() as (reader, writer):
            if before:
                writer.write(before)
                await reader.readuntil(b"\r\n\r\nx")
            writer.write(b"POST /graphql HTTP/1.1\r\n")
            await until_async("it to be read", lambda: served.server.server_state.connections)
            [protocol] = served.server.server_state.connections
            await until_async("a head to begin", functools.partial(begun, protocol))
            over(protocol)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 20) == b""
        await until_async("it to be gone", lambda: not connections._open)


async def test_who_takes_no_answers_is_asked_for_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.application.huge = b"h" * 20_000_000
    async with served.connected() as (reader, writer):
        for _ in range(3):
            writer.write(post(b"huge"))
        await until_async("one to be asked", lambda: len(served.application.asked) >= 1)
        await asyncio.sleep(0.2)
        assert len(served.application.asked) <= 2
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(20_000_000)
    assert len(served.application.asked) == 3
    monkeypatch.setattr(connections, "SILENT", 0.2)
    monkeypatch.setattr(connections, "UNTAKEN", 0.4)
    for content in (post(b"huge"), post(b"huge", CLOSE), post(b"huge") * 3, CHUNKED.replace(b"four", b"huge") % CLOSE):
        async with served.connected() as (_, writer):
            writer.write(content)
            await until_async("it to be taken", lambda: connections._open)
            await until_async("the connection to end", lambda: not connections._open)


async def test_a_server_that_stops_answers_what_it_has(served: Served) -> None:
    async with served.connected() as (reader, writer), served.connected() as (idle, _):
        writer.write(post(b"wait"))
        await until_async("it to be asked", lambda: len(served.application.asked) == 1)
        served.server.should_exit = True
        assert await asyncio.wait_for(idle.read(), 20) == b""
        served.application.release.set()
        got = await asyncio.wait_for(reader.read(), 20)
        assert bodies(got) == [b"wait"]
        assert b"connection: close" in got
