"""One contract for everything that fills the transport port, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.http.connection import MAX_HEAD
from connectors.http.httpx_transport import HttpxTransport
from connectors.http.pooled_transport import PooledTransport
from connectors.http.transport import Response, Transport, TransportFault, TransportOptions
from tests.connectors.certificates import Authority
from tests.connectors.servers import Request, always, answer, answers_once, drip, hang_up, serve, silent, zeros

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


async def test_sends_what_it_is_given_and_gives_what_came(make: Make) -> None:
    async with serve(always(answer({"a": 1}, 201))) as server, make() as transport:
        got = await transport.send("POST", server.url + "/x?y=%20z", {"x-one": "1"}, b"body", 5.0)
    assert got == Response(201, b'{"a": 1}')
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/x?y=%20z", b"body")
    assert request.headers["x-one"] == "1"


@pytest.mark.parametrize("status", [200, 204, 404, 500])
async def test_gives_any_status_that_is_no_redirect(make: Make, status: int) -> None:
    raw = b"HTTP/1.1 204 X\r\n\r\n" if status == 204 else answer(b"", status)
    async with serve(always(raw)) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(status, b"")


async def test_keeps_connections_and_no_cookies(make: Make) -> None:
    async with serve(always(answer({}, set_cookie="a=b; Path=/"))) as server, make() as transport:
        for _ in range(3):
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
    assert server.most_connections == 1
    assert all("cookie" not in request.headers for request in server.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_follows_no_redirect(make: Make, status: int) -> None:
    async with serve(always(answer({}, 200))) as elsewhere:
        raw = answer({}, status, location=elsewhere.url)
        async with serve(always(raw)) as server, make() as transport:
            assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.REDIRECT
        assert elsewhere.requests == []


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
    assert got == [TransportFault.TIMEOUT] * 3
    assert server.most_connections == 1


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
    assert got == (TransportFault.UNAVAILABLE if extra else Response(200, b"ok"))


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_bound_is_exact(make: Make, extra: int) -> None:
    for raw in (answer(b"x" * (5000 + extra)), answer(gzip.compress(b"x" * (5000 + extra)), content_encoding="gzip")):
        async with serve(always(raw)) as server, make(max_bytes=5000) as transport:
            got = await transport.send("GET", server.url, {}, None, 5.0)
        assert got == (TransportFault.TOO_LARGE if extra else Response(200, b"x" * 5000))


async def test_a_body_that_comes_in_pieces_is_whole(make: Make) -> None:
    async def pieces(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(5):
            writer.write(b"3\r\nabc\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")

    async with serve(pieces) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"abc" * 5)


@pytest.mark.parametrize(
    "handler",
    [
        hang_up,
        always(b"nonsense\r\n\r\n"),
        always(b"HTTP/1.1 200 X\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabc"),
        always(answer(b"not gzip at all", content_encoding="gzip")),
        always(b"HTTP/1.1 200 X\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=["hangs up", "is no HTTP", "is cut short", "is no gzip", "is no chunk"],
)
async def test_a_broken_answer_is_unavailable(make: Make, handler: Any) -> None:
    async def close_after(request: Request, writer: asyncio.StreamWriter) -> None:
        await handler(request, writer)
        await writer.drain()
        writer.close()

    async with serve(close_after) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.UNAVAILABLE


async def test_nobody_there_is_unavailable(make: Make) -> None:
    async with serve(silent) as server:
        url = server.url
    async with make() as transport:
        assert await transport.send("GET", url, {}, None, 5.0) is TransportFault.UNAVAILABLE
        assert await transport.send("GET", "http://no-such-host.invalid", {}, None, 5.0) is TransportFault.UNAVAILABLE


async def test_takes_no_proxy_from_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(always(answer({}, 500))) as proxy, serve(always(answer({}))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        async with make() as transport:
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
        assert proxy.requests == []


async def test_verifies_the_server_and_trusts_the_named_authority(make: Make, tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    async with serve(always(answer({})), ours.server_context()) as server:
        async with make(ca_file=ours.ca_file) as transport:
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
        for options in ({}, {"ca_file": other.ca_file}):
            async with make(**options) as transport:
                assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.UNAVAILABLE
        async with make(ca_file=ours.ca_file) as transport:
            named = server.url.replace("127.0.0.1", "localhost")
            assert await transport.send("GET", named, {}, None, 5.0) is TransportFault.UNAVAILABLE
    assert len(server.requests) == 1


async def test_presents_its_certificate(make: Make, tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    cert_file, key_file = ours.issue("gateway", client=True)
    async with serve(always(answer({})), ours.server_context(clients=ours)) as server:
        async with make(ca_file=ours.ca_file, cert_file=cert_file, key_file=key_file) as transport:
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
        assert server.peer_certificates[-1]["subject"] == ((("commonName", "gateway"),),)
        async with make(ca_file=ours.ca_file) as transport:
            assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.UNAVAILABLE


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    """Two answers to one question: the second must not become the answer to the next one's question."""
    two = answer({"n": 1}) + answer({"n": "of somebody else"})
    async with serve(always(two)) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        for _ in range(3):
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b'{"n": 1}')
        await transport.close()
    assert len(server.requests) == 3
    assert server.opened == 3


async def test_a_request_that_a_kept_connection_loses_is_sent_on_a_new_one() -> None:
    async with serve(answers_once(answer({}))) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        for _ in range(2):
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
        await transport.close()
    assert len(server.requests) == 3
    assert server.opened == 2


@pytest.mark.parametrize("headers", [{"x": "1\r\ny: 2"}, {"x": "1\n"}, {"x\r": "1"}])
async def test_a_header_is_one_line(headers: dict[str, str]) -> None:
    transport = PooledTransport(TransportOptions())
    with pytest.raises(ValueError, match="one line"):
        await transport.send("GET", "http://127.0.0.1:9/", headers, None, 1.0)
