"""Connections at uvicorn: their number, their silence and their heads are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from gateway.bounds import connections as module
from gateway.bounds.connections import OPTIONS
from tests.ports import free_port
from tests.waiting import until_async

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    number = free_port()
    config = uvicorn.Config(application, port=number, log_level="warning", lifespan="off", **OPTIONS)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until_async("the server to listen", lambda: server.started)
    yield number
    server.should_exit = True
    await task


async def said(port: int, content: bytes) -> bytes:
    """All that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


async def test_a_head_is_bounded(port: int) -> None:
    end = b"Connection: close\r\nContent-Length: 2\r\n\r\nhi"
    assert (await said(port, HEAD + b"A: b\r\n" * (module.HEADERS - 3) + end)).startswith(b"HTTP/1.1 200 OK")
    for head in (b"A: b\r\n" * (module.HEADERS + 1), b"A: " + b"b" * module.HEAD + b"\r\n"):
        got = await said(port, HEAD + head + end)
        assert got.startswith(b"HTTP/1.1 431") or got == b"reset"


async def test_a_body_is_no_part_of_the_head_and_connections_are_kept(port: int) -> None:
    body = b"x" * (2 * module.HEAD)
    one = HEAD + b"Content-Length: %d\r\n" % len(body)
    got = await said(port, one + b"\r\n" + body + one + b"Connection: close\r\n\r\n" + body)
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert got.count(b"x" * len(body)) == 2


async def test_connections_are_bounded_and_the_silent_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.BoundedProtocol, "each", 3)
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await until_async("all to be taken", lambda: module._open.total() == 3)
    assert await said(port, HEAD) in (b"", b"reset")
    for _, writer in silent:
        writer.close()
    await until_async("all to be gone", lambda: not module._open)
    monkeypatch.setattr(module, "SILENT", 0.05)
    for content in (b"", HEAD):
        assert await said(port, content) in (b"", b"reset")
    assert not module._open


async def test_an_offer_to_upgrade_is_not_taken(port: int) -> None:
    """As Java's client makes it of each first request."""
    offer = (
        b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    )
    for body in (b"Content-Length: 4\r\n\r\njava", b"Transfer-Encoding: chunked\r\n\r\n4\r\njava\r\n0\r\n\r\n"):
        got = await said(port, HEAD + offer + body)
        assert got.startswith(b"HTTP/1.1 200 OK")
        assert got.endswith(b"\r\n\r\njava")
    assert (await said(port, b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n")).startswith(b"HTTP/1.1 400")
