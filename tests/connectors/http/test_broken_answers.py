"""Answers that are broken, damaged, or that HTTP does not allow."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from connectors.http.transport import FAILURES, Response, TransportFault
from tests.connectors.http.transports import Make, make
from tests.connectors.servers import CHUNKED, Request, always, answer, hang_up, serve

__all__ = ["make"]


@pytest.mark.parametrize(
    "handler",
    [
        hang_up,
        always(b"nonsense\r\n\r\n"),
        always(b"HTTP/1.1 200 X\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabc"),
        always(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc"),
    ],
    ids=["hangs up", "is no HTTP", "is cut short", "is cut short in a chunk"],
)
async def test_a_broken_answer_is_unavailable(make: Make, handler: Any) -> None:
    async def close_after(request: Request, writer: asyncio.StreamWriter) -> None:
        await handler(request, writer)
        await writer.drain()
        writer.close()

    async with serve(close_after) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.UNAVAILABLE


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{}",
        b"HTTP/1.1 101 X\r\n\r\n{}",
        b"HTTP/1.1 000 X\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 099 X\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 X\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 X\r\ncontent-length: 2, 2\r\n\r\n{}",
        b"HTTP/1.1 200 X\r\ncontent-length: -2\r\n\r\n{}",
        b"HTTP/2.0 200 X\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 X\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        answer(zlib.compress(b"{}"), content_encoding="deflate"),
        answer(b"{}", content_encoding="br"),
        answer(gzip.compress(gzip.compress(b"{}")), content_encoding="gzip, gzip"),
        answer(gzip.compress(b"{}") + gzip.compress(b"[]"), content_encoding="gzip"),
        answer(gzip.compress(b"{}") + b"more", content_encoding="x-gzip"),
        b"HTTP/1.1 200 X\r\ncontent-encoding: br\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
async def test_what_http_does_not_allow_or_nobody_asked_for_is_invalid_at_once(
    make: Make, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(always(raw)) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.INVALID
    assert not FAILURES[TransportFault.INVALID].retryable
    assert caplog.records == []


PACKED = gzip.compress(b"{}" * 50)
DAMAGED = {
    "a wrong sum": answer(PACKED[:-8] + bytes(8), content_encoding="gzip"),
    "a wrong byte": answer(PACKED[:12] + b"\xff" + PACKED[13:], content_encoding="gzip"),
    "no end": answer(PACKED[:-1], content_encoding="gzip"),
    "no gzip": answer(b"{}", content_encoding="gzip"),
    "no chunk's length": CHUNKED + b"zz\r\n",
    "a length with 0x": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a negative length": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a longer chunk": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", DAMAGED)
async def test_an_answer_that_came_whole_and_is_damaged_is_invalid(make: Make, what: str) -> None:
    """It is one subject's: asked again it would be the same, and it says nothing of the department's others."""
    async with serve(always(DAMAGED[what])) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.INVALID


async def test_x_gzip_is_gzip(make: Make) -> None:
    async with serve(always(answer(gzip.compress(b"{}"), content_encoding="x-gzip"))) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")


async def test_gzip_that_was_not_asked_for_is_invalid(make: Make) -> None:
    raw = answer(gzip.compress(b"{}"), content_encoding="gzip")
    async with serve(always(raw)) as server, make(gzip=False) as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.INVALID
    assert server.requests[0].headers["accept-encoding"] == "identity"
