"""A subject objects over HTTP, with real tokens; stewards answer, and everybody else is shown nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.journeys.asking import entered, post
from tests.journeys.test_grants import own_token

if TYPE_CHECKING:
    from tests.conftest import World

LICENCES = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { businessLicences { record { id version disputed } } } }"""
SHOWN = (
    "id kind state scheme value dataset record version filedBy due overdue provisional reason outcome because remedy"
)
OBJECT = f"""mutation($record: RecordInput!, $reason: String!) {{
  fileObjection(record: $record, reason: $reason, papers: [{{issuer: "Court", number: "7/2026"}}]) {{
    {SHOWN} papers {{ issuer number date }} }} }}"""
APPLY = f'mutation($record: RecordInput!) {{ applyForRestoration(record: $record, reason: "Paid.") {{ {SHOWN} }} }}'
WITHDRAW = "mutation($id: ID!) { withdrawMatter(id: $id) { id state } }"
DECIDE = f"""mutation($id: ID!, $outcome: Outcome!) {{
  decideObjection(id: $id, outcome: $outcome, reason: "It is right.") {{ {SHOWN} }} }}"""
RESTORE = f"""mutation($id: ID!) {{
  decideRestoration(id: $id, outcome: UPHELD, reason: "Made good.") {{ {SHOWN} }} }}"""
CONFIRM = "mutation($id: ID!) { confirm(id: $id) { __typename ... on Matter { id state outcome } } }"
MINE = f"{{ me {{ matters {{ {SHOWN} }} }} }}"
PAGE = "query($after: String) { matters(first: 100, after: $after) { items { id state } next } }"
WHY = "This licence was never given to us."


def steward(world: World, department: str, number: int = 0) -> str:
    client = f"{department}-stewards"
    return world.token(client, world.told["clients"][client]["officials"][number], "steward")


def done(world: World, token: str, query: str, field: str, **variables: Any) -> dict[str, Any]:
    reply = post(world.graphql, token, query, variables)
    assert not reply.errors, reply.errors
    found: dict[str, Any] = reply.data[field]
    return found


def licence(world: World, own: Mapping[str, str]) -> dict[str, Any]:
    reply = world.ask("market-regulator", LICENCES, {"id": own}, official="m.ivanova")
    found: dict[str, Any] = reply.data["organisation"]["businessLicences"][0]["record"]
    return found


def test_an_objection_is_filed_shown_and_answered(world: World) -> None:
    own = world.subject("ordinary")
    mine = own_token(world, own)
    record = licence(world, own)
    assert record["disputed"] is False
    about = {"dataset": "business-licences", "record": record["id"], "version": record["version"]}
    with entered(world):
        filed = done(world, mine, OBJECT, "fileObjection", record=about, reason=WHY)
    assert (filed["state"], filed["reason"], filed["overdue"]) == ("OPEN", WHY, False)
    assert filed["papers"] == [{"issuer": "Court", "number": "7/2026", "date": None}]
    assert licence(world, own)["disputed"] is True
    assert filed["id"] in [each["id"] for each in done(world, steward(world, "market"), PAGE, "matters")["items"]]
    with entered(world):
        decided = done(world, steward(world, "market"), DECIDE, "decideObjection", id=filed["id"], outcome="REFUSED")
    assert (decided["state"], decided["because"]) == ("DECIDED", "It is right.")
    assert licence(world, own)["disputed"] is False
    (seen,) = [each for each in done(world, mine, MINE, "me")["matters"] if each["id"] == filed["id"]]
    assert seen == decided
    assert "Market Regulation Authority" in seen["remedy"]


def test_a_restoration_is_confirmed_by_a_second_steward(world: World) -> None:
    own = world.subject("no_records")
    about = {"dataset": "tax-arrears", "record": "made-up"}
    filed = done(world, own_token(world, own), APPLY, "applyForRestoration", record=about)
    done(world, steward(world, "tax"), RESTORE, "decideRestoration", id=filed["id"])
    alone = post(world.graphql, steward(world, "tax"), CONFIRM, {"id": filed["id"]})
    assert alone.errors[0]["extensions"]["reason"] == "SECOND_PERSON"
    confirmed = done(world, steward(world, "tax", 1), CONFIRM, "confirm", id=filed["id"])
    assert confirmed == {"__typename": "Matter", "id": filed["id"], "state": "DECIDED", "outcome": "UPHELD"}


def test_anothers_is_told_like_one_that_is_not_there(world: World) -> None:
    own, other = world.subject("no_records"), world.subject("mitigated")
    about = {"dataset": "tax-arrears", "record": "made-up-too"}
    filed = done(world, own_token(world, own), OBJECT, "fileObjection", record=about, reason=WHY)
    for token, query, more in (
        (own_token(world, other), WITHDRAW, {}),
        (steward(world, "market"), DECIDE, {"outcome": "UPHELD"}),
        (steward(world, "market"), RESTORE, {}),
        (steward(world, "market"), CONFIRM, {}),
    ):
        said = [post(world.graphql, token, query, {"id": id_, **more}).body for id_ in (filed["id"], "0" * 32, "none")]
        assert said[0] == said[1] == said[2]
        assert said[0]["errors"][0]["extensions"]["code"] == "MATTER_NOT_FOUND"
        assert said[0]["data"] is None
    page = done(world, steward(world, "market"), PAGE, "matters")
    assert filed["id"] not in [each["id"] for each in page["items"]]
    assert all(each["id"] != filed["id"] for each in done(world, own_token(world, other), MINE, "me")["matters"])
    done(world, own_token(world, own), WITHDRAW, "withdrawMatter", id=filed["id"])
