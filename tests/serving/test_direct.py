"""The server's short way for inquiries, over real sockets: what it takes, in which order, and how each wait ends."""

from __future__ import annotations

import asyncio

import pytest

from gateway.bounds import connections
from gateway.serving import direct
from tests.serving.echo import CHUNKED, CLOSE, LIMIT, Served, bodies, post, served
from tests.waiting import until_async

__all__ = ["served"]


async def test_an_inquiry_goes_the_short_way_and_its_connection_is_kept(served: Served) -> None:
    got = await served.said(post(b"one") + post(b"", CLOSE))
    assert bodies(got) == [b"one", b""]
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    for line in (
        b"date: ",
        b"content-type: text/plain",
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
    ):
        assert line in got.partition(b"\r\n\r\n")[0]
    async with served.connected() as (reader, writer):
        for each in (b"a", b"b", b"c"):
            writer.write(post(each))
            assert (await reader.readuntil(b"\r\n\r\n")).count(b"connection") == 0
            assert await reader.readexactly(1) == each
    assert served.application.ways[-3:] == ["direct"] * 3
    assert served.application.asked[-1][1] == "127.0.0.1"
    assert (b"content-length", b"1") in served.application.asked[-1][2]


async def test_a_header_of_an_answer_is_one_line(served: Served) -> None:
    head = (await served.said(post(b"x", CLOSE))).partition(b"\r\n\r\n")[0]
    assert b"x-said: a  b: c" in head.split(b"\r\n")


@pytest.mark.parametrize(
    "content",
    [
        post(b"hi", CLOSE, path=b"/graphql?a=b"),
        post(b"hi", CLOSE, b"Expect: 100-continue"),
        post(b"hi", CLOSE, path=b"http://x/graphql"),
        CHUNKED % CLOSE,
        post(b"x" * (LIMIT + 1), CLOSE),
        b"PUT" + post(b"hi", CLOSE)[4:],
        post(b"hi", CLOSE, path=b"/else"),
    ],
)
async def test_whatever_else_comes_goes_by_asgi(served: Served, content: bytes) -> None:
    got = await served.said(content)
    assert served.application.ways == ["asgi"]
    assert got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404", b"HTTP/1.1 413", b"HTTP/1.1 100"))


async def test_one_of_http_1_0_is_answered_and_its_connection_ended(served: Served) -> None:
    got = await served.said(post(b"old", version=b"1.0"))
    assert bodies(got) == [b"old"]
    assert b"connection: close" in got


async def test_an_offer_to_upgrade_is_not_taken(served: Served) -> None:
    """As Java's client makes it of each first request."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk")
    got = await served.said(post(b"java", *offer) + post(b"again", CLOSE))
    assert bodies(got) == [b"java", b"again"]


async def test_requests_sent_ahead_are_answered_one_after_the_other(served: Served) -> None:
    ahead = [b"wait", b"two", b"three"]
    async with served.connected() as (reader, writer):
        writer.write(b"".join(map(post, ahead)) + CHUNKED % b"A: b")
        await until_async("the first to be asked", lambda: served.application.ways == ["direct"])
        writer.write(post(b"five", CLOSE))
        served.application.release.set()
        assert bodies(await asyncio.wait_for(reader.read(), 20)) == [*ahead, b"four", b"five"]


async def test_a_body_in_pieces_is_put_together_and_a_slow_one_given_up(served: Served) -> None:
    body = b"0123456789" * 2000
    async with served.connected() as (reader, writer):
        content = post(body, CLOSE)
        for at in range(0, len(content), 777):
            writer.write(content[at : at + 777])
            await writer.drain()
            await asyncio.sleep(0)
        assert bodies(await reader.read()) == [body]
    got = await served.said(post(b"whole")[:-2])
    assert got.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"did not arrive in time" in got
    assert b"connection: close" in got
    assert served.application.ways == ["direct"]
    assert served.application.endpoint._waits._open == {}


async def test_a_body_cut_short_is_nobodys(served: Served) -> None:
    async with served.connected() as (_, writer):
        writer.write(post(b"whole")[:-2])
        await until_async("it to be read", lambda: len(served.application.endpoint._waits._open) == 1)
    await until_async("it to be forgotten", lambda: not served.application.endpoint._waits._open)
    assert served.application.asked == []


async def test_an_answer_that_nobody_waits_for_is_reported_as_such(served: Served) -> None:
    async with served.connected() as (_, writer):
        writer.write(post(b"wait"))
        await until_async("it to be asked", lambda: len(served.application.asked) == 1)
    await until_async("the connection to end", lambda: not served.server.server_state.connections)
    served.application.release.set()
    await until_async("the report", lambda: served.application.unsent == 1)
    assert served.application.defects == []


async def test_what_is_no_http_ends_the_connection(served: Served) -> None:
    assert (await served.said(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked"
    assert (await served.said(post(b"wait", both))).startswith(b"HTTP/1.1 400")
    assert served.application.asked == []


NONSENSE = {
    "no HTTP": b"nonsense\r\n\r\n",
    "headers": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    "a long header": b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    "two lengths": post(b"wait", b"Content-Length: 4\r\nTransfer-Encoding: chunked"),
    "connect": b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("first", [post(b"wait"), CHUNKED.replace(b"four", b"wait") % b"A: b"], ids=["direct", "asgi"])
async def test_what_is_under_way_is_answered_before_nonsense_ends_the_connection(
    served: Served, first: bytes, nonsense: bytes
) -> None:
    async with served.connected() as (reader, writer):
        writer.write(first + post(b"two") + nonsense + post(b"never"))
        await until_async("the first to be asked", lambda: len(served.application.asked) == 1)
        served.application.release.set()
        assert bodies(await asyncio.wait_for(reader.read(), 20)) == [b"wait", b"two"]
    assert len(served.application.asked) == 2
    assert served.application.unsent == 0


async def test_offers_to_upgrade_in_a_row_are_read_on(served: Served) -> None:
    offer = b"GET /else HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"
    got = await served.said(post(b"one") + offer * 5 + post(b"two", CLOSE))
    assert bodies(got) == [b"one", *[b""] * 5, b"two"]
    assert len(bodies(await served.said(offer * 400))) == connections.AHEAD + 1


async def test_a_trailer_is_no_header(served: Served) -> None:
    content = CHUNKED.replace(b"0\r\n\r\n", b"0\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n") % CLOSE
    head, _, rest = content.partition(b"\r\n\r\n")
    async with served.connected() as (reader, writer):
        for piece in (head + b"\r\n\r\n", rest):
            writer.write(piece)
            await asyncio.sleep(0.05)
        assert bodies(await reader.read()) == [b"four"]
    [(_, _, headers)] = served.application.asked
    assert {name for name, _ in headers} == {b"host", b"connection", b"transfer-encoding"}
    many = CHUNKED.replace(b"0\r\n\r\n", b"0\r\n" + b"A: " + b"b" * 70_000 + b"\r\n\r\n") % CLOSE
    assert (await served.said(many)).startswith(b"HTTP/1.1 431")


def test_heads_are_remembered_within_a_bound() -> None:
    assert direct._head.cache_info().maxsize == 64
