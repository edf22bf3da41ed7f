"""Clients written by others run the contract's example query against a running gateway."""

from __future__ import annotations

from typing import Any

import pytest
from gql import Client as GqlClient
from gql import GraphQLRequest
from gql.transport.httpx import HTTPXAsyncTransport

from tests.conformance.conftest import Client
from tests.conftest import World

EXAMPLE = """
query Tender($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) {
    name
    businessLicences { number status validUntil record { id version source document displayUntil disputed } }
    taxArrears { period amount currency }
  }
}
"""


@pytest.fixture(scope="module")
def variables(world: World) -> dict[str, Any]:
    subject = world.subject("ordinary")
    return {"id": subject, "case": world.case("market-regulator", subject)}


def holds_the_example(data: dict[str, Any], extensions: dict[str, Any]) -> None:
    organisation = data["organisation"]
    assert isinstance(organisation["name"], str)
    assert {frozenset(licence) for licence in organisation["businessLicences"]} == {
        frozenset({"number", "status", "validUntil", "record"})
    }
    for licence in organisation["businessLicences"]:
        assert licence["record"]["source"] == "market"
        assert licence["record"]["disputed"] is False
    assert {frozenset(arrears) for arrears in organisation["taxArrears"]} <= {
        frozenset({"period", "amount", "currency"})
    }
    inquiry = extensions["inquiry"]
    assert inquiry["id"]
    assert inquiry["receipt"].startswith("c2sp.org/tlog-proof@v1\n")
    assert {"purpose-only", "no-onward-disclosure", "delete-by"} == {o["type"] for o in inquiry["obligations"]}


async def test_gql_from_pypi(world: World, variables: dict[str, Any]) -> None:
    """gql fetches the schema, validates the query (with the directive) against it, and runs it."""
    token = world.token("market-regulator", official="m.ivanova")
    transport = HTTPXAsyncTransport(url=world.graphql, headers={"Authorization": f"Bearer {token}"})
    async with GqlClient(transport=transport, fetch_schema_from_transport=True) as session:
        assert session.client.schema is not None
        result = await session.execute(GraphQLRequest(EXAMPLE, variable_values=variables), get_execution_result=True)
    assert result.data is not None
    assert result.extensions is not None
    holds_the_example(result.data, result.extensions)


def test_graphql_request_from_npm(world: World, client: Client, variables: dict[str, Any]) -> None:
    token = world.token("market-regulator", official="m.ivanova")
    given = {"url": world.graphql, "token": token, "document": EXAMPLE, "variables": variables}
    answer = client("request", given)
    assert answer["status"] == 200
    assert "errors" not in answer
    holds_the_example(answer["data"], answer["extensions"])
