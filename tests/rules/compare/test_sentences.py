"""What opens and closes, as somebody reads it: one sentence for what changes alike, and each cell in one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from gateway.catalogue.diff import Effect
from gateway.rules.compare import sentences, shifts
from gateway.rules.compare.sentences import Told
from gateway.rules.load import load
from gateway.rules.ruleset import RuleSet
from tests.rules.compare import worlds
from tests.rules.policies import edited, shipped

ARREARS = """    tax-arrears:
      names: [period, amount, currency]
      because: Renewal is refused while tax is unpaid.
      basis: [{law: Trade Licensing Act, article: "21(5)"}]
"""
REGISTRATIONS = "    tax-registrations: {names: [status, vatRegistered]}\n"
AGREED = "        from: 2026-01-01\n        until: 2028-12-31\n        agreed_by: Data exchange agreement 2025/121"


def also(folder: Path, file: str, before: str, after: str) -> Path:
    """A folder of policies with one more text replaced."""
    path = folder / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")
    return folder


def told(folder: Path, before: RuleSet | None = None) -> list[Told]:
    return sentences.matrix(before or shipped(), load(folder))


@pytest.fixture
def arrears(tmp_path: Path) -> Path:
    """The Environment Agency is to see tax arrears for the renewal of licences."""
    folder = edited(tmp_path, "purposes.yaml", REGISTRATIONS, REGISTRATIONS + ARREARS)
    return also(folder, "requesters.yaml", AGREED, "          - tax-arrears\n" + AGREED)


def test_what_opens_is_a_sentence_with_its_reason(arrears: Path) -> None:
    [found] = told(arrears)
    assert found.text == (
        "The Environment Agency, for LICENCE_RENEWAL, will also see `tax-arrears` (period, amount, currency) of"
        " organisations."
    )
    assert found.effect is Effect.WIDENS
    assert found.because == ("the purpose lists the field now", "the grant lists the dataset now")
    assert found.articles == ("19", "22(1)", "28(1)")
    assert found.bases == ("Trade Licensing Act, Art. 21",)
    assert found.held == "2026-01-01 to 2028-12-31"
    assert not found.people
    assert not found.non_public


def test_the_other_way_it_closes(arrears: Path) -> None:
    [found] = sentences.matrix(load(arrears), shipped())
    assert found.effect is Effect.NARROWS
    assert "for LICENCE_RENEWAL, will no longer see `tax-arrears` (period, amount, currency) of org" in found.text
    assert found.because == ("the purpose lists the field no more", "the grant lists the dataset no more")


def test_data_about_people_and_data_that_is_not_public_are_marked(tmp_path: Path) -> None:
    contracts = "    employment-contracts: {names: [employerName, startedOn]}"
    folder = edited(tmp_path, "purposes.yaml", contracts, contracts.replace("startedOn", "startedOn, monthlyWage"))
    [found] = told(folder)
    assert found.text == (
        "The Labour Office, for SUBSIDY_ASSESSMENT, will also see `employment-contracts.monthlyWage` of persons,"
        " with the subject's consent."
    )
    assert (found.people, found.non_public) == (True, True)
    [back] = sentences.matrix(load(folder), shipped())
    assert (back.people, back.non_public) == (False, False)


def test_what_takes_less_says_what_it_took(tmp_path: Path) -> None:
    """A purpose that needs no case any more opens what took one, and one sentence says so of all fields."""
    folder = edited(tmp_path, "purposes.yaml", "  case: {required: true}\n  frequency", "  frequency")
    assert told(folder) == []  # the rule still wants a case
    also(folder, "rules/tender-qualification.cedar", " &&\n  context.case", "")
    found, labour = told(folder)
    assert labour.text.startswith(
        "The Labour Office, for TENDER_QUALIFICATION, will also see `organisation-register` ("
    )
    assert labour.held == "2024-01-01 to 2025-12-31"  # without a registry it could not have a case
    assert found.text.startswith("The Market Regulation Authority, for TENDER_QUALIFICATION, will see ")
    assert found.text.endswith(" of organisations on a token alone; until now only with a verified case.")
    assert found.because == (
        "the purpose no longer demands a case",
        "the rule `tender-qualification` changed",
    )
    back, _ = sentences.matrix(load(folder), shipped())
    assert back.text.endswith(" of organisations only with a verified case; until now on a token alone.")
    assert back.effect is Effect.NARROWS


def test_a_rule_that_opens_forty_fields_is_one_sentence(tmp_path: Path) -> None:
    """Whatever it names: the cells say what it opens, and kinds of subject that are alike are told together."""
    folder = edited(tmp_path, "rules/court-enforcement.cedar", 'Role::"court"', 'Role::"policy"')
    closed = told(folder)
    assert len(closed) == 2  # of organisations, and of persons
    assert sum(len(each.shifts) for each in closed) > 40
    assert {each.because for each in closed} == {("the rule `court-enforcement` changed",)}
    assert all("for COURT_ENFORCEMENT, will no longer see `" in each.text for each in closed)


def test_a_rule_in_other_words_opens_and_closes_nothing(tmp_path: Path) -> None:
    folder = edited(tmp_path, "rules/tender-qualification.cedar", "resource)\nwhen {", "resource)\nwhen { true &&")
    assert told(folder) == []


def test_a_new_department_of_a_client_sees_what_the_old_one_saw(tmp_path: Path) -> None:
    folder = edited(tmp_path, "requesters.yaml", "department: environment", "department: labour")
    closed, opened = sorted(told(folder), key=lambda each: -each.effect)
    assert closed.text.startswith("The Environment Agency, for LICENCE_RENEWAL, will no longer see")
    assert opened.text.startswith("The Labour Office (`environment-agency`), for LICENCE_RENEWAL, will also see")


@given(worlds.PAIRS)
@settings(max_examples=12)
def test_each_cell_that_changes_is_in_one_sentence(both: tuple[RuleSet, RuleSet]) -> None:
    found = sentences.matrix(*both)
    cells = [shift for each in found for shift in each.shifts]
    assert sorted(map(repr, cells)) == sorted(map(repr, shifts.shifts(*both)))
    for each in found:
        assert each.effect is (Effect.WIDENS if any(shift.opens for shift in each.shifts) else Effect.NARROWS)
        assert each.because, each.text
        for shift in each.shifts:
            assert f"`{shift.dataset}" in each.text
            assert shift.field in each.text
    assert [each.effect for each in found] == sorted(each.effect for each in found)
