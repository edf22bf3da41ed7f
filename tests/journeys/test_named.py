"""The named subjects of a running region, dataset by dataset: what each one's name promises (Arts. 33, 37, 42, 44)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.client import Reply
from deploy.demo.withheld import newest_entry, withheld
from tests.journeys.asking import camel, catalogue, document, inquire, selection, send

if TYPE_CHECKING:
    from tests.conftest import World

ASKERS = {
    "market-regulator": ("TENDER_QUALIFICATION", "LICENCE_RENEWAL"),
    "civil-court": ("COURT_ENFORCEMENT",),
}
RECORD = "record { id version dataset source document effective displayUntil disputed mitigation }"


def all_of(world: World, subject: str, client: str = "civil-court", purpose: str = "COURT_ENFORCEMENT") -> Reply:
    return inquire(world, client, purpose, selection(catalogue(world), "organisation"), world.subject(subject))


def rows_with_records(world: World, subject: str) -> dict[str, list[dict[str, Any]]]:
    """What the court gets, with each record's own data."""
    parts = " ".join(
        f"{camel(row['id'])} {{ __typename {RECORD} }}"
        for row in catalogue(world)
        if "organisation" in row["subjects"] and row["id"] not in ("organisation-register", "tax-awards")
    )
    reply = inquire(world, "civil-court", "COURT_ENFORCEMENT", f"{{ {parts} }}", world.subject(subject))
    assert not reply.errors
    found: dict[str, list[dict[str, Any]]] = reply.data["organisation"]
    return found


def test_ordinary_has_records_everywhere(world: World) -> None:
    reply = all_of(world, "ordinary")
    assert {tuple(error["path"]) for error in reply.errors} == {("organisation", "taxAwards")}  # not a court's affair
    assert reply.data["organisation"].pop("taxAwards") is None
    assert all(reply.data["organisation"].values())


def test_each_record_says_whence_it_came(world: World) -> None:
    departments = {camel(row["id"]): (row["id"], row["department"], row["nature"]) for row in catalogue(world)}
    for field, records in rows_with_records(world, "ordinary").items():
        dataset, department, nature = departments[field]
        for row in records:
            told = row["record"]
            assert (told["dataset"], told["source"]) == (dataset, department)
            assert told["id"]
            assert told["version"]
            if nature == "adverse":
                assert told["document"]
                assert told["effective"] <= told["displayUntil"]


@pytest.mark.parametrize("client", ASKERS)
def test_unknown_none_and_withheld_are_one(world: World, client: str) -> None:
    """Invariant 5, for every dataset and field: status, data, errors, obligations, cautions and headers.

    Left out is what every answer has its own of: the time, and how long its receipt is.
    """
    for purpose in ASKERS[client]:
        seen = set()
        for name in ("unknown", "no_records", "all_withheld"):
            subject = world.subject(name)
            case = {"case": world.case(client, subject)}
            bearer = world.token(client, world.told["clients"][client]["officials"][0])
            query = document(purpose, "organisation", selection(catalogue(world), "organisation"))
            response = send(world.graphql, json.dumps({"query": query, "variables": {"id": subject, **case}}), bearer)
            reply = Reply(response.status_code, response.json())
            assert reply.status == 200
            headers = {key: value for key, value in response.headers.items() if key not in ("date", "content-length")}
            assert headers.keys() >= {"content-type", "cache-control"}
            about = [reply.inquiry[key] for key in ("obligations", "cautions", "ruleSet")]
            assert about[1] == []
            seen.add(json.dumps([reply.data, reply.errors, about, sorted(headers.items())]))
        assert len(seen) == 1


def test_all_withheld_is_withheld_and_only_oversight_sees_it(world: World) -> None:
    reply = all_of(world, "all_withheld")
    assert not any(reply.data["organisation"].values())
    restraints = {one.restraint for one in withheld(newest_entry(world.region.place.store))}
    assert restraints >= {"display-ended", "no-source-document", "withdrawn", "restored", "objection-overdue"}
    assert all_of(world, "no_records").data == reply.data
    assert withheld(newest_entry(world.region.place.store)) == []


@pytest.mark.parametrize(
    ("name", "why"), [("display_ended", "display-ended"), ("no_source_document", "no-source-document")]
)
def test_one_record_is_withheld_and_the_other_is_not(world: World, name: str, why: str) -> None:
    found = all_of(world, name).data["organisation"]
    assert found["taxArrears"] == []
    assert len(found["marketPenalties"]) == 1
    assert {one.restraint for one in withheld(newest_entry(world.region.place.store))} == {why}


def test_mitigation_is_cautioned_where_nobody_selected_it(world: World) -> None:
    body = "{ environmentalPenalties { conduct } }"
    reply = inquire(world, "market-regulator", "LICENCE_RENEWAL", body, world.subject("mitigated"))
    assert len(reply.data["organisation"]["environmentalPenalties"]) == 2
    (caution,) = reply.inquiry["cautions"]
    assert caution["dataset"] == "environmental-penalties"
    assert caution["mitigation"]
    assert caution["disputed"] is False


def test_consent_is_for_one_recipient_and_purpose(world: World) -> None:
    """The Labour Office has it; the Tax Service, with a grant for the same purpose, does not (Arts. 23-25, 42, 43)."""
    person = world.subject("person_with_consent")
    body = "{ name incomeStatements { year taxableIncome } }"
    labour = inquire(world, "labour-office", "SUBSIDY_ASSESSMENT", body, person)
    assert not labour.errors
    assert len(labour.data["person"]["incomeStatements"]) == 2
    tax = inquire(world, "tax-service", "SUBSIDY_ASSESSMENT", body, person)
    assert [error["extensions"]["reason"] for error in tax.errors] == ["CONSENT_REQUIRED"]
    assert tax.data["person"]["name"] == labour.data["person"]["name"]
    assert tax.data["person"]["incomeStatements"] is None


def test_a_person_without_consent_keeps_what_is_not_public(world: World) -> None:
    person = world.subject("person_without_consent")
    body = "{ name incomeStatements { year } volunteering { record { id } } employmentContracts { __typename } }"
    reply = inquire(world, "labour-office", "SUBSIDY_ASSESSMENT", body, person)
    assert reply.data["person"].pop("name")
    assert set(reply.data["person"].values()) == {None}
    assert {error["extensions"]["reason"] for error in reply.errors} == {"CONSENT_REQUIRED"}
    assert [error["path"] for error in reply.errors] == [["person", field] for field in reply.data["person"]]


def test_a_declared_consent_narrows_to_itself(world: World) -> None:
    query = """query($id: IdentifierInput!, $consent: ID) @inquiry(purpose: SUBSIDY_ASSESSMENT, consent: $consent) {
      person(id: $id) { incomeStatements { year } } }"""
    variables = {"id": world.subject("person_with_consent")}
    assert world.ask("labour-office", query, variables, official="l.moreau").data["person"]["incomeStatements"]
    other = world.ask("labour-office", query, {**variables, "consent": "another"}, official="l.moreau")
    assert [error["extensions"]["reason"] for error in other.errors] == ["CONSENT_REQUIRED"]
    assert other.data["person"]["incomeStatements"] is None
