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


def test_apollo_gateway_reads_a_subject(world: World, client: Client, sdl: str) -> None:
    """Through `_entities`, with the declaration in the `Inquiry` header, as a direct inquiry reads it."""
    subject = world.subject("ordinary")
    case, official = world.case("market-regulator", subject), "m.ivanova"
    token = world.token("market-regulator", official=official)
    answer = _federate(world, client, sdl, token, f'purpose=TENDER_QUALIFICATION, case="{case}"')
    assert "errors" not in answer
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
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INQUIRY_REQUIRED"]
    holder = answer["data"]["permit"]["holder"]
    assert holder["name"] is None
    assert holder["taxArrears"] is None


def _federate(world: World, client: Client, sdl: str, token: str, inquiry: str | None) -> Any:
    holder = world.subject("ordinary")
    given = {"url": world.graphql, "token": token, "inquiry": inquiry, "sdl": sdl, "holder": holder}
    return client("federate", {**given, "document": DOCUMENT})
