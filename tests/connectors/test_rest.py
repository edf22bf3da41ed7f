"""REST departments over real sockets: well-behaved, in pages, in batches, and broken as the contract names it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors import rest
from connectors.base import Failure, Fault, Faulty, Subject
from connectors.mapping.decoding import Decoder
from tests.configured import secret
from tests.connectors.asking import ACME, ANN, BETA, SHAPES, ask, connected, fault, fetch, places, told, written
from tests.connectors.servers import Handler, Request, always, answer, by_path, drip, hang_up, serve, silent, zeros
from tests.waiting import until_async

RECORD = {
    "id": "noticeNo",
    "version": "rev",
    "document": "decisionNo",
    "effective": "issuedOn",
    "subject": {"scheme": "idType", "value": "idNo"},
}
ARREARS: dict[str, Any] = {
    "path": "/subjects/{scheme}/{value}/arrears",
    "records": "items",
    "record": RECORD,
    "fields": {"period": "taxPeriod", "amount": "amt.total", "secret": "innerNote"},
}
AWARDS: dict[str, Any] = {
    "path": "/awards/{value}", "records": "items", "record": RECORD, "fields": {"title": "name"},
}  # fmt: skip


def config(url: str, arrears: Any = None, awards: Any = None, **limits: Any) -> dict[str, Any]:
    return {
        "kind": "rest",
        "base_url": url,
        "limits": {"retries": 0, **limits},
        "datasets": {"arrears": {**ARREARS, **(arrears or {})}, "awards": {**AWARDS, **(awards or {})}},
    }


def row(number: int = 1, subject: Subject = ACME, **more: Any) -> dict[str, Any]:
    return {
        "noticeNo": f"N-{number}",
        "rev": "1",
        "decisionNo": "D",
        "issuedOn": "2026-01-01",
        "idType": subject.scheme,
        "idNo": subject.value,
        "taxPeriod": f"2025-{number}",
        "amt": {"total": "10.50", "currency": "EUR"},
        "innerNote": "never to be seen",
        "name": "Prize",
        **more,
    }


def path(subject: Subject = ACME) -> str:
    return f"/subjects/{subject.scheme}/{subject.value}/arrears"


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


async def test_pages_by_token() -> None:
    pages: dict[str, bytes] = {
        path(): answer({"items": [row(1)], "next": "p 2"}),
        path() + "?page=p+2": answer({"items": [row(2)], "next": 3}),
        path() + "?page=3": answer({"items": [row(3)], "next": None}),
    }
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert told(outcomes[ACME, "arrears"], "period") == [("2025-1",), ("2025-2",), ("2025-3",)]


@pytest.mark.parametrize("link", ["?cursor=2", "/other?cursor=2", "next-page"])
async def test_pages_by_link(link: str) -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        first = request.target == path()
        writer.write(answer({"items": [row(1 if first else 2)], "links": {"next": link if first else ""}}))

    paging = {"paging": {"next": "links.next"}}
    async with serve(handle) as server, connected(rest.build, config(server.url, paging)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"))
    assert len(told(outcomes[ACME, "arrears"], "period")) == 2
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "link", ["//evil.example/x", "http://127.0.0.1:1/x", "\\\\evil\\x", "http://u:p@127.0.0.1/", "x\ny"]
)
async def test_a_link_to_another_origin_is_not_followed(link: str) -> None:
    paging = {"paging": {"next": "next"}}
    async with (
        serve(always(answer({"items": [row()], "next": link}))) as server,
        connected(rest.build, config(server.url, paging)) as connector,
    ):
        assert await fault(connector) == "SOURCE_INVALID"
    assert len(server.requests) == 1


@pytest.mark.parametrize("link", ["http://{host}:0000{port}?n={n}/", "HTTP://{host}:{port}/x?n={n}", "?n={n}#here"])
async def test_links_are_followed_on_the_one_origin_however_they_are_written(link: str) -> None:
    """Each spelling was an origin of its own, whose connection nobody closed."""
    count = 0

    async def onward(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        last = count % 10 == 0
        told = link.format(host="127.0.0.1", port=server.port, n=count)
        writer.write(answer({"items": [row(count)], "next": None if last else told}))

    paging = {"paging": {"next": "next"}}
    async with serve(onward) as server, connected(rest.build, config(server.url, paging, concurrency=4)) as connector:
        for _ in range(5):
            outcomes = await fetch(connector, ask("arrears", "period"))
            assert len(told(outcomes[ACME, "arrears"])) == 10
        await until_async("the connections to be few", lambda: server.connections <= 4)
    assert {request.headers["host"] for request in server.requests} == {f"127.0.0.1:{server.port}"}


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


async def test_pages_without_end_are_refused() -> None:
    count = 0

    async def onward(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(answer({"items": [row(count)], "next": f"?p={count}"}))

    for handler, most in ((onward, 5), (always(answer({"items": [], "next": "?p=same"})), 2)):
        paging = {"paging": {"next": "next", "max_pages": 5}}
        async with serve(handler) as server, connected(rest.build, config(server.url, paging)) as connector:
            assert await fault(connector) == "SOURCE_INVALID"
        assert len(server.requests) == most


async def test_a_record_that_comes_twice_over_pages_is_invalid() -> None:
    pages = {
        path(): answer({"items": [row(1), row(2)], "next": "2"}),
        path() + "?page=2": answer({"items": [row(2), row(3)]}),
    }
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        assert await fault(connector) == "SOURCE_INVALID"


async def test_records_whose_ids_cannot_be_read_may_stand_on_two_pages() -> None:
    unseen = {**row(1), "noticeNo": "\u200b"}
    pages = {
        path(): answer({"items": [unseen], "next": "2"}),
        path() + "?page=2": answer({"items": [unseen]}),
    }
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        (outcome,) = (await fetch(connector, ask("arrears", "period amount"))).values()
    assert not isinstance(outcome, Failure)
    assert [(type(record), record.m_id) for record in outcome] == [(Faulty, "")] * 2


async def test_a_page_that_fails_fails_the_dataset() -> None:
    pages = {path(): answer({"items": [row(1)], "next": "2"}), path() + "?page=2": answer({}, 500)}
    paging = {"paging": {"next": "next", "param": "page"}}
    async with serve(by_path(pages)) as server, connected(rest.build, config(server.url, paging)) as connector:
        assert await fault(connector) == "SOURCE_UNAVAILABLE"


BATCH = {"batch": {"path": "/arrears?type={scheme}&ids={values}", "max": 2}}
TOKENS = [
    "0123456789abcdef0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "AKIAIOSFODNN7EXAMPLE2cmN4d8",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "key 9f86d081884c7d659a2feaa0c55ad015",
]
STEPS = ["/../{scheme}/{value}", "/x/./{value}", "/{value}/..", "/%2E%2e/{value}", "/x/.%2e/{value}?y=1"]
SEPARATOR = ("datasets", "arrears", "batch", "separator")


def arrears(**changes: Any) -> dict[str, Any]:
    return {"arrears": {**ARREARS, **changes}}


@pytest.mark.parametrize("separator", [",", ";", "|", "%2C", "%20", "&ids="])
async def test_values_are_joined_as_the_department_takes_them_apart(separator: str) -> None:
    batch = {"batch": {**BATCH["batch"], "separator": separator}}  # type: ignore[dict-item]
    async with serve(always(answer({"items": []}))) as server, connected(rest.build, config(server.url, batch)) as made:
        await fetch(made, ask("arrears", "period", ACME, BETA))
    assert [request.target for request in server.requests] == [
        f"/arrears?type=LEI&ids={ACME.value}{separator}{BETA.value}"
    ]


def test_what_is_no_mistake_is_not_told() -> None:
    """A version, a client's public name, an LEI; two lists of one answer."""
    node = written({
        **config("https://tax.example", {"records": "arrears"}, {"path": ARREARS["path"], "records": "awards"}),
        "headers": {
            "x-api-version": "2026-01", "X-Road-Client": "EE/GOV/70006317/licence-register-2",
            "x-client": "application-name-version-2026-01-02", "x-lei": ACME.value,
            "x-client-id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        },
        "limits": {"timeout": "2s", "breaker": {"window": "2s"}},
    })  # fmt: skip
    rest.build(node, SHAPES)
    assert node.problems == []


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


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"base_url": None}, (), "`base_url` is missing"),
        ({"base_url": "ftp://x"}, ("base_url",), "must be an https URL"),
        ({"base_url": "http://tax.example"}, ("base_url",), "`allow_plain_http: true`"),
        ({"base_url": "https://u:p@tax.example"}, ("base_url",), "no user or password"),
        ({"base_urll": "x"}, ("base_urll",), "did you mean `base_url`?"),
        ({"limits": {"timeout": 2}}, ("limits", "timeout"), "a duration, as `5s`"),
        ({"limits": {"timeout": "0s"}}, ("limits", "timeout"), "more than nothing"),
        ({"limits": {"max_bytes": "1MB"}}, ("limits", "max_bytes"), "a size, as `64KiB`"),
        ({"limits": {"concurrency": 0}}, ("limits", "concurrency"), "from 1"),
        ({"limits": {"breaker": {"failure": 1}}}, ("limits", "breaker", "failure"), "did you mean `failures`?"),
        ({"auth": {"kind": "bearer"}}, ("auth", "kind"), "did you mean `bearer_file`?"),
        ({"auth": {"kind": "bearer_file", "file": "no.txt"}}, ("auth", "file"), "there is no file"),
        ({"tls": {"ca_file": "empty.pem"}}, ("tls", "ca_file"), "PEM"),
        ({"headers": {"Authorization": "x"}}, ("headers", "Authorization"), "under `auth`"),
        ({"headers": {"x": "a\nb"}}, ("headers", "x"), "one line"),
        ({"headers": {"a b": "x"}}, ("headers", "a b"), "`a b` is no name of a header"),
        ({"headers": {"é": "x"}}, ("headers", "é"), "`é` is no name of a header"),
        ({"headers": {"X-API-Key": "7"}}, ("headers", "X-API-Key"), "looks like a credential"),
        ({"headers": {"x-access-token": "7"}}, ("headers", "x-access-token"), "looks like a credential"),
        ({"headers": {"x-for": "Bearer abc"}}, ("headers", "x-for"), "looks like a credential"),
        (
            {"datasets": {"arrears": {**ARREARS, "record": {**RECORD, "version": RECORD["id"]}}}},
            ("datasets", "arrears", "record", "version"),
            "is the record's id",
        ),
        ({"datasets": {}}, ("datasets",), "at least one"),
        ({"datasets": {"arrears": {**ARREARS, "path": "/x"}}}, ("datasets", "arrears", "path"), "must hold `{value}`"),
        ({"datasets": {"arrears": {**ARREARS, "path": "/{id}"}}}, ("datasets", "arrears", "path"), "`{id}` is not one"),
        ({"datasets": {"arrears": {**ARREARS, "path": "x{value}"}}}, ("datasets", "arrears", "path"), "begins with"),
        (
            {"datasets": {"arrears": {**ARREARS, "paging": {"next": "items.next"}}}},
            ("datasets", "arrears", "paging", "next"),
            "beside the list",
        ),
        (
            {"datasets": {"arrears": {**ARREARS, **BATCH, "record": {**RECORD, "subject": {"not_returned": "old"}}}}},
            ("datasets", "arrears", "batch"),
            "cannot be distinguished",
        ),
        (
            {
                "datasets": {
                    "arrears": {
                        **ARREARS,
                        "paging": {"next": "next"},
                        "record": {**RECORD, "subject": {"not_returned": "old"}},
                    }
                }
            },
            ("datasets", "arrears", "paging"),
            "cannot be distinguished",
        ),
        *[({"headers": {"x-client": value}}, ("headers", "x-client"), "looks like a credential") for value in TOKENS],
        ({"headers": {"x-gateway-key": "7"}}, ("headers", "x-gateway-key"), "looks like a credential"),
        *[
            ({"headers": {name: "5"}}, ("headers", name), "not a header to set here")
            for name in ("Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding", "User-Agent")
        ],
        ({"headers": {"x-a": "a", "X-A": "b"}}, ("headers", "X-A"), "appears twice"),
        *[({"datasets": arrears(path=path)}, ("datasets", "arrears", "path"), "the steps") for path in STEPS],
        *[
            ({"datasets": arrears(batch={**BATCH["batch"], "separator": by})}, SEPARATOR, "what no identifier holds")
            for by in ("&", "=", "#", "?", "/", "A", "7", "-", ".", "_", "~", "%", "%41", "&type=", ",&", "+")
        ],
        *[
            ({"datasets": arrears(records=path)}, ("datasets", "arrears", "records"), "without brackets")
            for path in ("items[0]", "data.items[]", "[0]")
        ],
        (
            {"datasets": {**arrears(), "awards": {**AWARDS, "path": ARREARS["path"]}}},
            ("datasets", "awards"),
            "same list",
        ),
        ({"limits": {"breaker": {"window": "1ms"}}}, ("limits", "breaker", "window"), "than a call may take"),
        ({"limits": {"records": 0}}, ("limits", "records"), "from 1"),
        ({"echo": "X Request"}, ("echo",), "the name of a header"),
        ({"echo": "Accept"}, ("echo",), "another meaning already"),
        ({"echo": "X-Version", "headers": {"x-version": "1"}}, ("echo",), "another meaning already"),
        ({"echo": "X-Request-ID", "transport": "httpx"}, ("echo",), "has no use with `transport: httpx`"),
        ({"datasets": {"arrears": {**ARREARS, "no_records": 404}}}, ("datasets", "arrears", "no_records"), "a list"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(
    change: dict[str, Any], where: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    node = written({**config("https://tax.example"), **change}, tmp_path)
    rest.build(node, SHAPES)
    assert places(node, words) == [".".join(where)], node.problems


def test_the_configuration_of_the_contract_is_read(tmp_path: Path) -> None:
    secret(tmp_path / "secret", "s")
    text = json.dumps(
        {
            **config("https://tax.example/api"),
            "auth": {
                "kind": "client_credentials",
                "token_url": "https://login.example/token",
                "client_id": "gateway",
                "client_secret_file": "secret",
            },
            "limits": {
                "timeout": "2s",
                "concurrency": 64,
                "retries": 2,
                "breaker": {"failures": 5, "open_for": "10s"},
                "max_bytes": "1MiB",
            },
        }
    )
    node = written(json.loads(text), tmp_path)
    assert rest.build(node, SHAPES) is not None
    assert node.problems == []
