"""Whatever stands in variables, an operation is answered or refused: none makes a defect of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import world as worlds
from tests.world import Ask, Reply, World

INQUIRY = """query($id: IdentifierInput!, $case: String!) @inquiry(purpose: LICENCE_RENEWAL, case: $case) {
  organisation(id: $id) { scheme value } }"""
ENTITIES = """query($of: [_Any!]!) @inquiry(purpose: LICENCE_RENEWAL) {
  _entities(representations: $of) { ... on Organisation { scheme value } } }"""
RECEIPTS = "query($after: String, $first: Int) { receipts(after: $after, first: $first) { cursor } }"
LEI = {"scheme": "LEI", "value": "DUTY0000000000000197"}

JSON = st.recursive(
    st.sampled_from([None, True, 0, -1, 2**40, 1.5, "", "LEI", "PIN", "Organisation", "DUTY0000000000000197", "\x00"]),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(st.sampled_from(["scheme", "value", "__typename", "x"]), each, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


def asked(world: World, query: str, variables: Any) -> Reply:
    return world.ask(Ask(world.requester("market-regulator", official="m.ivanova"), query, variables))


@pytest.mark.parametrize("scheme", [["LEI"], {"LEI": 1}, [], {}, None, True, 1, 1.5, "", "lei"])
def test_a_scheme_that_is_none_is_refused(world: World, scheme: Any) -> None:
    reply = asked(world, INQUIRY, {"id": {**LEI, "scheme": scheme}, "case": "C-1"})
    assert (reply.answer.status, reply.codes) == (400, ["GRAPHQL_VARIABLES_INVALID"])
    assert len(reply.entries) == 1


@settings(max_examples=75, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(query=st.sampled_from([INQUIRY, ENTITIES, RECEIPTS]), drawn=st.lists(JSON, min_size=3, max_size=3))
def test_no_variables_are_a_defect(world: World, query: str, drawn: list[Any]) -> None:
    one, two, three = drawn
    names = {INQUIRY: ("id", "case", "x"), ENTITIES: ("of", "x", "y"), RECEIPTS: ("after", "first", "x")}[query]
    for variables in (dict(zip(names[:1], [one], strict=True)), dict(zip(names[:2], [one, two], strict=True)),
                      {names[0]: [one, {"scheme": two, "value": three, "__typename": "Organisation"}]},
                      {names[0]: {"scheme": two, "value": three}, names[1]: one}):  # fmt: skip
        reply = asked(world, query, variables)
        assert "INTERNAL" not in reply.codes, variables
        assert reply.answer.status in (200, 400), variables


CURSORS = (
    "99999999999999999999-1", "1-99999999999999999999", "9223372036854775808-0", "1" * 5000 + "-1", "-1-1", "1--1",
    " 1-1", "1-1 ", "1 - 1", "1-1\n", "+1-1", "1_0-1", "01-1", "1-01", "1", "1-", "-1", "1-1-1", "1.0-1", "0x1-1",
    "٣-١", "１-1", "²-1", "1\u20111", "nowhere", "\x00",
)  # fmt: skip


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_is_none_is_refused(world: World, cursor: str) -> None:
    reply = asked(world, RECEIPTS, {"after": cursor})
    assert (reply.answer.status, reply.codes) == (400, ["GRAPHQL_VARIABLES_INVALID"])
    assert reply.errors[0]["path"] == ["receipts"]


@pytest.mark.parametrize("cursor", ["0-0", f"{2**63 - 1}-{2**63 - 1}", ""])
def test_a_cursor_of_any_place_is_taken(world: World, cursor: str) -> None:
    assert asked(world, RECEIPTS, {"after": cursor}).answer.status == 200


def test_a_page_goes_on_after_its_cursor(world: World) -> None:
    for _ in range(3):
        asked(world, INQUIRY, {"id": LEI, "case": "C-1"})
    rows = asked(world, RECEIPTS, {"first": 100}).data["receipts"]
    assert len(rows) >= 3
    for place, row in enumerate(rows[:5]):
        after = asked(world, RECEIPTS, {"first": 2, "after": row["cursor"]}).data["receipts"]
        assert after == rows[place + 1 : place + 3]
