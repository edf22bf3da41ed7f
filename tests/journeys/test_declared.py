"""What an operation declares: the purpose, the case and the rest, in the directive, in the header, or in both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.client import Reply
from deploy.demo.scenes import COURT, TENDER
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.proof import key_files
from tests.journeys.asking import entered, post, send

if TYPE_CHECKING:
    from tests.conftest import World

PLAIN = "query($id: IdentifierInput!) { organisation(id: $id) { name } }"
LICENCE = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"


def asked(world: World, query: str, header: str | None = None, **variables: Any) -> Reply:
    headers = {} if header is None else {"inquiry": header}
    bearer = world.token("market-regulator", "m.ivanova")
    return post(world.graphql, bearer, query, {"id": world.subject("ordinary"), **variables}, **headers)


def test_the_contracts_example(world: World) -> None:
    ordinary = world.subject("ordinary")
    with entered(world):
        reply = asked(world, TENDER, case=world.case("market-regulator", ordinary))
    assert reply.status == 200
    assert not reply.errors
    found = reply.data["organisation"]
    assert found["name"]
    assert found["taxArrears"][0]["amount"].replace(".", "").isdigit()  # a Decimal is a JSON string
    assert set(found["businessLicences"][0]["record"]) == {
        "id", "version", "source", "document", "displayUntil", "disputed"
    }  # fmt: skip
    assert set(reply.inquiry) == {"id", "receipt", "obligations", "cautions", "ruleSet"}
    assert [one["type"] for one in reply.inquiry["obligations"]] == [
        "purpose-only",
        "no-onward-disclosure",
        "delete-by",
    ]
    assert all(set(one) == {"id", "type", "properties"} for one in reply.inquiry["obligations"])


def test_a_courts_inquiry_in_its_case(world: World) -> None:
    variables = {"id": world.subject("ordinary"), "case": world.case("civil-court", world.subject("ordinary"))}
    reply = world.ask("civil-court", COURT, variables, official="j.okafor")
    assert not reply.errors
    assert all(reply.data["organisation"].values())


def failing_cases(world: World) -> dict[str, str]:
    """A case for each way in which one can fail, for the market regulator's m.ivanova and the ordinary subject."""
    ordinary, cases = world.subject("ordinary"), world.told["cases"]
    own = {number: case for number, case in cases.items() if case["registry"] == "market"}
    return {
        "closed": next(n for n, c in own.items() if not c["open"]),
        "another official's": next(n for n, c in own.items() if c["open"] and c["official"] == "p.sorel"),
        "about another": next(
            n for n, c in own.items() if c["open"] and c["official"] == "m.ivanova" and c["subject"] != ordinary
        ),
        "another registry's": next(n for n, c in cases.items() if c["registry"] == "courts" and c["open"]),
        "unknown": "MR-1999-9999",
        "a path": "../cases/MR-2026-0001",
    }


@pytest.mark.parametrize(
    "what", ["closed", "another official's", "about another", "another registry's", "unknown", "a path"]
)
def test_a_case_that_is_not_verified_refuses_all(world: World, what: str) -> None:
    with entered(world):
        reply = asked(world, TENDER, case=failing_cases(world)[what])
    assert (reply.status, reply.codes, reply.data) == (403, ["CASE_NOT_VERIFIED"], None)


def test_without_an_official_no_case_is_verified(world: World) -> None:
    variables = {"id": world.subject("ordinary"), "case": world.case("market-regulator", world.subject("ordinary"))}
    assert world.ask("market-regulator", TENDER, variables).codes == ["CASE_NOT_VERIFIED"]


def test_without_a_case_the_purpose_refuses(world: World) -> None:
    query = TENDER.replace(", $case: String!", "").replace(", case: $case", "")
    with entered(world):
        reply = asked(world, query)
    assert (reply.status, reply.codes) == (400, ["INQUIRY_REQUIRED"])


def test_a_case_must_name_each_subject(world: World) -> None:
    query = """query($ids: [IdentifierInput!]!, $case: String) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
      organisations(ids: $ids) { name } }"""
    ids = [world.subject("ordinary"), world.subject("mitigated")]
    variables = {"ids": ids, "case": world.case("market-regulator", ids[0])}
    reply = world.ask("market-regulator", query, variables, official="m.ivanova")
    assert (reply.status, reply.codes, reply.data) == (403, ["CASE_NOT_VERIFIED"], None)
    assert world.ask("market-regulator", query, {**variables, "ids": ids[:1]}, official="m.ivanova").status == 200


def test_without_a_declaration_nothing_is_told(world: World) -> None:
    with entered(world):
        reply = asked(world, PLAIN)
    assert (reply.status, reply.codes, reply.data) == (400, ["INQUIRY_REQUIRED"], None)


def test_the_header_stands_in_for_the_directive(world: World) -> None:
    assert asked(world, PLAIN, "purpose=LICENCE_RENEWAL").data == asked(world, LICENCE).data
    case = world.case("market-regulator", world.subject("ordinary"))
    tender = asked(world, PLAIN, f'purpose=TENDER_QUALIFICATION, case="{case}"')
    assert tender.data["organisation"]["name"]
    assert tender.inquiry["obligations"][0]["properties"]["purpose"] == "TENDER_QUALIFICATION"


def test_header_and_directive_are_equal_key_by_key(world: World) -> None:
    assert asked(world, LICENCE, "purpose=LICENCE_RENEWAL").status == 200
    for header in (
        "purpose=TENDER_QUALIFICATION",
        'purpose=LICENCE_RENEWAL, case="C-1"',
        'purpose=LICENCE_RENEWAL, reference="r"',
        'case="C-1"',
        "",
    ):
        with entered(world):
            reply = asked(world, LICENCE, header)
        assert (reply.status, reply.codes, reply.data) == (400, ["INQUIRY_INVALID"], None), header


@pytest.mark.parametrize(
    "header",
    [
        'purpose="LICENCE_RENEWAL"',
        "purpose=NOBODY_KNOWS",
        "purpose=LICENCE_RENEWAL, purpose=LICENCE_RENEWAL",
        "purpose=LICENCE_RENEWAL;q=1",
        "purpose=(LICENCE_RENEWAL)",
        "purpose=LICENCE_RENEWAL, case=token",
        "purpose=LICENCE_RENEWAL, colour=blue",
        "purpose",
        "=",
        "purpose=LICENCE_RENEWAL, case=\"" + "9" * 3000 + '"',
    ],
)  # fmt: skip
def test_a_header_that_is_no_declaration_is_refused(world: World, header: str) -> None:
    with entered(world):
        reply = asked(world, PLAIN, header)
    assert (reply.status, reply.codes, reply.data) == (400, ["INQUIRY_INVALID"], None)


def test_only_the_selected_operation_declares(world: World) -> None:
    lei = world.subject("ordinary")["value"]
    named = f'organisation(id: {{scheme: LEI, value: "{lei}"}}) {{ name }}'
    query = f"query A @inquiry(purpose: LICENCE_RENEWAL) {{ {named} }} query B {{ {named} }}"
    bearer = world.token("market-regulator")
    assert world.ask("market-regulator", query).codes == ["GRAPHQL_OPERATION_INVALID"]
    for operation, status in (("A", 200), ("B", 400), ("C", 400)):
        response = send(world.graphql, json.dumps({"query": query, "operationName": operation}), bearer)
        assert response.status_code == status


def test_two_directives_are_one_too_many(world: World) -> None:
    reply = asked(world, LICENCE.replace("@inquiry", "@inquiry(purpose: LICENCE_RENEWAL) @inquiry"))
    assert reply.codes == ["GRAPHQL_VALIDATION_FAILED"]


def test_an_unknown_purpose_is_refused_and_entered(world: World) -> None:
    with entered(world):
        reply = asked(world, LICENCE.replace("LICENCE_RENEWAL", "CURIOSITY"))
    assert (reply.status, reply.codes, reply.data) == (400, ["GRAPHQL_VALIDATION_FAILED"], None)


@pytest.mark.parametrize(("word", "most"), [("case", 200), ("document", 2000), ("consent", 200), ("reference", 200)])
def test_what_is_declared_is_bounded(world: World, word: str, most: int) -> None:
    kind = "ID" if word == "consent" else "String"
    query = LICENCE.replace("RENEWAL)", f"RENEWAL, {word}: $it)").replace("!)", f"!, $it: {kind})")
    assert asked(world, query, it="C-1").status == 200
    for wrong in ("", " ", "x" * (most + 1)):
        with entered(world):
            reply = asked(world, query, it=wrong)
        assert (reply.status, reply.codes) == (400, ["INQUIRY_INVALID"])


def test_a_retry_by_reference_is_answered_and_entered_again(world: World) -> None:
    query = LICENCE.replace("RENEWAL)", 'RENEWAL, reference: "R-1")')
    with entered(world, 2):
        first, again = asked(world, query), asked(world, query)
    assert first.data == again.data
    assert first.inquiry["id"] != again.inquiry["id"]


def test_a_document_is_recorded_in_the_receipt(world: World) -> None:
    query = LICENCE.replace("RENEWAL)", 'RENEWAL, document: "Order 7/2026")')
    key = key_files.read_verifiers(world.region.place.public_key)
    for asks, document in ((query, "Order 7/2026"), (LICENCE, None)):
        proved = verify_receipt(asked(world, asks).inquiry["receipt"], key)
        assert isinstance(proved.told, entries.Inquiry)
        assert proved.told.declaration.document == document
