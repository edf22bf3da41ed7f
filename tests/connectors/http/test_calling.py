"""How a department is called: retries, breaker and deadline."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import email.utils
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import rest
from connectors.base import Failure, RecordRequest
from connectors.http.httpx_transport import HttpxTransport
from connectors.http.pooled_transport import PooledTransport
from connectors.kit.breaker import CROWDED, Breaker, BreakerLimits, crowded, retry_after
from connectors.prompt.fan import Fan, asked
from tests.connectors.asking import ACME, SHAPES, ask, connected, fault, fetch, places, written
from tests.connectors.rest_source import config, row
from tests.connectors.servers import Handler, Request, always, answer, hang_up, serve, silent
from tests.waiting import until_async

GOOD = answer({"items": [row()]})


def in_turn(*handlers: Handler) -> Handler:
    """One handler a request; the last one for all that follow."""
    left = list(handlers)

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return handle


@pytest.mark.parametrize(
    ("named", "made"),
    [({}, PooledTransport), ({"transport": "pooled"}, PooledTransport), ({"transport": "httpx"}, HttpxTransport)],
)
async def test_a_department_is_called_by_the_transport_that_it_names(
    named: dict[str, str], made: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[type] = []
    for each in (PooledTransport, HttpxTransport):

        async def counted(self: Any, *given: Any, real: Any = each.send) -> Any:
            sent.append(type(self))
            return await real(self, *given)

        monkeypatch.setattr(each, "send", counted)
    async with serve(always(GOOD)) as server, connected(rest.build, config(server.url) | named) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert not isinstance(outcomes[ACME, "arrears"], Failure)
    assert sent == [made]


def test_a_transport_that_there_is_not_is_told() -> None:
    node = written(config("http://127.0.0.1:9") | {"transport": "htpx"})
    rest.build(node, SHAPES)
    assert places(node, "did you mean `httpx`") == ["transport"]


@pytest.mark.parametrize("first", [hang_up, always(answer({}, 503)), always(answer({}, 429))])
async def test_what_may_pass_is_tried_again(first: Handler) -> None:
    async with (
        serve(in_turn(first, first, always(GOOD))) as server,
        connected(rest.build, config(server.url, retries=2)) as connector,
    ):
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert not isinstance(outcomes[ACME, "arrears"], Failure)
    assert len(server.requests) >= 3


@pytest.mark.parametrize("only", [answer({}, 400), answer({}, 403), answer({}, 302), answer(b"garbage")])
async def test_what_will_not_pass_is_not_tried_again(only: bytes) -> None:
    async with (
        serve(always(only)) as server,
        connected(rest.build, config(server.url, retries=5)) as connector,
    ):
        await fault(connector)
    assert len(server.requests) == 1


async def test_retries_are_bounded() -> None:
    async with (
        serve(always(answer({}, 503))) as server,
        connected(rest.build, config(server.url, retries=2)) as connector,
    ):
        assert await fault(connector) == "SOURCE_UNAVAILABLE"
    assert len(server.requests) == 3


async def test_all_tries_share_one_deadline() -> None:
    async with (
        serve(in_turn(always(answer({}, 503)), silent)) as server,
        connected(rest.build, config(server.url, retries=9, timeout="500ms")) as connector,
    ):
        assert await fault(connector) == "SOURCE_TIMEOUT"
    assert len(server.requests) == 2


async def test_the_breaker_spares_a_department_that_keeps_failing() -> None:
    breaker = {"failures": 3, "open_for": "200ms"}
    async with (
        serve(in_turn(*[always(answer({}, 503))] * 3, always(GOOD))) as server,
        connected(rest.build, config(server.url, breaker=breaker)) as connector,
    ):
        for _ in range(6):
            assert await fault(connector) == "SOURCE_UNAVAILABLE"
        assert len(server.requests) == 3
        await asyncio.sleep(0.25)
        assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
@pytest.mark.parametrize(
    "raw",
    [
        answer(b"garbage"),
        answer(gzip.compress(b"[]")[:-8] + bytes(8), content_encoding="gzip"),
        answer(b"[]", content_encoding="gzip"),
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
    ],
    ids=["no JSON", "a wrong sum", "no gzip", "no chunk's length"],
)
async def test_an_invalid_answer_does_not_open_the_breaker(raw: bytes, transport: str) -> None:
    """What is wrong about one subject closes the department for nobody else, and is not asked again."""
    async with (
        serve(always(raw)) as server,
        connected(rest.build, config(server.url, breaker={"failures": 2}) | {"transport": transport}) as connector,
    ):
        assert [await fault(connector) for _ in range(5)] == ["SOURCE_INVALID"] * 5
    assert len(server.requests) == 5


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
async def test_waiting_for_a_place_in_vain_does_not_open_the_breaker(transport: str) -> None:
    """It is the gateway that has too much to ask: the department has not even been asked."""
    free = asyncio.Event()

    async def held(request: Request, writer: asyncio.StreamWriter) -> None:
        await free.wait()
        writer.write(GOOD)

    limits = config("", concurrency=1, timeout="20s", breaker={"failures": 2})
    async with (
        serve(held) as server,
        connected(rest.build, limits | {"base_url": server.url, "transport": transport}) as connector,
    ):
        first = asyncio.create_task(fetch(connector, ask("arrears", "period")))
        await until_async("the first to be asked", lambda: server.requests)
        for within in (0.05, 0.1):
            now = asyncio.get_running_loop().time()
            fan, got = Fan(now + 30), list[Any]()  # each call ends by its own deadline
            for _ in range(5):
                request = RecordRequest((ask("arrears", "period"),), now + within)
                fan.ask(connector, request, got.append)
            assert await fan.answered() == 0, "none was still waiting"
            assert [each[ACME, "arrears"].detail for each in got] == [CROWDED.detail] * 5
        free.set()
        assert isinstance((await first)[ACME, "arrears"], list)
        assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)
    assert len(server.requests) == 2


def test_a_call_is_crowded_where_it_waited_longer_than_it_was_under_way() -> None:
    assert crowded(10.0, 11.6, 13.0)
    assert not crowded(10.0, 11.4, 13.0)


def test_an_open_breaker_lets_one_call_through_at_a_time() -> None:
    breaker = Breaker(BreakerLimits(2, 10.0))
    assert breaker.admits(0.0)
    breaker.failed(0.0)
    assert breaker.admits(1.0)
    breaker.failed(1.0)
    assert not breaker.admits(10.9)
    assert breaker.admits(11.0)
    assert not breaker.admits(11.0)
    breaker.abandoned(11.5, 20.0)
    assert breaker.admits(11.0)
    breaker.failed(12.0)
    assert not breaker.admits(21.9)
    assert breaker.admits(22.0)
    breaker.worked(22.0)
    assert breaker.admits(22.0)
    assert breaker.admits(22.0)


def test_a_department_that_fails_half_of_the_time_opens_the_breaker() -> None:
    breaker = Breaker(BreakerLimits(failures=5, open_for=10.0, share=50, window=30.0))
    admitted = []
    for call in range(100):
        now = call / 10
        admitted.append(breaker.admits(now))
        if admitted[-1]:
            breaker.failed(now) if call % 2 else breaker.worked(now)
    assert admitted == [True] * 10 + [False] * 90
    breaker.worked(9.0)  # one from before it opened
    assert not breaker.admits(9.5)


def test_what_failed_long_ago_does_not_count() -> None:
    breaker = Breaker(BreakerLimits(failures=5, open_for=10.0, share=50, window=30.0))
    for call in range(200):
        now = call * 7.0
        assert breaker.admits(now)
        breaker.failed(now) if call % 2 else breaker.worked(now)


MOST = 12


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200), st.integers(1, 6), st.integers(1, 100))
def test_the_breaker_equals_the_naive_model(steps: list[tuple[float, bool]], failures: int, share: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.kit.breaker._CALLS", MOST)
        breaker = Breaker(BreakerLimits(failures, 5.0, share, 20.0))
    now, calls, row, until, is_open = 0.0, list[tuple[float, bool]](), 0, 0.0, False
    for passed, fails in steps:
        now += passed
        assert (now >= breaker.closed_from) == (not is_open)
        assert breaker.admits(now) == (now >= until)
        if now < until:
            continue
        if is_open and not fails:
            calls, is_open = [], False
        row = row + 1 if fails else 0
        calls = [call for call in [*calls, (now, fails)] if call[0] >= now - 20.0][-MOST:]
        some = sum(call[1] for call in calls)
        enough = len(calls) >= 2 * failures and 100 * some >= share * len(calls)
        if fails:
            breaker.failed(now)
            if is_open or row >= failures or enough:
                is_open, until = True, now + 5.0
        else:
            breaker.worked(now)


def test_one_that_is_left_alone_is_as_ever_afterwards_unless_it_failed() -> None:
    breaker = Breaker(BreakerLimits(2, 10.0))
    breaker.come_back(0.0, 5.0)
    assert breaker.closed_from == 5.0
    breaker.failed(6.0)
    breaker.failed(6.0)
    breaker.come_back(6.0, 20.0)
    assert breaker.closed_from > 1e9
    assert breaker.admits(26.0)
    breaker.worked(26.0)
    assert breaker.closed_from <= 26.0


async def test_retries_have_a_budget() -> None:
    limits = {"retries": 3, "breaker": {"failures": 1000}}
    async with (
        serve(always(answer({}, 503))) as server,
        connected(rest.build, config(server.url, **limits)) as connector,
    ):
        for _ in range(30):
            await fault(connector)
    assert len(server.requests) == 30 + 10


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_department_is_left_alone_as_long_as_it_says(transport: str, status: int) -> None:
    busy = answer({}, status).replace(b"\r\n\r\n", b"\r\nRetry-After: 1\r\n\r\n", 1)
    cfg = {"transport": transport}
    async with (
        serve(in_turn(always(busy), always(GOOD))) as server,
        connected(rest.build, {**config(server.url, retries=3), **cfg}) as connector,
    ):
        for _ in range(5):
            assert await fault(connector) == "SOURCE_UNAVAILABLE"
        assert len(server.requests) == 1

        async def answered() -> bool:
            return isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)

        await until_async("an answer", answered)
        assert len(server.requests) == 2


def test_what_retry_after_says() -> None:
    soon = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=2), usegmt=True)
    assert 100 < retry_after(soon) <= 120
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert [retry_after(said) for said in ("7", " 7 ")] == [7.0, 7.0]
    assert retry_after("9" * 5000) > 1e9, "whoever says so is left alone as long as anybody is"
    assert {retry_after(said) for said in ("-1", "soon", "", "\u0667", past)} == {0.0}
    breaker = Breaker(BreakerLimits())
    breaker.come_back(0.0, 1e9)
    assert not breaker.admits(299.0)
    assert breaker.admits(300.0)


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
async def test_the_inquirys_own_deadline_counts_as_a_failure(transport: str) -> None:
    """Where `limits.timeout` is later, the gateway cancels the call at the deadline."""
    cfg = {"transport": transport}
    async with (
        serve(silent) as server,
        connected(rest.build, {**config(server.url, timeout="1m", breaker={"failures": 2}), **cfg}) as connector,
    ):
        for _ in range(4):
            deadline = asyncio.get_running_loop().time() + 0.2
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await asked(connector, RecordRequest((ask("arrears", "period"),), deadline))
    assert len(server.requests) == 2


async def test_a_cancelled_inquiry_leaves_the_breaker_usable() -> None:
    breaker = {"failures": 1, "open_for": "1ms"}
    async with (
        serve(in_turn(always(answer({}, 503)), silent, always(GOOD))) as server,
        connected(rest.build, config(server.url, breaker=breaker)) as connector,
    ):
        await fault(connector)
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await fetch(connector, ask("arrears", "period"))
        assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)


async def test_never_more_calls_at_once_than_allowed() -> None:
    async def slowly(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(GOOD)

    async with (
        serve(slowly) as server,
        connected(rest.build, config(server.url, concurrency=2)) as connector,
    ):
        await asyncio.gather(*(fetch(connector, ask("arrears", "period")) for _ in range(12)))
    assert len(server.requests) == 12
    assert server.most_connections <= 2
