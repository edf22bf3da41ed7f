"""The named subjects, asked about through the running gateway: each shows what its name says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deploy.demo.client import Reply
from deploy.demo.scenes import COURT, TENDER

if TYPE_CHECKING:
    from tests.conftest import World

PENALTIES = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { environmentalPenalties { decisionNumber record { id mitigation } } } }"""
SUBSIDY = """query($id: IdentifierInput!) @inquiry(purpose: SUBSIDY_ASSESSMENT) {
  person(id: $id) { name incomeStatements { year } employmentContracts { employerName } volunteering { hours } } }"""


def about(world: World, client: str, query: str, subject: str) -> Reply:
    named = world.subject(subject)
    variables: dict[str, Any] = {"id": named}
    if "$case" in query:
        variables["case"] = world.case(client, named)
    return world.ask(client, query, variables, official=world.told["clients"][client]["officials"][0])


def test_nobody_can_tell_withheld_from_nothing_from_unknown(world: World) -> None:
    for client, query in (("market-regulator", TENDER), ("civil-court", COURT)):
        replies = [about(world, client, query, name) for name in ("all_withheld", "no_records", "unknown")]
        assert {reply.status for reply in replies} == {200}
        assert len({json.dumps([reply.data, reply.errors, reply.inquiry["cautions"]]) for reply in replies}) == 1
        assert not replies[0].errors


def test_ended_and_undocumented_records_are_withheld(world: World) -> None:
    for name in ("display_ended", "no_source_document"):
        reply = about(world, "market-regulator", TENDER, name)
        assert not reply.errors
        assert reply.data["organisation"]["name"]
        assert reply.data["organisation"]["taxArrears"] == []


def test_mitigation_reaches_the_recipient(world: World) -> None:
    reply = about(world, "market-regulator", PENALTIES, "mitigated")
    rows = reply.data["organisation"]["environmentalPenalties"]
    mitigated = [row["record"] for row in rows if row["record"]["mitigation"]]
    assert len(rows) == 2
    assert [one["record"] for one in reply.inquiry["cautions"]] == [one["id"] for one in mitigated]
    assert len(mitigated) == 1


def test_consent_makes_the_difference(world: World) -> None:
    given = about(world, "labour-office", SUBSIDY, "person_with_consent")
    assert not given.errors
    assert all(given.data["person"].values())
    refused = about(world, "labour-office", SUBSIDY, "person_without_consent")
    assert {error["extensions"]["reason"] for error in refused.errors} == {"CONSENT_REQUIRED"}
    person = refused.data["person"]
    assert person["name"]
    assert person["incomeStatements"] is person["employmentContracts"] is person["volunteering"] is None
