"""The server's short way for inquiries, over real sockets: what it takes, in which order, and how each wait ends."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from gateway.bounds import connections
from gateway.bounds.connections import OPTIONS
from gateway.inquiry.http.endpoint import Answered, GraphQLEndpoint, Headers
from gateway.inquiry.types import Answer
from gateway.serving import direct
from gateway.serving.direct import DirectProtocol
from tests.ports import free_port
from tests.waiting import until_async

LIMIT = 100_000


class Application:
    """Echoes. A body `wait` waits to be released, and notes that it was not sent, where it was not."""

    def __init__(self) -> None:
        self.endpoint = GraphQLEndpoint(
            self._answer,
            lambda quoted, error: self.defects.append(error),
            body_limit=LIMIT,
            body_timeout=3,
            patience=60,
        )
        self.release = asyncio.Event()
        self.asked: list[tuple[str, str, Headers]] = []
        self.unsent = 0
        self.defects: list[BaseException] = []
        self.huge = b""

    async def _answer(self, method: str, headers: Headers, body: bytes) -> Answer:
        if body == b"wait":
            await self.release.wait()
        content = self.huge if body == b"huge" else body
        return Answer(200, {"content-type": "text/plain", "x-said": "a\r\nb: c"}, content, self._not_sent)

    async def _not_sent(self) -> None:
        self.unsent += 1

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(("asgi", scope["client"][0], scope["headers"]))
        if scope["path"] == "/graphql":
            await self.endpoint(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def inquire(self, client: str, headers: Headers, body: bytes, answered: Answered, tls: Any = None) -> None:
        self.asked.append(("direct", client, headers))
        self.endpoint.begin("POST", headers, body, answered)

    @property
    def ways(self) -> list[str]:
        return [way for way, *_ in self.asked]


class Served:
    def __init__(self, port: int, application: Application, server: uvicorn.Server) -> None:
        self.port, self.application, self.server = port, application, server

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def said(self, content: bytes) -> bytes:
        """All that is answered until the connection ends."""
        async with self.connected() as (reader, writer):
            writer.write(content)
            return await asyncio.wait_for(reader.read(), 20)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    port, application = free_port(), Application()
    options = {**OPTIONS, "http": DirectProtocol, "proxy_headers": False}
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="error", lifespan="off", **options))
    task = asyncio.create_task(server.serve())
    await until_async("the server to listen", lambda: server.started)
    yield Served(port, application, server)
    application.release.set()
    server.should_exit = True
    await task


def post(body: bytes, *headers: bytes, version: bytes = b"1.1", path: bytes = b"/graphql") -> bytes:
    lines = [b"POST %b HTTP/%b" % (path, version), b"Host: x", b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


CLOSE = b"Connection: close"
CHUNKED = b"POST /graphql HTTP/1.1\r\nHost: x\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"


def bodies(answers: bytes) -> list[bytes]:
    """The bodies of answers that follow each other; each has a length."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        [length] = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        found.append(rest[:length])
        answers = rest[length:]
    return found


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


def test_heads_are_remembered_within_a_bound() -> None:
    assert direct._head.cache_info().maxsize == 64
