"""Several questions to one department in one inquiry: each is sent at once where it can be, and has its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connectors import rest
from connectors.base import Answers, Connector, Failure
from connectors.mapping.decoding import Decoder
from tests.connectors.asking import ACME, BETA, ask, connected, fetch
from tests.connectors.prompt.test_question import sent as sent  # a fixture
from tests.connectors.rest_source import config, row
from tests.connectors.servers import Handler, Request, answer, hang_up, serve, silent
from tests.waiting import until_async

ALL = ask("arrears", "period", ACME, BETA), ask("awards", "title", ACME, BETA)
ODD = f"/awards/{BETA.value}"
"""The one question that is answered otherwise, each time but the first and the last."""


def told(answers: Answers) -> dict[tuple[str, str], Any]:
    """Of each dataset and subject its one record's subject, or the fault."""
    return {
        (dataset, subject.value): outcome.fault.value if isinstance(outcome, Failure) else [r.m_id for r in outcome]
        for (subject, dataset), outcome in answers.items()
    }


WELL = {(each.dataset, who.value): [f"N-{who.value}"] for each in ALL for who in each.subjects}


async def well(request: Request, writer: asyncio.StreamWriter) -> None:
    who = ACME if ACME.value in request.target else BETA
    writer.write(answer({"items": [row(subject=who) | {"noticeNo": f"N-{who.value}"}]}))


def oddly(odd: Handler, times: int) -> Handler:
    """The second time it is asked, and so often, the one question is answered by `odd`."""
    asked = 0

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += request.target == ODD
        await (odd if request.target == ODD and 1 < asked <= 1 + times else well)(request, writer)

    return handle


async def every(connector: Connector, within: float = 60.0) -> dict[tuple[str, str], Any]:
    return told(await fetch(connector, *ALL, within=within))


async def refused(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(answer({}, 403))


async def unable(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(answer({}, 503))


@pytest.mark.parametrize(
    ("odd", "outcome", "waited"),
    [
        (well, [f"N-{BETA.value}"], 0),
        (hang_up, [f"N-{BETA.value}"], 1),
        (unable, [f"N-{BETA.value}"], 1),
        (refused, "SOURCE_UNAVAILABLE", 0),
    ],
)
async def test_each_has_its_own_outcome_and_gives_its_place_back(
    odd: Handler, outcome: Any, waited: int, sent: list[str]
) -> None:
    limits = {"concurrency": 4, "retries": 1, "timeout": "1m"}
    async with serve(oddly(odd, 1)) as server, connected(rest.build, config(server.url, **limits)) as connector:
        assert await every(connector) == WELL
        assert len(sent) == 4
        assert await every(connector) == WELL | {("awards", BETA.value): outcome}
        assert len(sent) == 4 + waited
        assert await every(connector) == WELL


async def test_one_that_is_late_ends_the_wait_for_all_of_them(sent: list[str]) -> None:
    async with (
        serve(oddly(silent, 1)) as server,
        connected(rest.build, config(server.url, concurrency=4, timeout="1m")) as connector,
    ):
        assert await every(connector) == WELL
        assert (await every(connector, 0.4))["awards", BETA.value] == "SOURCE_TIMEOUT"
        assert await every(connector) == WELL


async def test_those_for_which_there_is_no_place_wait(sent: list[str]) -> None:
    async with serve(well) as server, connected(rest.build, config(server.url, concurrency=2)) as connector:
        for _ in range(3):
            assert await every(connector) == WELL
        assert server.most_connections <= 2
    assert len(server.requests) == 12


async def test_those_that_nobody_waits_for_give_their_places_back(sent: list[str]) -> None:
    async with (
        serve(oddly(silent, 1)) as server,
        connected(rest.build, config(server.url, concurrency=4)) as connector,
    ):
        assert await every(connector) == WELL
        asked = asyncio.ensure_future(every(connector))
        await until_async("all to be asked", lambda: len(server.requests) == 8)
        asked.cancel()
        await asyncio.wait([asked])
        assert await every(connector) == WELL


async def test_a_defect_is_told_once_and_holds_no_place(sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = Decoder.one

    def fails(self: Decoder, body: bytes, who: Any) -> Any:
        if who == BETA:
            raise ZeroDivisionError
        return real(self, body, who)

    async with serve(well) as server, connected(rest.build, config(server.url, concurrency=4)) as connector:
        assert await every(connector) == WELL
        with monkeypatch.context() as patch:
            patch.setattr(Decoder, "one", fails)
            with pytest.raises(ZeroDivisionError):
                await every(connector)
        assert await every(connector) == WELL
