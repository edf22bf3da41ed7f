"""Departments that answer a look-up with one record, not a list: the same records and faults, whatever the format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from graphql import build_schema, graphql_sync

from connectors import graphql, rest
from connectors.base import Explained, Failure, Faulty, RecordRequest, Subject
from tests.connectors.asking import ACME, BETA, SHAPES, ask, connected, fault, fetch, places, told, written
from tests.connectors.rest_source import config, row
from tests.connectors.servers import Handler, Request, always, answer, serve
from tests.connectors.test_rest_xml import XML, notice

ROOT = {"records": None, "one_record": True}
"""The answer is the record."""
BELOW = {"records": "data.notice", "one_record": True}


def arrears(url: str, changed: Mapping[str, Any]) -> dict[str, Any]:
    made = config(url)
    merged = {**made["datasets"]["arrears"], **changed}
    made["datasets"] = {"arrears": {name: value for name, value in merged.items() if value is not None}}
    return made


async def outcome(body: Any, changed: Mapping[str, Any], status: int = 200) -> Any:
    async with (
        serve(always(answer(body, status))) as server,
        connected(rest.build, arrears(server.url, changed)) as connector,
    ):
        return (await fetch(connector, ask("arrears", "period amount")))[ACME, "arrears"]


@pytest.mark.parametrize(("changed", "around"), [(ROOT, "%s"), (BELOW, '{"data": {"notice": %s}}')])
async def test_one_record_null_and_what_is_neither(changed: dict[str, Any], around: str) -> None:
    async def of(value: Any) -> Any:
        return await outcome((around % json.dumps(value)).encode(), changed)

    assert told(await of(row()), "period") == [("2025-1",)]
    assert told(await of(row(unknown=[1, {"more": 2}])), "period") == [("2025-1",)]
    assert await of(None) == []
    for wrong in ([row()], [], {}, "text", 7, row(subject=BETA), {**row(), "noticeNo": None, "idNo": None}):
        found = await of(wrong)
        assert isinstance(found, Failure), wrong
        assert found.fault.value == "SOURCE_INVALID"
    (faulty,) = await of(row(amt={"total": "ten"}))
    assert isinstance(faulty, Faulty)
    assert faulty.m_id == "N-1"
    assert isinstance(await outcome((around % '{"noticeNo": "1", "noticeNo": "2"}').encode(), changed), Failure)


async def test_a_status_that_means_no_records_does_so_here_too() -> None:
    assert await outcome({}, ROOT, 404) == []
    assert await outcome({}, {**ROOT, "no_records": [410]}, 410) == []
    assert isinstance(await outcome({}, ROOT, 410), Failure)


async def test_a_list_that_is_mapped_as_ever_takes_no_object() -> None:
    assert isinstance(await outcome({"items": row()}, {}), Failure)


REPLY = "<reply>%s</reply>"
NIL = '<notice xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'


@pytest.mark.parametrize(
    ("records", "body", "found"),
    [
        ("reply.notice", REPLY % notice(), [("2025",)]),
        ("reply.notice", REPLY % "", []),
        ("reply.notice", REPLY % NIL, []),
        ("reply.notice", REPLY % (notice(1) + notice(2)), None),
        ("reply.notice", REPLY % "<other/>", None),
        ("notice", notice(), [("2025",)]),
        ("notice", NIL, []),
        ("notice", notice(subject=BETA), None),
        ("notice", "<notice/>", None),
        ("notice", REPLY % notice(), None),
    ],
)
async def test_one_record_in_xml(records: str, body: str, found: Any) -> None:
    answered = await outcome(body.encode(), {**XML, "records": records, "one_record": True})
    assert isinstance(answered, Failure) if found is None else told(answered, "period") == found


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({**BELOW, "batch": {"path": "/s?of={values}"}}, "batch", "is for lists only"),
        ({**BELOW, "paging": {"next": "next", "param": "page"}}, "paging", "is for lists only"),
        ({"one_record": "yes"}, "one_record", "true"),
        ({**XML, "records": "list"}, "records", "XML needs `records`"),
        ({**XML, "records": "list@a", "one_record": True}, "records", "XML needs `records`"),
    ],
)
def test_what_does_not_go_together_is_reported(changed: dict[str, Any], place: str, words: str) -> None:
    node = written(arrears("https://tax.example", changed))
    rest.build(node, SHAPES)
    assert places(node, words) == [f"datasets.arrears.{place}"]


async def explained(build: Any, made: Mapping[str, Any]) -> list[tuple[str, str]]:
    async with connected(build, made) as connector:
        assert isinstance(connector, Explained)
        deadline = asyncio.get_running_loop().time() + 20
        found = await connector.explain(RecordRequest((ask("arrears", "period amount"),), deadline))
    return [(".".join(each.key), each.what) for each in found]


async def test_wrong_use_is_explained() -> None:
    async def of(body: Any, changed: Mapping[str, Any]) -> list[tuple[str, str]]:
        async with serve(always(answer(json.dumps(body).encode()))) as server:
            return await explained(rest.build, arrears(server.url, changed))

    assert await of(row(total=99, next="/2"), ROOT) == []
    assert await of(None, ROOT) == []
    ((key, what),) = await of([row()], ROOT)
    assert (key, "a list of records, not one; leave `one_record` out" in what) == ("datasets.arrears.one_record", True)
    ((key, what),) = await of({"data": {"notice": 7}}, BELOW)
    assert (key, "`data.notice` is a single value, where the record must be" in what) == (
        "datasets.arrears.records", True,
    )  # fmt: skip
    ((key, what),) = await of({"items": row()}, {})
    assert "where it is the record itself, write `one_record: true`" in what
    ((key, what),) = await of(row(rev=None), ROOT)
    assert (key, "`rev` is null" in what) == ("datasets.arrears.record.version", True)


SCHEMA = build_schema("""
    scalar _Any
    union _Entity = Company
    type Query { company(lei: ID!): Company, _entities(representations: [_Any!]!): [_Entity]! }
    type Company { lei: ID! entryNo: ID edition: Int names: Name prize: Prize file: File }
    type Name { legal: String worth: String }
    type File { of: Prize }
    type Prize { no: ID! edition: Int! name: String worth: String lei: ID! }
""")
_RECORD = {"id": "entryNo", "version": "edition", "subject": {"scheme": {"const": "LEI"}, "value": "lei"}}
ITSELF: dict[str, Any] = {
    "arrears": {"one_record": True, "record": _RECORD,
                "fields": {"period": "names.legal", "amount": "names.worth", "secret": "names.legal"}},
    "awards": {"one_record": True, "field": "file > of", "record": {**_RECORD, "id": "no"},
               "fields": {"title": "name"}},
}  # fmt: skip
BY_QUERY = {"query": "company(lei: $value)", "variables": {"value": "ID!"}}
BY_ENTITY = {"entities": True, "types": {"organisation": "Company"}}


def company(subject: Subject) -> dict[str, Any]:
    prize = {"no": "P-1", "edition": 2, "name": "Prize", "lei": subject.value}
    names = {"legal": f"Name of {subject.value}", "worth": "1.50"}
    return {"__typename": "Company", "lei": subject.value, "entryNo": "7", "edition": 1, "names": names,
            "file": {"of": prize}}  # fmt: skip


def register(*companies: dict[str, Any]) -> Handler:
    def found(lei: str) -> dict[str, Any] | None:
        return next((each for each in companies if each["lei"] == lei), None)

    root = {
        "company": lambda _, lei: found(lei),
        "_entities": lambda _, representations: [found(each["value"]) for each in representations],
    }

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(request.body)
        writer.write(answer(graphql_sync(SCHEMA, asked["query"], root, variable_values=asked["variables"]).formatted))

    return handle


def register_at(url: str, mode: Mapping[str, Any] = BY_QUERY, datasets: Mapping[str, Any] = ITSELF) -> dict[str, Any]:
    return {"kind": "graphql", "url": f"{url}/graphql", **mode, "limits": {"retries": 0}, "datasets": datasets}


def raising(*_: Any, **__: Any) -> Any:
    raise ValueError("the department's own")


@pytest.mark.parametrize("mode", [BY_QUERY, BY_ENTITY], ids=["query", "entities"])
async def test_a_subject_of_graphql_is_a_record_itself(mode: dict[str, Any]) -> None:
    questions = (ask("arrears", "period", ACME, BETA), ask("awards", "title", ACME, BETA))
    async with (
        serve(register(company(ACME), {**company(BETA), "file": {"of": None}})) as server,
        connected(graphql.build, register_at(server.url, mode)) as connector,
    ):
        outcomes = await fetch(connector, *questions)
    for subject in (ACME, BETA):
        assert told(outcomes[subject, "arrears"], "period") == [(f"Name of {subject.value}",)]
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]
    assert outcomes[BETA, "awards"] == []
    assert "d0" not in server.requests[0].body.decode()
    async with serve(register()) as server, connected(graphql.build, register_at(server.url, mode)) as connector:
        assert [*(await fetch(connector, *questions)).values()] == [[], [], [], []]


async def test_an_error_fails_the_record_that_it_is_in_and_no_other() -> None:
    async def of(broken: str) -> dict[str, bool]:
        async with (
            serve(register({**company(ACME), broken: raising})) as server,
            connected(graphql.build, register_at(server.url)) as connector,
        ):
            outcomes = await fetch(connector, ask("arrears", "period"), ask("awards", "title"))
        return {name: isinstance(each, Failure) for (_, name), each in outcomes.items()}

    assert await of("names") == {"arrears": True, "awards": False}
    assert await of("file") == {"arrears": False, "awards": True}


async def test_another_subject_and_a_list_of_graphql() -> None:
    another = {**company(ACME), "names": {"legal": "other"}}

    def handle(found: Any) -> Handler:
        return always(answer({"data": {"q0": found}}))

    for wrong in ({"lei": BETA.value, **{k: v for k, v in another.items() if k != "lei"}}, [another], 7):
        async with serve(handle(wrong)) as server, connected(graphql.build, register_at(server.url)) as connector:
            assert await fault(connector, ask("arrears", "period")) == "SOURCE_INVALID"


async def test_what_a_graphql_department_has_otherwise_is_explained() -> None:
    lists: dict[str, Any] = {
        "arrears": {"field": "prize", "record": {**_RECORD, "id": "no"},
                    "fields": {"period": "name", "amount": "worth", "secret": "name"}}
    }  # fmt: skip
    prized = {**company(ACME), "prize": company(ACME)["file"]["of"]}
    async with serve(register(prized)) as server:
        ((key, what),) = await explained(graphql.build, register_at(server.url, datasets=lists))
        fits = await explained(graphql.build, register_at(server.url))
    assert (key, "write `one_record: true`" in what) == ("datasets.arrears.field", True)
    assert fits == []
    async with serve(always(answer({"data": {"q0": {"d0": []}}}))) as server:
        lists["arrears"]["one_record"] = True
        ((key, what),) = await explained(graphql.build, register_at(server.url, datasets=lists))
    assert (key, "a list of records, not one" in what) == ("datasets.arrears.one_record", True)


@pytest.mark.parametrize(
    ("datasets", "place", "words"),
    [
        ({**ITSELF, "awards": {**ITSELF["awards"], "field": None}}, "awards", "is the same list"),
        ({"awards": {**ITSELF["awards"], "one_record": False, "field": None}}, "awards", "`field` is missing"),
    ],
)
def test_a_subject_is_one_dataset_and_no_list(datasets: dict[str, Any], place: str, words: str) -> None:
    plain = {name: {key: value for key, value in each.items() if value is not None} for name, each in datasets.items()}
    node = written(register_at("https://courts.example", datasets=plain))
    graphql.build(node, SHAPES)
    assert places(node, words) == [f"datasets.{place}"]
