"""The gateway as a Federation v2 subgraph, by Apollo's own composition and gateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Client
from tests.conftest import World

DOCUMENT = """
query { permit(number: "P-1") { number holder { scheme value name taxArrears { period amount currency } } } }
"""


@pytest.fixture(scope="module")
def sdl(world: World) -> str:
    told = world.ask("market-regulator", "{ _service { sdl } }")
    return str(told.data["_service"]["sdl"])


def test_composition_takes_the_subgraph(world: World, client: Client, sdl: str) -> None:
    composed = client("compose", {"url": world.graphql, "sdl": sdl})
    assert composed["errors"] == []
    assert "type Organisation" in composed["supergraph"]
    assert "type Permit" in composed["supergraph"]
    for act in ("grantConsent(", "confirm(", "returnPermit(", "union Confirmed", "me: Me!", "onBehalf: OnBehalfInput"):
        assert act in composed["supergraph"], act


def test_apollo_gateway_reads_a_subject(world: World, client: Client, sdl: str) -> None:
    """Through `_entities`, with the declaration in the `Inquiry` header, as a direct inquiry reads it."""
    subject = world.subject("ordinary")
    case, official = world.case("market-regulator", subject), "m.ivanova"
    token = world.token("market-regulator", official=official)
    before = _receipts(world)
    answer = _federate(world, client, sdl, token, f'purpose=TENDER_QUALIFICATION, case="{case}"')
    assert "errors" not in answer
    assert len(_receipts(world) - before) == 1
    holder = answer["data"]["permit"]["holder"]
    assert [holder["scheme"], holder["value"]] == [subject["scheme"], subject["value"]]
    assert any("_entities" in query for query in answer["sent"])
    direct = world.ask(
        "market-regulator",
        "query Q($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) "
        "{ organisation(id: $id) { scheme value name taxArrears { period amount currency } } }",
        {"id": subject, "case": case},
        official=official,
    )
    assert holder == direct.data["organisation"]
    assert isinstance(holder["name"], str)


def test_without_the_header_nothing_is_read(world: World, client: Client, sdl: str) -> None:
    answer = _federate(world, client, sdl, world.token("market-regulator"), None)
    [error] = answer["errors"]  # Apollo's own, about the answer that its subgraph gave
    answered = error["extensions"]["response"]
    assert answered["status"] == 400
    assert [own["extensions"]["code"] for own in answered["body"]["errors"]] == ["INQUIRY_REQUIRED"]
    holder = answer["data"]["permit"]["holder"]
    assert holder["name"] is None
    assert holder["taxArrears"] is None


def test_apollo_gateway_hands_an_act_on_alone(world: World, client: Client, sdl: str) -> None:
    """Its own operation names and `__typename` stand in no act's way: what is refused here is the token's scope."""
    token = world.token("market-regulator")
    for document in (
        "{ me { __typename value matters { id kind } } }",
        'mutation { confirm(id: "1") { ... on Change { event } ... on Matter { outcome } } }',
    ):
        answer = _federate(world, client, sdl, token, None, document)
        [error] = answer["errors"]
        answered = error["extensions"]["response"]
        assert answered["status"] == 403
        assert [own["extensions"]["code"] for own in answered["body"]["errors"]] == ["FORBIDDEN"]


def _receipts(world: World) -> set[str]:
    """The ids of the official's inquiries so far, a page at a time."""
    found: set[str] = set()
    after = None
    while True:
        query = "query R($after: String) { receipts(after: $after, first: 100) { id cursor receipt } }"
        page = world.ask("market-regulator", query, {"after": after}, official="m.ivanova").data["receipts"]
        if not page:
            return found
        assert all(entry["receipt"] for entry in page)
        found |= {entry["id"] for entry in page}
        after = page[-1]["cursor"]


def _federate(world: World, client: Client, sdl: str, token: str, inquiry: str | None, document: str = DOCUMENT) -> Any:
    holder = world.subject("ordinary")
    given = {"url": world.graphql, "token": token, "inquiry": inquiry, "sdl": sdl, "holder": holder}
    return client("federate", {**given, "document": document})
