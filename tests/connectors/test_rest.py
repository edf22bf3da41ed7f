"""REST departments over real sockets: well-behaved, in batches, and broken as the contract names it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from connectors import rest
from connectors.base import Failure, Fault, Subject
from connectors.mapping.decoding import Decoder
from tests.connectors.asking import ACME, ANN, BETA, ask, connected, fault, fetch, told
from tests.connectors.rest_source import BATCH, config, path, row
from tests.connectors.servers import Handler, Request, always, answer, by_path, drip, hang_up, serve, silent, zeros


async def test_one_dataset_of_one_subject() -> None:
    async with (
        serve(by_path({path(): answer({"items": [row(1), row(2)]})})) as server,
        connected(rest.build, config(server.url)) as connector,
    ):
        outcomes = await fetch(connector, ask("arrears", "period amount"))
    assert told(outcomes[ACME, "arrears"], "period", "amount") == [
        ("2025-1", "10.50"),
        ("2025-2", "10.50"),
    ]
    assert "never to be seen" not in repr(outcomes)
    assert server.requests[0].headers["accept"] == "application/json"


async def test_several_datasets_and_subjects_have_a_call_each() -> None:
    answers = {path(s): answer({"items": [row(1, s)]}) for s in (ACME, BETA)}
    answers[f"/awards/{ACME.value}"] = answer({"items": [row()]})
    async with serve(by_path(answers)) as server, connected(rest.build, config(server.url)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", ACME, BETA, ANN), ask("awards", "title"))
    assert told(outcomes[BETA, "arrears"], "period") == [("2025-1",)]
    assert told(outcomes[ANN, "arrears"], "period") == []
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]
    assert len(server.requests) == 4


async def test_a_dataset_that_is_not_mapped_has_an_outcome_too() -> None:
    async with serve(always(answer({"items": []}))) as server, connected(rest.build, config(server.url)) as connector:
        for asked in ([ask("other", "x")], [ask("other", "x"), ask("awards", "title")]):
            outcomes = await fetch(connector, *asked)
            assert isinstance(outcomes[ACME, "other"], Failure)


@pytest.mark.parametrize("value", ["a/b", "a b", "é", "a?b#c", "%2e", "a\r\nx: y", "..;", "\ud800", "..", "."])
async def test_an_identifier_never_leaves_its_place_in_the_path(value: str) -> None:
    subject = Subject("organisation", "LEI", value)
    async with serve(always(answer({"items": []}))) as server, connected(rest.build, config(server.url)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", subject))
    if value in ("..", ".", "\ud800"):
        assert isinstance(outcomes[subject, "arrears"], Failure)
        assert server.requests == []
    else:
        before, inside, after = server.requests[0].target.partition("/subjects/LEI/")
        assert (before, inside) == ("", "/subjects/LEI/")
        assert after.count("/") == 1
        assert after.endswith("/arrears")
        assert len(server.requests[0].headers) == len(set(server.requests[0].headers))


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (silent, Fault.TIMEOUT),
        (drip, Fault.TIMEOUT),
        (hang_up, Fault.UNAVAILABLE),
        (always(b"nonsense\r\n\r\n"), Fault.UNAVAILABLE),
        (always(answer({}, 500)), Fault.UNAVAILABLE),
        (always(answer({}, 400)), Fault.UNAVAILABLE),
        (always(answer({}, 401)), Fault.UNAVAILABLE),
        (always(answer({"items": []}, 206)), Fault.UNAVAILABLE),
        (always(answer({"items": []}, 302, location="/elsewhere")), Fault.INVALID),
        (always(zeros(10)), Fault.INVALID),
        (always(zeros(200, compressed=True)), Fault.INVALID),
        (always(answer(b"")), Fault.INVALID),
        (always(answer(b"<html>secret</html>")), Fault.INVALID),
        (always(answer({"items": None})), Fault.INVALID),
        (always(answer({"items": [row(subject=BETA)]})), Fault.INVALID),
        (always(answer({"items": [row(), row(idNo=None)]})), Fault.INVALID),
        (always(answer(b'{"items": [], "items": []}')), Fault.INVALID),
        (always(answer(b"[" * 100_000)), Fault.INVALID),
    ],
)
async def test_whatever_goes_wrong_is_one_of_the_contracts_faults(handler: Handler, expected: Fault) -> None:
    async with serve(handler) as server, connected(rest.build, config(server.url, timeout="300ms")) as connector:
        outcomes = await fetch(connector, ask("arrears", "period amount"))
    failure = outcomes[ACME, "arrears"]
    assert isinstance(failure, Failure)
    assert failure.fault is expected
    assert "secret" not in failure.detail
    assert ACME.value not in failure.detail


async def test_one_datasets_fault_leaves_the_others_alone() -> None:
    answers = {path(): answer(b"nonsense"), f"/awards/{ACME.value}": answer({"items": [row()]})}
    async with serve(by_path(answers)) as server, connected(rest.build, config(server.url)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"), ask("awards", "title"))
    assert isinstance(outcomes[ACME, "arrears"], Failure)
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]


async def test_the_inquirys_deadline_counts_where_it_is_sooner() -> None:
    async with serve(silent) as server, connected(rest.build, config(server.url, timeout="1m")) as connector:
        assert await fault(connector, within=0.2) == "SOURCE_TIMEOUT"
        assert await fault(connector, within=-1.0) == "SOURCE_TIMEOUT"
        both = [ask("arrears", "period"), ask("awards", "title")]
        assert await fault(connector, *both, within=0.2) == "SOURCE_TIMEOUT"


@pytest.mark.parametrize(("statuses", "status", "empty"), [(None, 404, True), ([410], 410, True), ([], 404, False)])
async def test_which_status_means_no_records(statuses: Any, status: int, empty: bool) -> None:
    arrears = {} if statuses is None else {"no_records": statuses}
    async with (
        serve(always(answer({}, status))) as server,
        connected(rest.build, config(server.url, arrears)) as connector,
    ):
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert (outcomes[ACME, "arrears"] == []) is empty


async def test_select_asks_for_the_requested_fields_only() -> None:
    async with (
        serve(always(answer({"items": [row()]}))) as server,
        connected(rest.build, config(server.url, {"select": "fields"})) as connector,
    ):
        await fetch(connector, ask("arrears", "amount"))
        await fetch(connector, ask("arrears", "amount period"))
    first, second = (request.target.partition("?")[2] for request in server.requests)
    assert first == "fields=noticeNo,rev,decisionNo,issuedOn,idType,idNo,amt.total"
    assert second == first + ",taxPeriod"
    assert all("innerNote" not in request.text for request in server.requests)


async def test_a_fetch_has_no_more_records_than_its_limit() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        rows = [row(number) for number in range(6 if request.target.startswith("/awards") else 5)]
        writer.write(answer({"items": rows, "next": "2" if request.target.endswith("arrears") else None}))

    for arrears, good in (({}, True), ({"paging": {"next": "next", "param": "page"}}, False)):
        async with serve(handle) as server, connected(rest.build, config(server.url, arrears, records=5)) as connector:
            outcomes = await fetch(connector, ask("arrears", "period"), ask("awards", "title"))
        assert isinstance(outcomes[ACME, "arrears"], list) is good
        failure = outcomes[ACME, "awards"]
        assert isinstance(failure, Failure)
        assert (failure.fault, failure.retryable) == (Fault.INVALID, False)
        assert "limits.records" in failure.detail


@pytest.mark.parametrize("many", [1, 600])
async def test_what_is_large_is_read_beside_the_loop(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    real = Decoder.one

    def noted(self: Decoder, *given: Any) -> Any:
        threads.append(threading.get_ident())
        return real(self, *given)

    monkeypatch.setattr(Decoder, "one", noted)
    rows = [row(number) for number in range(many)]
    async with serve(always(answer({"items": rows}))) as server, connected(rest.build, config(server.url)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert len(told(outcomes[ACME, "arrears"])) == many
    assert (threads == [threading.get_ident()]) is (many == 1)


@pytest.mark.parametrize("separator", [",", ";", "|", "%2C", "%20", "&ids="])
async def test_values_are_joined_as_the_department_takes_them_apart(separator: str) -> None:
    batch = {"batch": {**BATCH["batch"], "separator": separator}}  # type: ignore[dict-item]
    async with serve(always(answer({"items": []}))) as server, connected(rest.build, config(server.url, batch)) as made:
        await fetch(made, ask("arrears", "period", ACME, BETA))
    assert [request.target for request in server.requests] == [
        f"/arrears?type=LEI&ids={ACME.value}{separator}{BETA.value}"
    ]


async def test_a_batch_asks_for_several_subjects_at_once() -> None:
    third = Subject("organisation", "LEI", "third")

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        asked = request.target.partition("ids=")[2].split(",")
        rows = [row(1, s) for s in (ACME, BETA, third) if s.value in asked]
        writer.write(answer({"items": rows}))

    async with serve(handle) as server, connected(rest.build, config(server.url, BATCH)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", ACME, BETA, third, ANN))
    assert [len(told(outcomes[s, "arrears"])) for s in (ACME, BETA, third, ANN)] == [1, 1, 1, 0]
    assert sorted(request.target for request in server.requests) == [
        f"/arrears?type=LEI&ids={ACME.value},{BETA.value}",
        "/arrears?type=LEI&ids=third",
        f"/arrears?type=PIN&ids={ANN.value}",
    ]


async def test_a_stranger_in_a_batch_fails_all_of_it() -> None:
    rows = [row(1, ACME), row(2, Subject("organisation", "LEI", "stranger"))]
    async with (
        serve(always(answer({"items": rows}))) as server,
        connected(rest.build, config(server.url, BATCH)) as connector,
    ):
        assert await fault(connector, ask("arrears", "period", ACME, BETA)) == "SOURCE_INVALID"
