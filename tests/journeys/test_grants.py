"""Scopes, grants, narrowed tokens: each takes away, none adds; `permissions` says what an inquiry really gives."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.client import Reply
from deploy.demo.clients import CLIENTS
from deploy.demo.organisations import organisation
from tests.journeys.asking import OFFICIALS, camel, catalogue, document, entered, inquire, post, selection

if TYPE_CHECKING:
    from tests.conftest import World

PURPOSES = (
    "TENDER_QUALIFICATION",
    "LICENCE_RENEWAL",
    "SUBSIDY_ASSESSMENT",
    "COURT_ENFORCEMENT",
    "OPEN_RECORD",
    "SUBJECT_ACCESS",
)
PERMISSIONS = """query($purpose: Purpose!) { permissions(purpose: $purpose) {
  subject dataset field permitted reason rule articles advice needs } }"""
TWO = "{ name taxArrears { period } }"


def reasons(reply: Reply) -> dict[tuple[str, ...], str]:
    return {tuple(error["path"]): error["extensions"]["reason"] for error in reply.errors}


def tender(world: World, **token: Any) -> Reply:
    return inquire(world, "market-regulator", "TENDER_QUALIFICATION", TWO, world.subject("ordinary"), **token)


def test_a_scope_opens_one_dataset(world: World) -> None:
    reply = tender(world, scope="inquire:tax-arrears")
    assert reasons(reply) == {("organisation", "name"): "SCOPE_MISSING"}
    assert reply.data["organisation"]["taxArrears"]
    both = tender(world, scope="inquire:tax-arrears inquire:organisation-register")
    assert not both.errors


def test_a_scope_does_not_widen_the_grant(world: World) -> None:
    body = "{ taxAwards { title } }"
    reply = inquire(
        world, "market-regulator", "TENDER_QUALIFICATION", body, world.subject("ordinary"), scope="inquire:tax-awards"
    )
    assert reasons(reply) == {("organisation", "taxAwards"): "PURPOSE_NOT_PERMITTED"}


NARROWINGS: Sequence[tuple[Mapping[str, Any], bool, bool]] = (
    ({}, True, True),
    ({"datasets": ["tax-arrears"]}, False, True),
    ({"datasets": ["tax-arrears", "organisation-register"]}, True, True),
    ({"datasets": ["tax-awards"]}, False, False),
    ({"datasets": []}, False, False),
    ({"purpose": "TENDER_QUALIFICATION"}, True, True),
    ({"purpose": "LICENCE_RENEWAL"}, False, False),
    ({"case": "this"}, True, True),
    ({"case": "MR-1999-0001"}, False, False),
    ({"identifier": "ordinary"}, True, True),
    ({"identifier": "unknown"}, False, False),
    ({"identifier": "ordinary", "datasets": ["organisation-register"], "purpose": "TENDER_QUALIFICATION"}, True, False),
)


@pytest.mark.parametrize(("detail", "name", "arrears"), NARROWINGS)
def test_authorization_details_narrow(world: World, detail: Mapping[str, Any], name: bool, arrears: bool) -> None:
    ordinary = world.subject("ordinary")
    case = world.case("market-regulator", ordinary)
    told = {**detail}
    if "identifier" in told:
        told["identifier"] = world.subject(told["identifier"])
    if told.get("case") == "this":
        told["case"] = case
    details = json.dumps([{"type": "subject-inquiry", **told}])
    bearer = world.token("market-regulator", "m.ivanova", "inquire", authorization_details=details)
    query = document("TENDER_QUALIFICATION", "organisation", TWO)
    reply = post(world.graphql, bearer, query, {"id": ordinary, "case": case})
    found = reply.data["organisation"]
    assert (found["name"] is not None, found["taxArrears"] is not None) == (name, arrears)
    assert set(reasons(reply).values()) <= {"TOKEN_NARROWED"}
    assert len(reply.errors) == (not name) + (not arrears)


def test_details_that_are_not_understood_refuse_the_token(world: World) -> None:
    """What narrows must not be passed over; details of another type are another server's affair."""
    for detail, status in (({"type": "subject-inquiry", "until": "noon"}, 401), ({"type": "payment", "sum": 1}, 200)):
        bearer = world.token("market-regulator", "m.ivanova", authorization_details=json.dumps([detail]))
        assert post(world.graphql, bearer, "{ __typename }").status == status


def test_a_grant_that_ended_denies_everything(world: World) -> None:
    for variables in ({}, {"case": "MR-2026-0001"}):
        query = document(
            "TENDER_QUALIFICATION", "organisation", "{ name wageArrears { period } taxArrears { period } }"
        )
        with entered(world):
            reply = world.ask(
                "labour-office", query, {"id": world.subject("ordinary"), **variables}, official="l.moreau"
            )
        assert reply.status == 200
        assert set(reasons(reply).values()) == {"GRANT_INACTIVE"}
        assert len(reply.errors) == 3
        assert set(reply.data["organisation"].values()) == {None}


def test_a_purpose_without_a_grant_denies_everything_and_asks_no_registry(world: World) -> None:
    query = document("COURT_ENFORCEMENT", "organisation", TWO)
    reply = world.ask("market-regulator", query, {"id": world.subject("ordinary")}, official="m.ivanova")
    assert set(reasons(reply).values()) == {"PURPOSE_NOT_PERMITTED"}
    assert set(reply.data["organisation"].values()) == {None}


def test_a_purpose_is_for_kinds_of_subject(world: World) -> None:
    body = "{ name enforcementCases { courtFile } }"
    reply = inquire(world, "market-regulator", "LICENCE_RENEWAL", body, world.subject("person_with_consent"))
    assert set(reasons(reply).values()) == {"SUBJECT_KIND_NOT_PERMITTED"}
    assert set(reply.data["person"].values()) == {None}


SELF = "{ name incomeStatements { year taxableIncome } volunteering { hours } enforcementCases { courtFile claim } }"


def own_token(world: World, subject: Mapping[str, str]) -> str:
    return world.token(
        "citizen-portal", None, "self", identifier_scheme=subject["scheme"], identifier_value=subject["value"]
    )


def test_the_subject_sees_all_of_its_own_and_nothing_of_others(world: World) -> None:
    """Art. 42, without consent: to oneself."""
    own, other = world.subject("person_without_consent"), world.subject("person_with_consent")
    query = document("SUBJECT_ACCESS", "person", SELF)
    reply = post(world.graphql, own_token(world, own), query, {"id": own})
    assert not reply.errors
    assert all(reply.data["person"].values())
    refused = post(world.graphql, own_token(world, own), query, {"id": other})
    assert set(reasons(refused).values()) == {"SCOPE_MISSING"}
    assert set(refused.data["person"].values()) == {None}


def test_an_organisation_sees_its_own(world: World) -> None:
    own = world.subject("ordinary")
    query = document("SUBJECT_ACCESS", "organisation", selection(catalogue(world), "organisation"))
    reply = post(world.graphql, own_token(world, own), query, {"id": own})
    assert not reply.errors
    assert all(reply.data["organisation"].values())


def test_a_subjects_token_opens_no_departments_purpose(world: World) -> None:
    own = world.subject("person_with_consent")
    query = document("SUBSIDY_ASSESSMENT", "person", "{ name }")
    reply = post(world.graphql, own_token(world, own), query, {"id": own})
    assert set(reasons(reply).values()) == {"PURPOSE_NOT_PERMITTED"}


def told_and_given(world: World, client: str, purpose: str) -> None:
    """Each row of `permissions` against what inquiries about both kinds of subject give."""
    official, rows = OFFICIALS[client], catalogue(world)
    told = world.ask(client, PERMISSIONS, {"purpose": purpose}, official=official).data["permissions"]
    fields = {(row["id"], field["name"]) for row in rows for field in row["fields"]}
    kinds = ("organisation", "person")
    assert [(r["subject"], r["dataset"], r["field"]) for r in told] == list(dict.fromkeys(
        (r["subject"], r["dataset"], r["field"]) for r in told
    ))  # fmt: skip
    assert {(r["subject"], r["dataset"], r["field"]) for r in told} == {(k, *f) for k in kinds for f in fields}
    by_kind: dict[str, dict[tuple[str, str], Any]] = defaultdict(dict)
    for row in told:
        assert row["permitted"] or (row["reason"] and row["advice"] and row["articles"])
        assert row["permitted"] == (row["reason"] is None)
        by_kind[row["subject"]][row["dataset"], row["field"]] = row
    for kind, subject in (("organisation", "ordinary"), ("person", "person_without_consent")):
        if (client, purpose, kind) == ("market-regulator", "TENDER_QUALIFICATION", "person"):
            continue  # its registry has no case about a person
        reply = inquire(world, client, purpose, selection(rows, kind), world.subject(subject))
        assert reply.status == 200, reply.body
        denied = {tuple(error["path"]): error for error in reply.errors}
        found = reply.data[kind]
        for row in rows:
            if kind not in row["subjects"]:
                continue
            register = row["id"] == f"{kind}-register"
            for field in row["fields"]:
                cell = by_kind[kind][row["id"], field["name"]]
                whole = (kind, camel(row["id"]))
                path = (kind, field["name"]) if register else (*whole, field["name"])
                error = denied.get(path)
                if error is None and not register and whole in denied:
                    assert not cell["permitted"], path
                    assert found[whole[1]] is None
                    continue
                assert (error is None) == cell["permitted"], path
                if error is not None:
                    said = {key: error["extensions"][key] for key in ("reason", "rule", "articles", "advice")}
                    assert said == {key: cell[key] for key in said}, path
                value = found[field["name"]] if register else [r[field["name"]] for r in found[whole[1]]]
                assert all(v is not None for v in (value if isinstance(value, list) else [value])) or error is not None


@pytest.mark.parametrize("client", [name for name, client in CLIENTS.items() if "inquire" in client.scopes])
def test_permissions_tell_what_inquiries_give(world: World, client: str) -> None:
    for purpose in PURPOSES:
        told_and_given(world, client, purpose)


def test_permissions_tell_what_a_token_leaves(world: World) -> None:
    rows = world.ask(
        "market-regulator", PERMISSIONS, {"purpose": "LICENCE_RENEWAL"}, scope="inquire:business-licences"
    ).data["permissions"]
    assert {row["dataset"] for row in rows if row["permitted"]} == {"business-licences"}
    assert {
        row["reason"] for row in rows if row["dataset"] == "emission-permits" and row["subject"] == "organisation"
    } == {"SCOPE_MISSING"}


def test_permissions_say_what_else_it_would_take(world: World) -> None:
    rows = world.ask("labour-office", PERMISSIONS, {"purpose": "SUBSIDY_ASSESSMENT"}, official="l.moreau")
    income = [
        row for row in rows.data["permissions"] if (row["subject"], row["dataset"]) == ("person", "income-statements")
    ]
    assert {row["reason"] for row in income} == {"CONSENT_REQUIRED"}
    assert all(row["needs"] for row in income)
    body = "{ incomeStatements { year taxableIncome currency } }"
    given = inquire(world, "labour-office", "SUBSIDY_ASSESSMENT", body, world.subject("person_with_consent"))
    assert not given.errors  # consent was all that it took


def test_permissions_are_the_callers_own_at_once(world: World) -> None:
    """Two callers ask the same document at the same moment: neither gets the other's rows."""
    first = world.ask("market-regulator", PERMISSIONS, {"purpose": "TENDER_QUALIFICATION"}, official="m.ivanova")
    second = world.ask("civil-court", PERMISSIONS, {"purpose": "TENDER_QUALIFICATION"}, official="j.okafor")
    assert any(row["permitted"] for row in first.data["permissions"])
    assert not any(row["permitted"] for row in second.data["permissions"])
    assert organisation(0).lei not in json.dumps(first.body)
