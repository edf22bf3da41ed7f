"""Which connections the pooled transport keeps, for whom, and when it lets them go."""

from __future__ import annotations

import asyncio
import gc

import pytest

from connectors.http import pooled_transport
from connectors.http.connection import Connection
from connectors.http.pooled_transport import PooledTransport
from connectors.http.transport import Response, TransportFault, TransportOptions
from tests.connectors.http.transports import settled
from tests.connectors.servers import Request, always, answer, answers_once, serve, zeros
from tests.waiting import until_async


async def test_a_connection_is_kept_for_its_lane_where_its_answer_was_found_to_be_the_questions() -> None:
    async with serve(always(answer({}))) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        asked = [("a", True), ("a", True), ("b", True), ("a", False), ("a", True), ("b", True)]
        assert [await settled(transport, server.url, *each) for each in asked] == [
            False,
            True,
            False,
            True,
            False,
            True,
        ]
        assert not await settled(transport, server.url, "b", fresh=True)
        await transport.close()


async def echoing(request: Request, writer: asyncio.StreamWriter) -> None:
    """Repeat the question's header; leave it out, or give another, where the path says so."""
    named = {"/left-out": {}, "/another": {"x_question": "q-1"}}
    writer.write(
        answer({}, x_question=request.headers["x-question"])
        if request.target not in named
        else answer({}, **named[request.target])
    )


async def test_an_echo_of_its_own_question_keeps_a_connection_for_any_other() -> None:
    async with serve(echoing) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0, echo="X-Question"))
        for lane in (None, "a", "b", None):
            got = await transport.send("GET", server.url + "/", {}, None, 5.0, lane)
            assert got == Response(200, b"{}"), "no lease: whose answer it is has been proved"
        await transport.close()
    assert server.opened == 1
    assert len({request.headers["x-question"] for request in server.requests}) == 4


@pytest.mark.parametrize("path", ["/left-out", "/another"])
async def test_an_answer_without_its_questions_echo_is_asked_for_again_and_nothing_follows_it(path: str) -> None:
    async with serve(echoing) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0, echo="X-Question"))
        asked = [(await transport.send("GET", server.url + each, {}, None, 5.0)) for each in ("/", path, path)]
        await transport.close()
    # On a connection of its own an answer needs no echo; one that is another's is wrong there too.
    last = Response(200, b"{}") if path == "/left-out" else TransportFault.INVALID
    assert asked == [Response(200, b"{}"), last, last]
    assert [request.target for request in server.requests] == ["/", path, path, path]
    assert server.opened == 3


@pytest.mark.parametrize("echo", ["", "X-Question"])
async def test_bytes_that_come_while_a_connection_rests_close_it(echo: str) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(answer({}, x_question=request.headers.get("x-question", "")))

    async with serve(handle) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0, echo=echo))
        for _ in range(2):
            got = await transport.send("GET", server.url + "/", {}, None, 5.0, "lane")
            assert isinstance(got, Response)
            assert got.lease is None or got.lease.settle(True)
            assert server.connections == 1
            writers[-1].write(answer({"late": True}))
            await until_async("the connection to be closed", lambda: server.connections == 0)
        await transport.close()
    assert [len(server.requests), server.opened] == [2, 2]


async def test_idle_connections_are_closed_and_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooled_transport, "IDLE", 0.05)
    async with serve(always(answer({}))) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0, connections=3))
        for lane in range(10):
            await settled(transport, server.url, lane)
        await until_async("room to be made", lambda: server.connections <= 3)
        await until_async("idle connections to be closed", lambda: server.connections == 0)
        await transport.close()


async def test_whatever_an_origin_is_written_like_its_connections_are_the_same_and_few() -> None:
    async with serve(always(answer({}))) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        spelled = [f"http://127.0.0.1:{'0' * n}{server.port}{rest}" for n in range(40) for rest in ("/", "", "?n=1/")]
        for url in [*spelled, f"HTTP://127.0.0.1:{server.port}/x", f"http://127.0.0.1:{server.port}"]:
            await settled(transport, url, "lane")
        await transport.close()
    assert server.opened == 1
    assert {request.headers["host"] for request in server.requests} == {f"127.0.0.1:{server.port}"}
    assert {request.target for request in server.requests} == {"/", "/?n=1/", "/x"}


REFUSED = {
    "gzip bomb": zeros(200, compressed=True),
    "too much": zeros(1),
    "too many chunks": b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 9000,
    "no gzip": answer(b"x" * 50_000, content_encoding="gzip"),
    "endless header": b"HTTP/1.1 200 X\r\na: " + b"x" * 100_000,
    "an answer": answer({}),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_nothing_stays_of_a_connection_that_was_closed(what: str) -> None:
    """Not even until the next collection of cycles: a flood of refused answers would fill memory first."""

    def alive() -> int:
        return sum(type(each) is Connection for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        async with serve(always(REFUSED[what])) as server:
            transport = PooledTransport(TransportOptions(timeout=5.0, max_bytes=64 * 1024))
            for _ in range(10):
                await transport.send("GET", server.url, {}, None, 5.0)
            await transport.close()
        await until_async("the connections to be gone", lambda: alive() <= before + 1)
    finally:
        gc.enable()


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    """Two answers to one question: the second must not become the answer to the next one's question."""
    two = answer({"n": 1}) + answer({"n": "of somebody else"})
    async with serve(always(two)) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        for _ in range(3):
            got = await transport.send("GET", server.url, {}, None, 5.0, "lane")
            assert isinstance(got, Response)
            assert got.body == b'{"n": 1}'
            assert got.lease is not None
            got.lease.settle(True)
        await transport.close()
    assert len(server.requests) == 3
    assert server.opened == 3


async def test_two_answers_on_a_connection_that_was_used_before_are_asked_for_again() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        second = server.opened == 1 and len(server.requests) == 2
        writer.write(answer({"n": 1}) + answer({"n": 2}) if second else answer({"n": len(server.requests)}))

    async with serve(handle) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        await settled(transport, server.url, "lane")
        got = await transport.send("GET", server.url, {}, None, 5.0, "lane")
        assert isinstance(got, Response)
        assert got.body == b'{"n": 3}'
        await transport.close()
    assert server.opened == 2


async def test_a_request_that_a_kept_connection_loses_is_sent_on_a_new_one() -> None:
    async with serve(answers_once(answer({}))) as server:
        transport = PooledTransport(TransportOptions(timeout=5.0))
        for _ in range(2):
            assert not await settled(transport, server.url, "lane")
        await transport.close()
    assert len(server.requests) == 3
    assert server.opened == 2


@pytest.mark.parametrize("headers", [{"x": "1\r\ny: 2"}, {"x": "1\n"}, {"x\r": "1"}])
async def test_a_header_is_one_line(headers: dict[str, str]) -> None:
    transport = PooledTransport(TransportOptions())
    with pytest.raises(ValueError, match="one line"):
        await transport.send("GET", "http://127.0.0.1:9/", headers, None, 1.0)
