"""What is too large, too long or without end is given up at its bound."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from typing import Any

import h11
import pytest

from connectors.http import unpacking
from connectors.http.connection import MAX_HEAD
from connectors.http.httpx_transport import HttpxTransport
from connectors.http.pooled_transport import PooledTransport
from connectors.http.transport import MAX_LINES, Response, TransportFault, TransportOptions
from tests.connectors.http.transports import Make, make
from tests.connectors.servers import ENDLESS, always, answer, endlessly, serve, zeros

__all__ = ["make"]


@pytest.mark.parametrize(
    "raw",
    [zeros(10), zeros(10, announced=False), zeros(200, compressed=True)],
    ids=["10 MB announced", "10 MB unannounced", "gzip bomb"],
)
async def test_stops_early_where_the_body_is_too_large(make: Make, raw: bytes) -> None:
    async with serve(always(raw)) as server, make(max_bytes=64 * 1024) as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.TOO_LARGE


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_bound_of_a_head_is_exact(extra: int) -> None:
    rest = b"content-length: 2\r\n\r\n"
    line = b"HTTP/1.1 200 X\r\nx: "
    head = line + b"a" * (MAX_HEAD - len(line) - len(rest) - 2 + extra) + b"\r\n" + rest
    async with serve(always(head + b"ok")) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        got = await transport.send("GET", server.url, {}, None, 5.0)
        await transport.close()
    assert got == (TransportFault.TOO_LARGE if extra else Response(200, b"ok"))


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_bound_is_exact(make: Make, extra: int) -> None:
    for raw in (answer(b"x" * (5000 + extra)), answer(gzip.compress(b"x" * (5000 + extra)), content_encoding="gzip")):
        async with serve(always(raw)) as server, make(max_bytes=5000) as transport:
            got = await transport.send("GET", server.url, {}, None, 5.0)
        assert got == (TransportFault.TOO_LARGE if extra else Response(200, b"x" * 5000))


def framed(*chunks: bytes, trailers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


OWN_BOUND = ("a chunk's length", "a chunk's extension", "one trailer", "trailers", "a status line")


@pytest.mark.parametrize("what", ENDLESS)
async def test_whatever_a_peer_sends_without_end_is_given_up_at_a_bound(make: Make, what: str) -> None:
    """Neither time nor a line's end comes first: the answer itself is too large, however it is made so."""
    async with serve(endlessly(*ENDLESS[what])) as server, make(timeout=60.0, max_bytes=50_000) as transport:
        got = await transport.send("GET", server.url, {}, None, 60.0)
    # A parser's own bound may come first, when it is not known what the bytes were to be; to callers it is the same.
    assert got is TransportFault.TOO_LARGE or (what in OWN_BOUND and got is TransportFault.INVALID)
    assert server.sent == 0


@pytest.mark.parametrize("extra", [0, 1])
async def test_interim_answers_are_lines_too(make: Make, extra: int) -> None:
    """Each costs a parser more than its bytes."""
    raw = b"HTTP/1.1 103 X\r\n\r\n" * (MAX_LINES - 2 + extra) + b"HTTP/1.1 200 X\r\na: b\r\ncontent-length: 2\r\n\r\n{}"
    async with serve(always(raw)) as server, make() as transport:
        got = await transport.send("GET", server.url, {}, None, 5.0)
    assert got == (TransportFault.TOO_LARGE if extra else Response(200, b"{}"))


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_bound_of_chunks_is_exact(make: Make, extra: int) -> None:
    raw = framed(b"1\r\nx\r\n" * (20 + extra))
    async with serve(always(raw)) as server, make(max_chunks=20) as transport:
        got = await transport.send("GET", server.url, {}, None, 5.0)
    assert got == (TransportFault.TOO_LARGE if extra else Response(200, b"x" * 20))


async def test_many_chunks_at_once_are_read_in_turn_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in Python: thousands of them in one go held up everybody for half a second."""
    read, most, over = 0, 0, False
    real = h11.Connection.next_event

    def counted(self: h11.Connection) -> Any:
        nonlocal read
        read += 1
        return real(self)

    async def others() -> None:
        nonlocal read, most
        while not over:
            most, read = max(most, read), 0
            await asyncio.sleep(0)

    monkeypatch.setattr(h11.Connection, "next_event", counted)
    turns = asyncio.create_task(others())
    async with serve(always(framed(b"2\r\nxx\r\n" * 4000))) as server:
        transport = HttpxTransport(TransportOptions(timeout=60.0))
        assert await transport.send("GET", server.url, {}, None, 60.0) == Response(200, b"xx" * 4000)
        await transport.close()
    over = True
    await turns
    assert 0 < most < 50


async def test_trailers_and_extensions_within_bounds_are_passed_over(make: Make) -> None:
    raw = framed(b"1;a=b\r\n{\r\n", b"1\r\n}\r\n", trailers=b"content-encoding: br\r\n")
    async with serve(always(raw)) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")


async def test_what_is_large_is_unpacked_beside_the_loop(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = bytes(300_000)
    threads: list[int] = []
    real = zlib.decompressobj

    class Noted:
        def __init__(self, **given: Any) -> None:
            self._real = real(**given)

        def decompress(self, *given: Any) -> bytes:
            threads.append(threading.get_ident())
            return self._real.decompress(*given)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(unpacking.zlib, "decompressobj", Noted)
    async with serve(always(answer(gzip.compress(plain), content_encoding="gzip"))) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, plain)
    assert len(set(threads)) == 2
