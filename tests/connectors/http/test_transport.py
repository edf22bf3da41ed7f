"""One contract for everything that fills the transport port, over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connectors.http.transport import Response, TransportFault
from tests.connectors.certificates import Authority
from tests.connectors.http.transports import Make, make
from tests.connectors.servers import Request, always, answer, serve, silent

__all__ = ["make"]


async def test_sends_what_it_is_given_and_gives_what_came(make: Make) -> None:
    async with serve(always(answer({"a": 1}, 201))) as server, make() as transport:
        got = await transport.send("POST", server.url + "/x?y=%20z", {"x-one": "1"}, b"body", 5.0)
    assert got == Response(201, b'{"a": 1}')
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/x?y=%20z", b"body")
    assert request.headers["x-one"] == "1"


async def test_shows_the_headers_that_it_is_asked_for_each_as_often_as_it_came(make: Make) -> None:
    head = b"x-a: 0\r\nX-B:  1 \r\nx-c: 2\r\nx-b: \xe9\r\nx-a: 3\r\ncontent-length: 2\r\n\r\n"
    raw = b"HTTP/1.1 103 X\r\nx-b: early\r\n\r\nHTTP/1.1 200 X\r\n" + head + b"{}"
    async with serve(always(raw)) as server, make(shown=frozenset({"x-a", "x-b"})) as transport:
        got = await transport.send("GET", server.url, {}, None, 5.0)
    assert isinstance(got, Response)
    assert got.headers == (("x-a", "0"), ("x-b", "1"), ("x-b", "\u00e9"), ("x-a", "3"))


@pytest.mark.parametrize("status", [200, 204, 404, 500])
async def test_gives_any_status_that_is_no_redirect(make: Make, status: int) -> None:
    raw = b"HTTP/1.1 204 X\r\n\r\n" if status == 204 else answer(b"", status)
    async with serve(always(raw)) as server, make() as transport:
        assert await transport.send("GET", server.url, {}, None, 5.0) == Response(status, b"")


async def test_keeps_no_cookies(make: Make) -> None:
    async with serve(always(answer({}, set_cookie="a=b; Path=/"))) as server, make() as transport:
        for _ in range(3):
            assert await transport.send("GET", server.url, {}, None, 5.0) == Response(200, b"{}")
    assert all("cookie" not in request.headers for request in server.requests)


async def test_without_a_lane_a_connection_carries_one_question(make: Make) -> None:
    async with serve(always(answer({}))) as server, make() as transport:
        for _ in range(3):
            got = await transport.send("GET", server.url, {}, None, 5.0)
            assert got == Response(200, b"{}")
    assert server.opened == 3
    assert {request.headers["connection"] for request in server.requests} == {"close"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_follows_no_redirect(make: Make, status: int) -> None:
    async with serve(always(answer({}, 200))) as elsewhere:
        raw = answer({}, status, location=elsewhere.url)
        async with serve(always(raw)) as server, make() as transport:
            assert await transport.send("GET", server.url, {}, None, 5.0) is TransportFault.REDIRECT
        assert elsewhere.requests == []


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
