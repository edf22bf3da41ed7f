"""Questions on kept connections: sent at once, read with the others, and whatever else comes of them."""

from __future__ import annotations

import asyncio
import gzip
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors import rest
from connectors.base import Connector, Failure, RecordRequest
from connectors.http import unpacking
from connectors.http.calling import Caller
from connectors.http.pooled_transport import PooledTransport
from connectors.http.transport import INLINE
from connectors.mapping.decoding import Decoder
from connectors.prompt.fan import LATE, Fan
from tests.configured import secret
from tests.connectors.asking import ACME, BETA, ask, connected, fetch
from tests.connectors.http.test_calling import in_turn
from tests.connectors.rest_source import config, row
from tests.connectors.servers import Handler, Request, Server, always, answer, hang_up, serve, silent
from tests.waiting import until_async

GOOD = answer({"items": [row()]})
LARGE = [row(number, innerNote="x" * 1000) for number in range(1, 100)]
ARREARS = ask("arrears", "period")
KEY = (ACME, "arrears")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of questions that went the usual way of waiting: not at once."""
    addresses: list[str] = []
    real = PooledTransport.send

    def noted(self: Any, method: str, url: str, *given: Any) -> Any:
        addresses.append(url)
        return real(self, method, url, *given)

    monkeypatch.setattr(PooledTransport, "send", noted)
    return addresses


def zipped(raw: list[dict[str, Any]]) -> bytes:
    body = answer({"items": raw}).partition(b"\r\n\r\n")[2]
    return answer(gzip.compress(body), content_encoding="gzip")


async def one(connector: Connector, within: float = 60.0) -> Any:
    """What one question gets: the ids of its records, or its fault and whether a retry may help."""
    outcome = (await fetch(connector, ARREARS, within=within))[KEY]
    return (outcome.fault.value, outcome.retryable) if isinstance(outcome, Failure) else [r.m_id for r in outcome]


@pytest.mark.parametrize("auth", [False, True], ids=["known by nothing", "known by a token"])
async def test_the_next_question_is_sent_at_once(auth: bool, sent: list[str], tmp_path: Path) -> None:
    secret(tmp_path / "token", "t")
    more = {"auth": {"kind": "bearer_file", "file": "token"}} if auth else {}
    async with (
        serve(always(GOOD)) as server,
        connected(rest.build, {**config(server.url), **more}, tmp_path) as connector,
    ):
        assert [await one(connector) for _ in range(5)] == [["N-1"]] * 5
    assert len(sent) == 1
    assert len(server.requests) == 5
    assert len({str(request) for request in server.requests}) == 1
    assert server.opened == 1


TIMEOUT, REFUSED, BROKEN = ("SOURCE_TIMEOUT", True), ("SOURCE_UNAVAILABLE", False), ("SOURCE_INVALID", False)
ANOTHER = answer({"items": [row(subject=BETA)]})
BECOMES: dict[str, tuple[Handler, Any, int]] = {
    "nothing is known": (always(answer({}, 404)), [], 1),
    "an empty list": (always(answer({"items": []})), [], 1),
    "it cannot, for now": (always(answer({}, 503)), ["N-1"], 2),
    "it will not": (always(answer({}, 400)), REFUSED, 1),
    "it hangs up": (hang_up, ["N-1"], 2),
    "it is no HTTP": (always(b"garbage"), ["N-1"], 2),
    "it redirects": (always(answer({}, 302, location="/")), ["N-1"], 2),
    "it names another": (always(ANOTHER), ["N-1"], 2),
    "it is none that can be read": (always(answer(b"no JSON")), ["N-1"], 2),
    "two answers come": (always(GOOD + GOOD), ["N-1"], 2),
    "it is zipped": (always(zipped([row(7)])), ["N-7"], 1),
    "it is zipped and large": (always(zipped(LARGE)), [each["noticeNo"] for each in LARGE], 1),
    "it is zipped wrongly": (always(answer(b"no gzip", content_encoding="gzip")), ["N-1"], 2),
    "it is large": (always(answer({"items": LARGE})), [each["noticeNo"] for each in LARGE], 1),
    "it is large and names another": (always(answer({"items": [*LARGE, row(subject=BETA)]})), ["N-1"], 2),
    "it is too large": (always(answer({"items": LARGE * 30})), ["N-1"], 2),
    "nothing comes": (silent, TIMEOUT, 1),
}


@pytest.mark.parametrize("becomes", BECOMES)
async def test_whatever_becomes_of_it_its_place_is_free_again(becomes: str, sent: list[str]) -> None:
    second, expected, asked = BECOMES[becomes]
    limits = {"concurrency": 1, "retries": 1, "timeout": "1m"}
    async with (
        serve(in_turn(always(GOOD), second, always(GOOD))) as server,
        connected(rest.build, config(server.url, **limits)) as connector,
    ):
        assert await one(connector) == ["N-1"]
        assert await one(connector, 0.4 if second is silent else 60.0) == expected
        assert len(server.requests) == 1 + asked
        assert len(sent) == asked  # the first, and a second try
        assert await one(connector) == ["N-1"]
        assert server.most_connections <= 2  # one may not have seen its end yet


def test_what_is_large_is_read_beside_the_loop() -> None:
    assert len(answer({"items": LARGE})) > INLINE


async def begun(connector: Connector, within: float, came: list[Any]) -> Fan:
    """A question that is under way."""
    fan = Fan(asyncio.get_running_loop().time() + within)
    fan.ask(connector, RecordRequest((ARREARS,), asyncio.get_running_loop().time() + within), came.append)
    return fan


@pytest.mark.parametrize("second", [silent, always(zipped(LARGE)), always(answer({"items": LARGE}))])
@pytest.mark.parametrize("late", [False, True], ids=["abandoned", "late"])
async def test_one_that_nobody_waits_for_gives_its_place_back(second: Handler, late: bool, sent: list[str]) -> None:
    held = threading.Event()
    async with (
        serve(in_turn(always(GOOD), second, always(GOOD))) as server,
        connected(rest.build, config(server.url, concurrency=1)) as connector,
    ):
        assert await one(connector) == ["N-1"]
        busy = unpacking.beside("another", held.wait)  # so that what is large is not read before its time is up
        try:
            came: list[Any] = []
            fan = await begun(connector, 0.5 if late else 30.0, came)
            answered = asyncio.ensure_future(fan.answered())
            await until_async("the question to come", lambda: len(server.requests) == 2)
            if not late:
                answered.cancel()
            await asyncio.wait([answered])
        finally:
            held.set()
            await busy
        [outcome] = came
        if late:
            assert outcome[KEY].fault.value == "SOURCE_TIMEOUT"
        else:
            assert isinstance(outcome, Exception)
        assert len(sent) == 1
        assert await one(connector) == ["N-1"]


@pytest.mark.parametrize("body", [GOOD, answer({"items": LARGE})], ids=["small", "large"])
async def test_a_defect_of_the_reader_is_told_and_holds_no_place(
    body: bytes, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    async with (
        serve(in_turn(always(GOOD), always(body), always(GOOD))) as server,
        connected(rest.build, config(server.url, concurrency=1)) as connector,
    ):
        assert await one(connector) == ["N-1"]
        with monkeypatch.context() as patch:
            patch.setattr(Decoder, "one", fails)
            with pytest.raises(ZeroDivisionError):
                await one(connector)
        assert await one(connector) == ["N-1"]


async def test_a_token_that_was_revoked_is_renewed(sent: list[str], tmp_path: Path) -> None:
    secret(tmp_path / "token", "first")
    valid = "Bearer first"

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD if request.headers["authorization"] == valid else answer({}, 401))

    async with (
        serve(handle) as server,
        connected(
            rest.build, {**config(server.url), "auth": {"kind": "bearer_file", "file": "token"}}, tmp_path
        ) as connector,
    ):
        assert await one(connector) == ["N-1"]
        valid = "Bearer second"
        secret(tmp_path / "token", "second")
        assert await one(connector) == ["N-1"]
        assert await one(connector) == ["N-1"]
    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer first", "Bearer first", "Bearer second", "Bearer second",
    ]  # fmt: skip
    assert len(sent) == 2


async def asked_twice(server: Server, connector: Connector) -> None:
    for _ in range(2):
        await fetch(connector, ARREARS)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"connections": "one_request"},
        {"transport": "httpx"},
        {"echo": "X-Request-ID"},
    ],
    ids=str,
)
async def test_what_is_set_otherwise_is_asked_as_before(more: dict[str, Any], sent: list[str]) -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        echoed = request.headers.get("x-request-id")
        writer.write(answer({"items": [row()]}, **({"x_request_id": echoed} if echoed else {})))

    async with serve(handle) as server, connected(rest.build, {**config(server.url), **more}) as connector:
        await asked_twice(server, connector)
    assert len(sent) == (0 if "transport" in more else 2)


@pytest.mark.parametrize("prompt", [True, False], ids=["sent at once", "sent in its turn"])
async def test_a_kept_connection_that_is_ended_by_408_is_no_failure(
    prompt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not prompt:
        monkeypatch.setattr(Caller, "begin", lambda *_: None)
    ended = always(answer({}, 408, connection="close"))
    limits = {"concurrency": 1, "retries": 0, "breaker": {"failures": 1}}
    async with (
        serve(in_turn(always(GOOD), ended, always(GOOD), ended, always(GOOD), ended, ended)) as server,
        connected(rest.build, config(server.url, **limits)) as connector,
    ):
        assert [await one(connector) for _ in range(3)] == [["N-1"]] * 3
        assert len(server.requests) == 5
        assert await one(connector) == ("SOURCE_UNAVAILABLE", True), "one on a new connection is a failure"


async def test_a_department_that_is_silent_keeps_nobody_from_another() -> None:
    async with (
        serve(always(GOOD)) as quick,
        serve(in_turn(always(GOOD), silent)) as slow,
        connected(rest.build, config(quick.url, concurrency=1)) as sound,
        connected(rest.build, config(slow.url, concurrency=1)) as hung,
    ):
        assert [await one(each) for each in (sound, hung)] == [["N-1"], ["N-1"]]
        came: list[Any] = []
        fan = await begun(sound, 30.0, came)
        fan.ask(hung, RecordRequest((ARREARS,), asyncio.get_running_loop().time() + 30.0), came.append)
        answered = asyncio.ensure_future(fan.answered())
        await until_async("the first to be asked again", lambda: len(quick.requests) == 2)
        assert await one(sound) == ["N-1"]  # while the other is silent
        assert not answered.done()
        answered.cancel()
        await asyncio.wait([answered])
        assert [type(each) for each in came] == [dict, type(LATE)]
        assert quick.opened == 1


async def test_an_answer_that_is_abandoned_unread_frees_its_place() -> None:
    async with (
        serve(always(GOOD)) as server,
        connected(rest.build, config(server.url, concurrency=1)) as connector,
    ):
        assert await one(connector) == ["N-1"]
        came: list[Any] = []
        held = asyncio.get_running_loop().create_future()

        def told(what: Any) -> None:
            came.append(what)
            held.set_result(None)

        question = connector.begin(RecordRequest((ARREARS,), asyncio.get_running_loop().time() + 30.0), told)  # type: ignore[attr-defined]
        await held
        question.abandon()
        [read] = came
        read()
        assert came == [read]  # nothing came of it
        assert await one(connector) == ["N-1"]
        assert server.opened == 2  # nobody looked at what the first carried
