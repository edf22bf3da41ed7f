"""GraphQL departments over real sockets, executed by graphql-core: entities, query fields, and partial errors."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
from typing import Any

import msgspec
import pytest
from graphql import DocumentNode, ExecutionResult, GraphQLError, build_schema, execute, parse, validate

from connectors import graphql
from connectors.base import Failure, Fault, Subject
from tests.connectors.asking import ACME, ANN, BETA, SHAPES, ask, connected, fault, fetch, places, told, written
from tests.connectors.servers import Handler, Request, always, answer, serve, silent, zeros

SDL = """
scalar _Any
union _Entity = Organisation | Person
type Query {
  _entities(representations: [_Any!]!): [_Entity]!
  party(scheme: String!, number: ID!): Party
}
interface Party { scheme: String! value: String! files(closed: Boolean): Files prizes: [Prize!] }
type Organisation implements Party { scheme: String! value: String! files(closed: Boolean): Files prizes: [Prize!] }
type Person implements Party { scheme: String! value: String! files(closed: Boolean): Files prizes: [Prize!] }
type Files { nodes: [File!] }
type File { docket: ID! issue: Int! writ: String inForce: String debtor: Party! term: String sum: Money secret: String }
type Money { value: String unit: String }
type Prize { docket: ID! issue: Int! name: String debtor: Party! }
"""
SCHEMA = build_schema(SDL)


def mapped(files: str = "files > nodes") -> dict[str, Any]:
    record = {
        "id": "docket",
        "version": "issue",
        "subject": {"scheme": "debtor.scheme", "value": "debtor.value"},
    }
    return {
        "arrears": {
            "field": files,
            "record": {**record, "document": "writ", "effective": "inForce"},
            "fields": {"period": "term", "amount": "sum.value", "secret": "secret"},
        },
        "awards": {"field": "prizes", "record": record, "fields": {"title": "name"}},
    }


ENTITIES: dict[str, Any] = {"kind": "graphql", "entities": True, "limits": {"retries": 0, "timeout": "5s"}}
QUERY: dict[str, Any] = {
    "kind": "graphql",
    "query": "party(scheme: $scheme, number: $value)",
    "variables": {"value": "ID!"},
    "limits": {"retries": 0, "timeout": "5s"},
}
MODES = pytest.mark.parametrize("mode", [ENTITIES, QUERY], ids=["entities", "query"])


def party(subject: Subject, *, fail: str = "") -> dict[str, Any]:
    """A subject as the department holds it; reading the field `fail` is an error."""
    about = {
        "__typename": "Organisation" if subject.kind == "organisation" else "Person",
        "scheme": subject.scheme,
        "value": subject.value,
    }
    file = {
        "docket": "F-1", "issue": 3, "writ": "W", "inForce": "2026-01-01", "debtor": about, "term": "2025",
        "sum": {"value": "9.90", "unit": "EUR"}, "secret": "never to be seen",
    }  # fmt: skip
    held = {
        **about,
        "files": {"nodes": [file]},
        "prizes": [{"docket": "P-1", "issue": 1, "name": "Prize", "debtor": about}],
    }
    if fail:

        def failing(*_: Any, **__: Any) -> Any:
            raise ValueError(f"{fail} of {subject.value} is broken")

        held[fail] = failing
    return held


def executed(asked: Any, *parties: dict[str, Any]) -> Any:
    """What a server that holds these parties answers."""

    def find(scheme: str, value: str) -> dict[str, Any] | None:
        return next((p for p in parties if (p["scheme"], p["value"]) == (scheme, value)), None)

    root = {
        "_entities": lambda _, representations: [find(r["scheme"], r["value"]) for r in representations],
        "party": lambda _, scheme, number: find(scheme, number),
    }

    document = _document(asked["query"])
    if isinstance(document, ExecutionResult):
        return document.formatted
    done = execute(SCHEMA, document, root, variable_values=asked["variables"])
    assert isinstance(done, ExecutionResult)
    return done.formatted


@functools.cache
def _document(query: str) -> DocumentNode | ExecutionResult:
    """A document that holds by the schema, or what is wrong with it: the same one is sent again and again."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    wrong = validate(SCHEMA, document)
    return ExecutionResult(None, wrong) if wrong else document


def department(*parties: dict[str, Any]) -> Handler:
    """A department's GraphQL server that holds these parties."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(executed(json.loads(request.body), *parties)))

    return handle


def config(mode: dict[str, Any], url: str) -> dict[str, Any]:
    return {**mode, "url": url + "/graphql", "datasets": mapped("files(closed: false) > nodes")}


@MODES
async def test_everything_is_one_request(mode: dict[str, Any]) -> None:
    parties = [party(ACME), party(BETA), party(ANN)]
    async with serve(department(*parties)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        outcomes = await fetch(
            connector, ask("arrears", "period amount", ACME, BETA, ANN), ask("awards", "title", ACME)
        )
    for subject in (ACME, BETA, ANN):
        assert told(outcomes[subject, "arrears"], "period", "amount") == [("2025", "9.90")]
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]
    assert len(server.requests) == 1


@MODES
async def test_every_record_of_a_list_is_read_in_its_order(mode: dict[str, Any]) -> None:
    acme = party(ACME)
    (prize,) = acme["prizes"]
    acme["prizes"] = [{**prize, "docket": f"P-{number}", "name": f"Prize {number}"} for number in (2, 1, 3)]
    async with serve(department(acme)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        outcomes = await fetch(connector, ask("awards", "title", ACME))
    assert told(outcomes[ACME, "awards"], "title") == [("Prize 2",), ("Prize 1",), ("Prize 3",)]


@MODES
async def test_the_selection_holds_the_requested_fields_only(mode: dict[str, Any]) -> None:
    async with (
        serve(department(party(ACME))) as server,
        connected(graphql.build, config(mode, server.url)) as connector,
    ):
        await fetch(connector, ask("arrears", "period"))
    sent = server.requests[0].text
    assert "term" in sent
    for name in ("sum", "secret", "prizes", "unit"):
        assert name not in sent
    document = json.loads(server.requests[0].body)["query"]
    assert ACME.value not in document


@MODES
async def test_the_same_dataset_with_other_fields_for_another_subject(mode: dict[str, Any]) -> None:
    parties = [party(ACME), party(BETA)]
    async with serve(department(*parties)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period", ACME), ask("arrears", "amount", BETA))
    assert told(outcomes[ACME, "arrears"], "period") == [("2025",)]
    assert told(outcomes[BETA, "arrears"], "amount") == [("9.90",)]
    assert len(server.requests) == 1


@MODES
async def test_an_unknown_subject_has_no_records(mode: dict[str, Any]) -> None:
    async with (
        serve(department(party(ACME))) as server,
        connected(graphql.build, config(mode, server.url)) as connector,
    ):
        outcomes = await fetch(connector, ask("arrears", "period", BETA, ACME), ask("awards", "title", BETA))
    assert (outcomes[BETA, "arrears"], outcomes[BETA, "awards"]) == ([], [])
    assert told(outcomes[ACME, "arrears"], "period") == [("2025",)]


@MODES
async def test_an_error_fails_its_dataset_and_nothing_else(mode: dict[str, Any]) -> None:
    parties = [party(ACME, fail="files"), party(BETA)]
    async with serve(department(*parties)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        outcomes = await fetch(
            connector, ask("arrears", "period", ACME, BETA), ask("awards", "title", ACME), ask("other", "x")
        )
    failed = outcomes[ACME, "arrears"]
    assert isinstance(failed, Failure)
    assert failed.fault is Fault.UNAVAILABLE
    assert "broken" not in failed.detail
    assert told(outcomes[BETA, "arrears"], "period") == [("2025",)]
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]
    assert isinstance(outcomes[ACME, "other"], Failure)


@MODES
async def test_a_record_of_another_subject_fails_its_dataset_and_nothing_else(mode: dict[str, Any]) -> None:
    confused = party(ACME)
    confused["files"]["nodes"][0]["debtor"] = party(BETA)
    async with serve(department(confused)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        outcomes = await fetch(connector, ask("arrears", "period"), ask("awards", "title"))
    failed = outcomes[ACME, "arrears"]
    assert isinstance(failed, Failure)
    assert failed.fault is Fault.INVALID
    assert told(outcomes[ACME, "awards"], "title") == [("Prize",)]


@MODES
async def test_a_list_that_is_null_without_an_error_is_invalid(mode: dict[str, Any]) -> None:
    for broken in ({**party(ACME), "files": None}, {**party(ACME), "files": {"nodes": None}}):
        async with serve(department(broken)) as server, connected(graphql.build, config(mode, server.url)) as connector:
            assert await fault(connector) == "SOURCE_INVALID"


@MODES
@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (always(answer({"errors": [{"message": "no"}]})), Fault.UNAVAILABLE),
        (always(answer({"data": {"q0": []}, "errors": [{"message": "no"}]})), Fault.UNAVAILABLE),
        (always(answer({"data": {"q0": None}, "errors": [{"message": "no", "path": ["q0"]}]})), Fault.UNAVAILABLE),
        (always(answer({"errors": [{"message": "no"}]}, 400)), Fault.UNAVAILABLE),
        (always(answer({"data": None})), Fault.INVALID),
        (always(answer({})), Fault.INVALID),
        (always(answer({"data": {}})), Fault.INVALID),
        (always(answer({"data": {"q0": 1}})), Fault.INVALID),
        (always(answer({"data": {"q0": [{"d0": 1}]}})), Fault.INVALID),
        (always(answer({"data": {"q0": [{}, {}]}})), Fault.INVALID),
        (always(answer({"data": {"q0": {"d0": {"step": []}, "d1": 1}}, "errors": [{"path": "q0"}]})), Fault.INVALID),
        (always(answer([])), Fault.INVALID),
        (always(answer(b"garbage")), Fault.INVALID),
        (always(answer(b'{"data": null, "data": {"q0": [null]}}')), Fault.INVALID),
        (always(zeros(10)), Fault.INVALID),
        (always(answer({}, 308, location="/x")), Fault.INVALID),
        (silent, Fault.TIMEOUT),
    ],
)
async def test_whatever_goes_wrong_is_one_of_the_contracts_faults(
    mode: dict[str, Any], handler: Handler, expected: Fault
) -> None:
    short = {**mode, "limits": {"retries": 0, "timeout": "300ms"}}
    async with serve(handler) as server, connected(graphql.build, config(short, server.url)) as connector:
        assert await fault(connector) == expected


@MODES
@pytest.mark.parametrize(
    "path", [["elsewhere"], ["q0", 7, "d0"], ["q0", 0, "d9"], ["q9"], [0], ["q0", "d0", "x"], ["q0", 0, "d0", "x"]]
)
async def test_an_error_about_what_nobody_asked_for_is_invalid(mode: dict[str, Any], path: list[Any]) -> None:
    """A path that leads to a place fails that place; any other makes it unsure what the answer is about."""
    good = executed_alone(mode)
    here = path[:3] == ["q0", 0, "d0"] if mode is ENTITIES else path[:2] == ["q0", "d0"]
    told = answer({**good, "errors": [{"message": "no", "path": path}]})
    async with serve(always(told)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        assert await fault(connector) == ("SOURCE_UNAVAILABLE" if here else "SOURCE_INVALID")


def executed_alone(mode: dict[str, Any]) -> Any:
    files = {"step": [{"docket": "F-1"}]}
    return {"data": {"q0": [{"d0": files}] if mode is ENTITIES else {"d0": files}}}


@MODES
async def test_more_errors_than_there_can_be_are_not_looked_through(mode: dict[str, Any]) -> None:
    told = answer({**executed_alone(mode), "errors": [{"path": ["q0"]}] * 2000})
    async with serve(always(told)) as server, connected(graphql.build, config(mode, server.url)) as connector:
        assert await fault(connector) == "SOURCE_INVALID"


@MODES
async def test_an_answer_has_no_more_records_than_its_limit(mode: dict[str, Any]) -> None:
    limited = {**mode, "limits": {"retries": 0, "records": 3}}
    parties = [party(ACME), party(BETA)]
    async with (
        serve(department(*parties)) as server,
        connected(graphql.build, config(limited, server.url)) as connector,
    ):
        both = [ask("arrears", "period", ACME, BETA), ask("awards", "title", ACME, BETA)]
        assert await fault(connector, *both) == "SOURCE_INVALID"
        outcomes = await fetch(connector, both[0], ask("awards", "title", ACME))
    assert not any(isinstance(outcome, Failure) for outcome in outcomes.values())


async def test_a_kind_of_subject_that_the_department_does_not_know_fails_alone() -> None:
    only = {**ENTITIES, "types": {"organisation": "Organisation"}}
    async with (
        serve(department(party(ACME))) as server,
        connected(graphql.build, config(only, server.url)) as connector,
    ):
        outcomes = await fetch(connector, ask("arrears", "period", ACME, ANN))
        assert isinstance(outcomes[ANN, "arrears"], Failure)
        assert told(outcomes[ACME, "arrears"], "period") == [("2025",)]
        assert await fault(connector, ask("arrears", "period", ANN)) == "SOURCE_UNAVAILABLE"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"entities": None}, ("query",), "is missing: a field"),
        ({"query": "x(v: $value)"}, ("query",), "no use with"),
        ({"entities": False, "types": {}}, ("types",), "no use without"),
        ({"types": {"organization": "X"}}, ("types", "organization"), "did you mean `organisation`?"),
        ({"types": {"person": "a b"}}, ("types", "person"), "must be a GraphQL name"),
        ({"entities": False, "query": "party("}, ("query",), "not a GraphQL field"),
        ({"entities": False, "query": "party { x }"}, ("query",), "without alias"),
        ({"entities": False, "query": "a b"}, ("query",), "one field"),
        ({"entities": False, "query": "party(a: $id)"}, ("query",), "`$id` is unknown"),
        ({"entities": False, "query": "party(a: $scheme)"}, ("query",), "must use `$value`"),
        ({"entities": False, "query": {"person": "party"}}, ("query", "person"), "must use `$value`"),
        (
            {"datasets": {"awards": {**mapped()["awards"], "records": "x"}}},
            ("datasets", "awards", "records"),
            "unknown key",
        ),
        ({"datasets": {"awards": {**mapped()["awards"], "field": "a > $b"}}}, ("datasets", "awards", "field"), "not a"),
        (
            {"datasets": {"awards": {**mapped()["awards"], "fields": {"title": "a-b"}}}},
            ("datasets", "awards", "fields", "title"),
            "`a-b` must be of GraphQL names",
        ),
        ({"url": None}, (), "`url` is missing"),
        ({"keys": {"scheme": "id", "value": "id"}}, ("keys", "value"), "is both keys"),
        ({"keys": {"scheme": "value"}}, ("keys", "scheme"), "is both keys"),
        (
            {"datasets": {**mapped(), "awards": {**mapped()["awards"], "field": mapped()["arrears"]["field"]}}},
            ("datasets", "awards"),
            "is the same list as `arrears`",
        ),
    ],
)
def test_a_wrong_configuration_says_where_and_what(change: dict[str, Any], where: tuple[str, ...], words: str) -> None:
    good = {**ENTITIES, "url": "https://courts.example/graphql", "datasets": mapped()}
    node = written({**good, **change})
    graphql.build(node, SHAPES)
    assert places(node, words) == [".".join(where)], node.problems


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("party(number: $value)", "query"),
        ({"organisation": "party(number: $value)", "person": "party(number: $value)"}, "query.organisation"),
        ({"organisation": "party(scheme: $scheme, number: $value)", "person": "party(number: $value)"}, None),
    ],
)
def test_a_field_that_finds_several_subjects_is_no_question_where_records_name_none(
    query: Any, where: str | None
) -> None:
    schemes: Any = {"organisation": ("LEI", "VAT"), "person": ("PIN",)}
    shapes = {name: msgspec.structs.replace(shape, schemes=schemes) for name, shape in SHAPES.items()}
    for nobody in (True, False):
        datasets = mapped()
        if nobody:
            datasets["awards"]["record"] = {**datasets["awards"]["record"], "subject": {"not_returned": "old"}}
        node = written({**QUERY, "url": "https://courts.example/graphql", "query": query, "datasets": datasets})
        graphql.build(node, shapes)
        assert places(node, "must use `$scheme` too") == ([where] if nobody and where else []), node.problems


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
async def test_a_damaged_answer_does_not_open_the_breaker(transport: str) -> None:
    raw = answer(gzip.compress(b'{"data": {}}')[:-8] + bytes(8), content_encoding="gzip")
    async with serve(always(raw)) as server:
        limits = {"breaker": {"failures": 1}, "retries": 2}
        given = {**config(ENTITIES, server.url), "transport": transport, "limits": limits}
        async with connected(graphql.build, given) as connector:
            assert [await fault(connector) for _ in range(3)] == ["SOURCE_INVALID"] * 3
    assert len(server.requests) == 3
