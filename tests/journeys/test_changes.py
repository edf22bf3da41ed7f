"""Departments report changes over HTTP, with real tokens: a record goes, and comes back, by two stewards' word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.journeys.asking import entered, post
from tests.journeys.test_grants import own_token
from tests.journeys.test_matters import LICENCES, done, licence, steward

if TYPE_CHECKING:
    from tests.conftest import World

SHOWN = "id state event scheme value dataset record version at reason"
REPORT = f"""mutation($id: IdentifierInput!, $record: RecordInput!, $event: ReportedEvent!, $new: String) {{
  reportChange(subject: $id, record: $record, event: $event, newVersion: $new, reason: "It was never given.") {{
    {SHOWN} }} }}"""
CONFIRM = f"mutation($id: ID!) {{ confirm(id: $id) {{ __typename ... on Change {{ {SHOWN} }} }} }}"
PAGE = f"query($state: MatterState) {{ changes(first: 100, state: $state) {{ items {{ {SHOWN} }} next }} }}"


def shown(world: World, own: dict[str, str]) -> set[str]:
    reply = world.ask("market-regulator", LICENCES, {"id": own}, official="m.ivanova")
    return {each["record"]["id"] for each in reply.data["organisation"]["businessLicences"]}


def test_a_record_goes_and_comes_back_by_two_stewards_word(world: World) -> None:
    own = world.subject("ordinary")
    record = licence(world, own)
    about = {"dataset": "business-licences", "record": record["id"], "version": record["version"]}
    one, other = steward(world, "market"), steward(world, "market", 1)
    for event, there in (("WITHDRAWN", False), ("REINSTATED", True)):
        with entered(world):
            made = done(world, one, REPORT, "reportChange", id=own, record=about, event=event)
        assert (made["state"], record["id"] in shown(world, own)) == ("AWAITS_CONFIRMATION", not there)
        alone = post(world.graphql, one, CONFIRM, {"id": made["id"]})
        assert alone.errors[0]["extensions"]["reason"] == "SECOND_PERSON"
        waiting = done(world, other, PAGE, "changes", state="AWAITS_CONFIRMATION")["items"]
        assert made in waiting
        with entered(world):
            confirmed = done(world, other, CONFIRM, "confirm", id=made["id"])
        assert confirmed == {"__typename": "Change", **made, "state": "DECIDED"}
        assert (record["id"] in shown(world, own)) is there


def test_others_are_told_as_of_one_that_is_not_there(world: World) -> None:
    own, market = world.subject("no_records"), steward(world, "market")
    about = {"dataset": "tax-arrears", "record": "made-up", "version": "1"}
    made = done(
        world, steward(world, "tax"), REPORT, "reportChange", id=own, record=about, event="CORRECTED", new="2"
    )  # fmt: skip
    said = [post(world.graphql, market, CONFIRM, {"id": id_}).body for id_ in (made["id"], "0" * 32, "none")]
    assert said[0] == said[1] == said[2]
    assert made["id"] not in [each["id"] for each in done(world, market, PAGE, "changes")["items"]]
    said = [
        post(world.graphql, market, REPORT, {"id": own, "record": about | {"dataset": name}, "event": "WITHDRAWN"}).body
        for name in ("tax-arrears", "tax-arrear", "market-inspections")
    ]
    assert said[0] == said[1] == said[2]
    for token, query in ((own_token(world, own), PAGE), (own_token(world, own), CONFIRM)):
        refused = post(world.graphql, token, query, {"id": made["id"]} if query == CONFIRM else {})
        assert refused.errors[0]["extensions"]["code"] == "FORBIDDEN"


def test_a_system_reports_by_itself(world: World) -> None:
    token = world.token("tax-service", None, "steward")
    about = {"dataset": "tax-arrears", "record": "made-up-too"}
    made = done(
        world, token, REPORT, "reportChange", id=world.subject("no_records"), record=about, event="CORRECTED", new="2"
    )  # fmt: skip
    assert made["state"] == "DECIDED"
    refused = post(world.graphql, token, CONFIRM, {"id": made["id"]})
    assert refused.errors[0]["extensions"]["code"] == "FORBIDDEN"
