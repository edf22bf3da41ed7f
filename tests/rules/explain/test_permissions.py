"""The rows of the `permissions` query: complete, by the caller's own grants and token, and each denial explained."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from connectors.base import Subject
from gateway.inquiry.decide import decide
from gateway.inquiry.types import Declaration, Facts, Narrowing, Requester, Selected, Wanted
from gateway.rules.explain.permissions import rows
from gateway.storage.subjects.kinds import SubjectFacts
from tests.rules.policies import NOW, TODAY, shipped

KEYS = {"subject", "dataset", "field", "permitted", "reason", "rule", "articles", "advice", "needs"}


def caller(client: str, *scopes: str, **more: Any) -> Requester:
    return Requester("login", client, more.pop("official", "o.fficial"), frozenset(scopes), 4e9, **more)


def permitted(who: Requester, purpose: str, today: datetime.date = TODAY) -> set[tuple[str, str, str]]:
    found = rows(shipped(), who, purpose, today, {})
    return {(row["subject"], row["dataset"], row["field"]) for row in found if row["permitted"]}


@pytest.mark.parametrize("purpose", [*shipped().policies.purposes, "NO_SUCH_PURPOSE"])
def test_there_is_a_row_for_every_published_dataset_kind_and_field(purpose: str) -> None:
    found = rows(shipped(), caller("market-regulator", "inquire"), purpose, TODAY, {})
    published = shipped().policies.catalogue.published.values()
    kinds = ("organisation", "person")
    expected = [(kind, dataset.id, field) for dataset in published for kind in kinds for field in dataset.fields]
    assert [(row["subject"], row["dataset"], row["field"]) for row in found] == expected
    for row in found:
        assert set(row) == KEYS
        assert row["permitted"] or (row["reason"] and row["advice"] and row["articles"] and row["needs"])
        assert row["permitted"] is (row["reason"] is None)


def test_the_case_is_taken_as_verified_and_no_consent_is() -> None:
    tender = permitted(caller("market-regulator", "inquire"), "TENDER_QUALIFICATION")
    assert ("organisation", "tax-arrears", "amount") in tender
    subsidy = permitted(caller("labour-office", "inquire"), "SUBSIDY_ASSESSMENT")
    assert subsidy == {("person", "person-register", "name")}


def test_the_tokens_scopes_official_and_narrowing_count() -> None:
    purpose = "TENDER_QUALIFICATION"
    one = permitted(caller("market-regulator", "inquire:tax-arrears"), purpose)
    assert {dataset for _, dataset, _ in one} == {"tax-arrears"}
    assert permitted(caller("civil-court", "inquire", official=None), "COURT_ENFORCEMENT") == set()
    narrowing = (Narrowing(purpose=purpose, datasets=frozenset({"wage-arrears"}), case="C-1"),)
    narrowed = permitted(caller("market-regulator", "inquire", narrowing=narrowing), purpose)
    assert {dataset for _, dataset, _ in narrowed} == {"wage-arrears"}
    elsewhere = (Narrowing(purpose="LICENCE_RENEWAL"),)
    assert permitted(caller("market-regulator", "inquire", narrowing=elsewhere), purpose) == set()


def test_a_grant_that_ended_and_none_at_all_say_so_in_every_row() -> None:
    ended = rows(shipped(), caller("labour-office", "inquire"), "TENDER_QUALIFICATION", TODAY, {})
    assert {row["reason"] for row in ended} == {"GRANT_INACTIVE"}
    none = rows(shipped(), caller("labour-office", "inquire"), "COURT_ENFORCEMENT", TODAY, {})
    assert {row["reason"] for row in none} == {"PURPOSE_NOT_PERMITTED"}


def test_needs_says_what_else_it_would_take() -> None:
    found = rows(shipped(), caller("labour-office"), "SUBSIDY_ASSESSMENT", TODAY, {})
    row = next(row for row in found if (row["subject"], row["field"]) == ("person", "hours"))
    assert row["reason"] == "SCOPE_MISSING"
    assert row["rule"] == "scope-missing"
    assert row["needs"] == [
        "a token with the scope `inquire` or `inquire:volunteering`",
        "the subject's consent to `labour-office` for SUBSIDY_ASSESSMENT and `volunteering`",
    ]


def test_a_self_token_sees_what_it_may_see_of_itself() -> None:
    found = permitted(caller("citizen-portal", "self", identifier=("PIN", "1234567890")), "SUBJECT_ACCESS")
    assert ("person", "income-statements", "year") in found
    assert permitted(caller("citizen-portal", "self"), "SUBJECT_ACCESS") == set()


@pytest.mark.parametrize(
    ("who", "purpose"),
    [
        (caller("market-regulator", "inquire"), "TENDER_QUALIFICATION"),
        (caller("market-regulator", "inquire:tax-arrears"), "TENDER_QUALIFICATION"),
        (caller("civil-court", "inquire"), "COURT_ENFORCEMENT"),
        (caller("labour-office", "inquire"), "TENDER_QUALIFICATION"),
        (caller("environment-agency", "inquire"), "LICENCE_RENEWAL"),
    ],
)
def test_the_rows_tell_what_an_inquiry_would_decide(who: Requester, purpose: str) -> None:
    published = shipped().policies.catalogue.published
    stopped = {(purpose, "wage-arrears"): "r-1", ("OTHER", "tax-arrears"): "r-2"}
    found = rows(shipped(), who, purpose, TODAY, stopped)
    told = {(row["subject"], row["dataset"], row["field"]): row for row in found}
    subjects = [Subject("organisation", "LEI", "529900T8BM49AURSDO55"), Subject("person", "PIN", "1234567890")]
    known = {subject: SubjectFacts(case_verified=True) for subject in subjects}
    facts = Facts(1, known, suspended=stopped)
    wanted = {name: Wanted(frozenset(dataset.fields), False) for name, dataset in published.items()}
    selected = Selected({"organisation": wanted, "person": wanted})
    decision = decide(selected, who, Declaration(purpose, "C-1"), shipped(), facts, subjects, NOW)
    for subject, decided in decision.subjects.items():
        for (dataset, field), cell in decided.cells.items():
            row = told[subject.kind, dataset, field]
            assert (row["permitted"], row["reason"], row["advice"] or "") == (cell.permitted, cell.reason, cell.advice)
