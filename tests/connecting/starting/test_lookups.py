"""What is made of look-ups of one object, by POST and in XML: it is asked as it is written, without a line by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors import rest
from connectors.base import DatasetShape, FieldType, Subject
from tests.connecting.starting.making import TEXT, api, body, gateway, get_one, of_openapi, post, record
from tests.connecting.starting.test_graphql import introspected, of_file
from tests.connectors.asking import ask, fetch, told, written
from tests.connectors.servers import Request, answer, serve

ACME = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
NOTICE = {"noticeNo": "N-1", "version": "3", "lei": ACME.value, "due": "2026"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path)


async def asked_as_proposed(dataset: Mapping[str, Any], reply: str | bytes) -> Request:
    """The question that a proposal without gaps leads to; what it is answered must be the one notice."""
    shape = DatasetShape("tax-found", dict.fromkeys(dataset["fields"], FieldType.STRING), {"organisation": ("LEI",)})

    async def handle(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(reply if isinstance(reply, bytes) else reply.encode()))

    async with serve(handle) as server:
        node = written({"kind": "rest", "base_url": server.url, "datasets": {"tax-found": dataset}})
        connector = rest.build(node, {"tax-found": shape})
        assert node.problems == []
        try:
            outcomes = await fetch(connector, ask("tax-found", " ".join(dataset["fields"]), ACME))
        finally:
            await connector.close()
    assert told(outcomes[ACME, "tax-found"], "due") == [("2026",)]
    return server.requests[0]


async def test_an_object_is_one_record(config: Path) -> None:
    made = of_openapi(config, api({"/companies/{lei}/notice": get_one(record(due=TEXT))}))
    dataset = made.datasets()["tax-notice"]
    assert dataset["one_record"] is True
    assert "records" not in dataset
    assert "see that `lei` names a subject" in made.line("guess: the answer is one object")
    assert (await asked_as_proposed(dataset, json.dumps(NOTICE))).target == f"/companies/{ACME.value}/notice"


async def test_an_object_within_another_is_one_record(config: Path) -> None:
    within = {"properties": {"data": {"properties": {"notice": record(due=TEXT)}}, "meta": {"properties": {"a": TEXT}}}}
    dataset = of_openapi(config, api({"/companies/{lei}/notice": get_one(within)})).datasets()["tax-notice"]
    assert dataset["records"] == "data.notice"
    await asked_as_proposed(dataset, json.dumps({"data": {"notice": NOTICE}, "meta": None}))


def test_a_list_stays_a_list_unless_the_object_around_it_is_the_record(config: Path) -> None:
    officers = {"type": "array", "items": {"properties": {"name": TEXT}}}
    bare = {
        "type": "object",
        "properties": {"apiVersion": TEXT, "requestId": TEXT, "items": {"type": "array", "items": record(due=TEXT)}},
    }
    made = of_openapi(
        config,
        api({
            "/companies/{lei}/entry": get_one(record(officers=officers)),
            "/companies/{lei}/officers": get_one({"properties": {"total": {"type": "integer"}, "officers": officers}}),
            "/companies/{lei}/notices": get_one(bare),
            "/notices/{noticeNo}": get_one(record(due=TEXT)),
        }),
    )  # fmt: skip
    found = made.datasets()
    assert list(found) == ["tax-officers", "tax-notices", "tax-entry"], "lists come first"
    assert [each.get("one_record", False) for each in found.values()] == [False, False, True]
    assert "one of the records that `GET /companies/{lei}/notices` lists" in made.line("GET /notices/{noticeNo}")
    assert made.line("passed over: the list `officers` of the same answer")


@pytest.mark.parametrize(
    ("asked", "filled"),
    [
        (body("lei", lei=TEXT), {"lei": ACME.value}),
        (body(lei=TEXT, since=TEXT), {"lei": ACME.value}),
        (
            body("number", "idType", "mode", "final", number=TEXT, idType=TEXT, mode={"enum": ["one"]},
                 final={"const": True}),
            {"idType": "LEI", "number": ACME.value, "mode": "one", "final": True},
        ),
        (
            body(employer=body("idNo", "idType", idNo=TEXT, idType=TEXT), other=body("x", x=TEXT)),
            {"employer": {"idNo": ACME.value, "idType": "LEI"}},
        ),
    ],
    ids=["one", "optional", "constants", "nested"],
)  # fmt: skip
async def test_a_look_up_by_post(config: Path, asked: dict[str, Any], filled: dict[str, Any]) -> None:
    made = of_openapi(config, api({"/notices/search": post(asked)}, openapi="3.1.0"))
    dataset = made.datasets()["tax-notices"]
    assert (dataset["method"], "safe" in dataset) == ("POST", False)
    assert "asking again changes nothing" in made.line("# safe: true")
    question = await asked_as_proposed(dataset, json.dumps([NOTICE]))
    assert (question.method, question.target, json.loads(question.body)) == ("POST", "/notices/search", filled)


def test_what_a_post_needs_to_be_proposed(config: Path) -> None:
    by_lei = body("lei", lei=TEXT)
    paths = {
        "/a/notices": post(by_lei),
        "/b/search": post(by_lei, operationId="createSearch"),
        "/c/search": post(body("lei", "year", lei=TEXT, year={"type": "integer"})),
        "/d/search": post(body("text", text=TEXT)),
        "/e/search": post(by_lei, parameters=[{"name": "q", "in": "query", "required": True, "schema": TEXT}]),
        "/f/{lei}/search": post(by_lei),
        "/g/search": {"post": {"responses": post(by_lei)["post"]["responses"]}},
        "/h/search": {"post": {**post(by_lei)["post"], "responses": {"201": {}}}},
        "/i/search": post({"$ref": "https://elsewhere.example/body.json"}),
        "/j/search": {"put": post(by_lei)["post"]},
        "/k/search": post(body("lei", "all", lei=TEXT, all=body("x", x=TEXT))),
        "/notices": post(by_lei, operationId="findNotices"),
    }
    made = of_openapi(config, api(paths))
    assert list(made.datasets()) == ["tax-notices"]
    for path, why in [
        ("/a/", "does not only look up"),
        ("/b/", "does not only look up"),
        ("/c/", "needs `year`"),
        ("/d/", "would list or search all"),
        ("/e/", "needs the parameter `q`"),
        ("/f/", "in the body alone"),
        ("/g/", "its question is not described as JSON"),
        ("/h/", "does not describe its answer"),
        ("/i/", "is no place in the document"),
        ("/j/", "only GET is proposed"),
        ("/k/", "needs `all.x`"),
    ]:
        assert why in made.line(f" {path}"), path


def named(name: str, schema: Mapping[str, Any], **xml: Any) -> dict[str, Any]:
    return {**schema, "xml": {"name": name, **xml}}


NOTICE_XML = named("notice", record(due=TEXT, version={**TEXT, "xml": {"attribute": True, "name": "rev"}}))
ELEMENT = f'<notice rev="3"><noticeNo>N-1</noticeNo><lei>{ACME.value}</lei><due>2026</due></notice>'


@pytest.mark.parametrize(
    ("schema", "records", "reply"),
    [
        (named("notice", NOTICE_XML), "notice", ELEMENT),
        (named("reply", body(notices={"type": "array", "items": NOTICE_XML})), "reply.notice",
         f"<reply>{ELEMENT}</reply>"),
        (
            named("reply", body(all=named("list", {"type": "array", "items": NOTICE_XML}, wrapped=True))),
            "reply.list.notice",
            f'<a:reply xmlns:a="urn:a"><a:list>{ELEMENT}</a:list></a:reply>',
        ),
        (named("list", {"type": "array", "items": NOTICE_XML}, wrapped=True), "list.notice", f"<list>{ELEMENT}</list>"),
        (named("reply", body(notice=NOTICE_XML)), "reply.notice", f"<reply>{ELEMENT}</reply>"),
        ({"$ref": "#/components/schemas/Notice"}, "Notice",
         ELEMENT.replace("<n", "<N", 1).replace("/notice>", "/Notice>")),
    ],
    ids=["root", "list", "wrapped", "root list", "within", "by its schema"],
)  # fmt: skip
async def test_an_answer_in_xml(config: Path, schema: Any, records: str, reply: str) -> None:
    bare = {name: each for name, each in NOTICE_XML.items() if name != "xml"}
    paths = {"/companies/{lei}/notices": get_one(schema, kind="application/xml; charset=utf-8")}
    dataset = of_openapi(config, api(paths, components={"schemas": {"Notice": bare}})).datasets()["tax-notices"]
    assert (dataset["format"], dataset["records"], dataset["record"]["version"]) == ("xml", records, "@rev")
    assert (await asked_as_proposed(dataset, reply)).headers["accept"] == "application/xml"


def test_json_comes_before_xml_and_a_root_without_a_name_is_a_gap(config: Path) -> None:
    both = get_one(record(due=TEXT), kind="text/xml")
    both["get"]["responses"]["200"]["content"]["application/json"] = {"schema": record(due=TEXT)}
    paths = {"/companies/{lei}/papers": both, "/companies/{lei}/notices": get_one(record(due=TEXT), kind="text/xml"),
             "/companies/{lei}/scans": get_one(record(), kind="image/png")}  # fmt: skip
    made = of_openapi(config, api(paths))
    assert "format" not in made.datasets()["tax-papers"]
    assert made.datasets()["tax-notices"]["records"] is None
    assert "which is not named" in made.line("records:  # gap")
    assert "is not described as JSON or XML" in made.line("/companies/{lei}/scans")


REGISTER = """
type Query { company(lei: ID!): Company }
type Company { lei: ID! entryNo: ID! revision: Int name: String seat: Address licence: Licence board: [Member!] }
type Address { street: String }
type Licence { licenceNo: ID! lei: ID! version: Int scope: String }
type Member { no: ID version: Int role: String }
"""


def test_a_subject_of_graphql_and_an_object_on_it_are_records(config: Path) -> None:
    made = of_file(config, introspected(REGISTER))
    found = made.datasets()
    assert list(found) == ["tax-board", "tax-licence", "tax-company"]
    assert [each.get("field") for each in found.values()] == ["board", "licence", None]
    assert [each.get("one_record", False) for each in found.values()] == [False, True, True]
    assert found["tax-company"]["record"] == {
        "id": "entryNo", "version": "revision", "subject": {"scheme": {"const": "LEI"}, "value": "lei"},
    }  # fmt: skip
    assert found["tax-company"]["fields"] == {"entryNo": "entryNo", "name": "name", "seatStreet": "seat.street"}
    bare = of_file(
        config, introspected("type Query { company(lei: ID!): Company } type Company { lei: ID! name: String }")
    )
    [only] = bare.datasets().values()
    assert (only["one_record"], only["record"]["version"]) == (True, None)
