"""Whom one inquiry may name: one person, or up to twenty organisations, each by a valid identifier; never a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.demo.organisations import organisation
from deploy.demo.people import person
from gateway.inquiry.document.acts import ACT_QUERIES
from tests.journeys.asking import OFFICIALS, entered, entries

if TYPE_CHECKING:
    from tests.conftest import World

MANY = """query($ids: [IdentifierInput!]!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisations(ids: $ids) { scheme value name businessLicences { number } } }"""
ONE = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { scheme value name } }"""


def leis(first: int, count: int) -> list[dict[str, str]]:
    return [{"scheme": "LEI", "value": organisation(number).lei} for number in range(first, first + count)]


def pin(number: int) -> dict[str, str]:
    return {"scheme": "PIN", "value": person(number).identifier[1]}


def test_twenty_organisations_in_their_order(world: World) -> None:
    ids = leis(100, 19) + leis(10_500, 1)
    with entered(world):
        reply = world.ask("market-regulator", MANY, {"ids": ids})
    assert reply.status == 200
    assert not reply.errors
    found = reply.data["organisations"]
    assert [{"scheme": one["scheme"], "value": one["value"]} for one in found] == ids
    assert found[-1] == {**ids[-1], "name": None, "businessLicences": []}  # nobody's, yet an object
    assert sum(one["name"] is not None for one in found) > 10


def test_a_subject_named_twice_counts_once_and_is_told_twice(world: World) -> None:
    ids = leis(100, 20) + leis(105, 3)
    reply = world.ask("market-regulator", MANY, {"ids": ids})
    assert reply.status == 200
    assert reply.data["organisations"][20:] == reply.data["organisations"][5:8]


def test_twenty_one_are_refused_and_entered(world: World) -> None:
    with entered(world):
        reply = world.ask("market-regulator", MANY, {"ids": leis(100, 21)})
    assert (reply.status, reply.codes, reply.data) == (400, ["LIMIT_EXCEEDED"], None)
    assert reply.inquiry["receipt"]


def test_twenty_one_over_aliases_and_entities_are_refused(world: World) -> None:
    query = """query($a: [IdentifierInput!]!, $b: IdentifierInput!, $c: [_Any!]!) @inquiry(purpose: LICENCE_RENEWAL) {
      x: organisations(ids: $a) { name } y: organisation(id: $b) { name }
      _entities(representations: $c) { ... on Organisation { name } } }"""
    variables = {
        "a": leis(100, 15),
        "b": leis(115, 1)[0],
        "c": [{"__typename": "Organisation", **one} for one in leis(110, 11)],
    }
    assert world.ask("market-regulator", query, variables).codes == ["LIMIT_EXCEEDED"]
    variables["c"] = variables["c"][:10]
    assert world.ask("market-regulator", query, variables).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        "a: person(id: $p) { name } b: person(id: $q) { name }",
        "person(id: $p) { name } organisation(id: $o) { name }",
        "person(id: $p) { name } organisations(ids: [$o]) { name }",
    ],
)
def test_a_person_is_asked_about_alone(world: World, fields: str) -> None:
    variables = {"p": pin(100), "q": pin(101), "o": leis(100, 1)[0]}
    used = {name: value for name, value in variables.items() if f"${name}" in fields}
    declared = " ".join(f"${name}: IdentifierInput!" for name in used)
    query = f"query({declared}) @inquiry(purpose: SUBSIDY_ASSESSMENT) {{ {fields} }}"
    with entered(world):
        reply = world.ask("labour-office", query, used, official="l.moreau")
    assert (reply.status, reply.codes, reply.data) == (400, ["LIMIT_EXCEEDED"], None)


def test_one_person_may_be_named_twice(world: World) -> None:
    query = """query($p: IdentifierInput!) @inquiry(purpose: SUBSIDY_ASSESSMENT) {
      a: person(id: $p) { name } b: person(id: $p) { value name } }"""
    reply = world.ask("labour-office", query, {"p": pin(100)}, official=OFFICIALS["labour-office"])
    assert reply.data["a"]["name"] == reply.data["b"]["name"] == person(100).name


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("LEI", "XX"),
        ("LEI", ""),
        ("LEI", "9DBX00P78EZM4408ME18"),
        ("LEI", "9" * 500),
        ("PIN", "1234567890"),
        ("PIN", ""),
    ],
)
def test_a_wrong_identifier_is_refused_and_entered(world: World, scheme: str, value: str) -> None:
    with entered(world):
        reply = world.ask("market-regulator", ONE, {"id": {"scheme": scheme, "value": value}})
    assert (reply.status, reply.codes, reply.data) == (400, ["IDENTIFIER_INVALID"], None)


def test_an_identifier_is_echoed_in_canonical_form(world: World) -> None:
    lei = organisation(100).lei
    reply = world.ask("market-regulator", ONE, {"id": {"scheme": "LEI", "value": lei.lower()}})
    assert reply.data["organisation"]["value"] == lei


def test_entities_name_subjects_like_the_roots(world: World) -> None:
    query = """query($r: [_Any!]!) @inquiry(purpose: LICENCE_RENEWAL) {
      _entities(representations: $r) { __typename ... on Organisation { name value } } }"""
    good = {"__typename": "Organisation", **leis(100, 1)[0]}
    reply = world.ask("market-regulator", query, {"r": [good]})
    assert reply.data["_entities"] == [
        {"__typename": "Organisation", "name": organisation(100).name, "value": organisation(100).lei}
    ]
    for bad in (
        {**good, "__typename": "Nobody"},
        {**good, "value": "XX"},
        {"__typename": "Organisation"},
        {},
        "x",
        None,
    ):
        with entered(world):
            refused = world.ask("market-regulator", query, {"r": [bad]})
        assert refused.status == 400
        assert refused.codes in (["IDENTIFIER_INVALID"], ["GRAPHQL_VARIABLES_INVALID"])


def test_nothing_lists_searches_or_counts_subjects(world: World) -> None:
    query = """{ __schema { queryType { fields { name args { name type { kind } } type { ofType { name } } } }
      types { name fields { name } } } }"""
    schema = world.ask("market-regulator", query).data["__schema"]
    fields = schema["queryType"]["fields"]
    named = {field["name"]: field["args"] for field in fields}
    own = set(ACT_QUERIES)
    assert set(named) == own | {
        "organisation", "organisations", "person", "permissions", "catalogue", "receipts", "_entities", "_service"
    }  # fmt: skip
    types = {each["name"]: {field["name"] for field in each["fields"] or ()} for each in schema["types"]}
    for field in fields:
        if field["name"] in own:  # one's own, or one's department's: asked for by state and page, and never counted
            by = {"detector"} if field["name"] == "findings" else set()  # one of a few, that names no subject
            assert {argument["name"] for argument in field["args"]} <= {"state", "after", "first"} | by
            assert field["name"] == "me" or types[field["type"]["ofType"]["name"]] == {"items", "next"}
    for name in ("organisation", "organisations", "person", "_entities"):
        assert [argument["type"]["kind"] for argument in named[name]] == ["NON_NULL"]


def test_what_names_nobody_leaves_no_entry(world: World) -> None:
    before = entries(world)
    for query in ("{ catalogue { id } }", "{ __schema { types { name } } }", "{ __typename }", "{ _service { sdl } }",
                  "{ permissions(purpose: LICENCE_RENEWAL) { field } }", "{ receipts { id } }"):  # fmt: skip
        reply = world.ask("market-regulator", query)
        assert reply.status == 200
        assert "extensions" not in reply.body
    assert entries(world) == before
