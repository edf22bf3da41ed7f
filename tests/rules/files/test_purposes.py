"""The purposes' loader: what is refused, where it is told, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rules.load import load
from gateway.rules.model import Quota, Quotas
from tests.rules.policies import edited, position, problems, shipped

FILE = "purposes.yaml"
TITLE = "Qualification of a tenderer for a public contract"


def test_the_shipped_purposes_are_the_registered_ones() -> None:
    purposes = shipped().policies.purposes
    assert list(purposes) == [
        "TENDER_QUALIFICATION",
        "LICENCE_RENEWAL",
        "SUBSIDY_ASSESSMENT",
        "COURT_ENFORCEMENT",
        "OPEN_RECORD",
        "SUBJECT_ACCESS",
    ]
    tender = purposes["TENDER_QUALIFICATION"]
    assert tender.case_required
    assert tender.case_registry is None
    assert tender.fields["market-penalties"].names == {"decisionNumber", "conduct", "decidedOn"}
    assert (tender.frequency.max, tender.frequency.per.text, tender.delete_after.text) == (1000, "P1D", "P90D")
    assert purposes["COURT_ENFORCEMENT"].official_required
    assert purposes["SUBJECT_ACCESS"].scope == "self"


def test_every_purpose_stays_in_the_catalogue_and_subject_access_covers_all_of_it() -> None:
    policies = shipped().policies
    for purpose in policies.purposes.values():
        for name, bound in purpose.fields.items():
            assert bound.names <= set(policies.catalogue.datasets[name].fields)
    everything = {name: set(dataset.fields) for name, dataset in policies.catalogue.published.items()}
    access = policies.purposes["SUBJECT_ACCESS"]
    assert {name: set(bound.names) for name, bound in access.fields.items()} == everything


def test_every_adverse_dataset_says_why_it_is_necessary_and_on_which_law() -> None:
    policies = shipped().policies
    for purpose in policies.purposes.values():
        for name, bound in purpose.fields.items():
            if policies.catalogue.datasets[name].nature == "adverse":
                assert bound.because, f"{purpose.name} {name}"
                assert bound.basis, f"{purpose.name} {name}"


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("    tax-arrears:\n", "    tax-arears:\n", "tax-arears", "did you mean `tax-arrears`?"),
        ("names: [name, legalForm]", "names: [name, legalFrom]", "legalFrom", "did you mean `legalForm`?"),
        ("names: [name, legalForm]", 'names: ["*"]', '"*"', "list the fields by name"),
        ("names: [name, legalForm]", "names: all", "all", "list the fields by name"),
        ("names: [name, legalForm]", "names: [name, legalForm, name]", "name]", "appears twice"),
        ("names: [name, legalForm]", "names: []", "[]", "names no field"),
        ("subjects: [organisation]", "subjects: [organization]", "organization", "did you mean `organisation`?"),
        ("frequency: {max: 1000, per: P1D}", "frequency: {max: 0, per: P1D}", "0, per", "from 1 to"),
        ("frequency: {max: 1000, per: P1D}", "frequency: {max: 9, per: daily}", "daily", "must be a period"),
        ("dpv: dpv:VendorSelectionAssessment", "dpv: VendorSelection", "VendorSelection", "a DPV term"),
        ("case: {required: true}", "case: {required: yes}", "yes}", "must be true or false"),
        ("case: {required: true}", "case: {required: true, registry: markt}", "markt", "did you mean `market`?"),
        ("case: {required: true}", "case: {required: true}\n  forward: [cases]", "cases]", "did you mean `case`?"),
        ("case: {required: true}", "case: {required: true}\n  forward: [case, case]", "case]\n", "appears twice"),
        ("case: {required: true}", "case: {required: true}\n  forward: [official]", "official]\n", "demands it: add"),
        ("case: {required: true}", "case: {required: true}\n  forward: []", "[]", "names nothing"),
        (TITLE, "Social credit score of people", "Social credit", "`score` in `Social credit score of people` names a"),
        (TITLE, "The reliGious views of people", "TENDER_QUALI", "`religious` speaks of religion or belief, which no"),
        (TITLE, "People's watchlist\n  override: a list of facts only", "People's", "`watchlist` in `People's"),
        (TITLE, "Health checks\n  override: ok", "ok\n", "`ok` is no reason"),
        (TITLE, f"{TITLE}\n  override: it means just that", "it means just", "nothing to override"),
        ("TENDER_QUALIFICATION:", "TENDER_RATING:", "TENDER_RATING", "`rating` in `TENDER_RATING` names a"),
        ("TENDER_QUALIFICATION:", "TENDER_GENOME:", "TENDER_GENOME", "`genome` speaks of genetic data"),
        ("  dpv: dpv:Vendor", "  dvp: dpv:Vendor", "dvp:", "did you mean `dpv`?"),
        ("TENDER_QUALIFICATION:", "tender-qualification:", "tender-qual", "in capitals"),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    directory = edited(tmp_path, FILE, before, after)
    found = [problem for problem in problems(directory) if says in problem.message]
    assert found, problems(directory)
    assert found[0].file.endswith(FILE)
    assert (found[0].line, found[0].column) == position(directory, FILE, word)


@pytest.mark.parametrize(
    "title",
    [
        "Entry in the credit register of a bank", "Licence of a credit institution, by its public record",
        "Approval of a medical device\n  override: a device is looked at, and no patient",
    ],
)  # fmt: skip
def test_a_title_may_speak_of_what_a_catalogue_may(tmp_path: Path, title: str) -> None:
    assert problems(edited(tmp_path, FILE, TITLE, title)) == []


@pytest.mark.parametrize("key", ["frequency: {max: 1000, per: P1D}", "delete_after: P90D", "subjects: [organisation]"])
def test_what_is_mandatory_is_told_where_it_is_missing(tmp_path: Path, key: str) -> None:
    directory = edited(tmp_path, FILE, f"  {key}\n", "")
    assert any(f"`{key.split(':')[0]}` is missing" in problem.message for problem in problems(directory))


@pytest.mark.parametrize("key", ["because", "basis"])
def test_an_adverse_dataset_needs_because_and_its_own_basis(tmp_path: Path, key: str) -> None:
    text = "      because: Grave misconduct excludes by its kind and date; the fine's amount plays no part.\n"
    if key == "basis":
        text = '      basis: [{law: Public Procurement Act, article: "54(1)5"}]\n'
    directory = edited(tmp_path, FILE, text, "")
    found = [problem for problem in problems(directory) if "is adverse" in problem.message]
    assert [problem.path for problem in found] == ["TENDER_QUALIFICATION.fields.market-penalties"]
    assert f"`{key}`" in found[0].message


def test_a_dataset_of_another_kind_of_subject_is_refused(tmp_path: Path) -> None:
    added = "    volunteering: {names: [year]}\n    business-licences: {"
    directory = edited(tmp_path, FILE, "    business-licences: {", added)
    assert any("which is no subject of this purpose" in problem.message for problem in problems(directory))


def test_fields_at_once_are_refused(tmp_path: Path) -> None:
    directory = edited(tmp_path, FILE, "organisation-register: {names: [name, legalForm]}", "all: {names: [name]}")
    assert any("list the datasets by name" in problem.message for problem in problems(directory))


def test_a_basis_says_which_law_article_and_version() -> None:
    (basis,) = shipped().policies.purposes["TENDER_QUALIFICATION"].basis
    assert (basis.law, basis.article, basis.version) == ("Public Procurement Act", "54", "2026-01-01")


FREQUENCY = "  frequency: {max: 1000, per: P1M}\n"


def test_quotas_have_defaults_and_can_be_left_open_with_a_reason(tmp_path: Path) -> None:
    purposes = shipped().policies.purposes
    assert purposes["TENDER_QUALIFICATION"].quotas == Quotas(Quota(1000, 5000), Quota(10_000, 50_000))
    assert purposes["OPEN_RECORD"].quotas is None
    changed = edited(tmp_path, FILE, FREQUENCY, FREQUENCY + "  quotas: {official: {hour: 20, day: 60}}\n")
    assert load(changed).policies.purposes["SUBSIDY_ASSESSMENT"].quotas == Quotas(Quota(20, 60))


@pytest.mark.parametrize(
    ("quotas", "word", "says"),
    [
        ("{unlimited: }", "quotas.unlimited", "why one may ask about any number of subjects"),
        ("{unlimited: true, official: {hour: 1, day: 1}}", "quotas.official", "unknown key `official`"),
        ("{official: {hour: 3, day: 2}}", "quotas.official.hour", "`3` in an hour is more than `day` allows (2)"),
        ("{official: {hour: 0, day: 2}}", "quotas.official.hour", "a whole number from 1"),
        ("{requester: {hour: 3}}", "quotas.requester", "`day` is missing"),
        ("{everyone: {hour: 3, day: 3}}", "quotas.everyone", "unknown key `everyone`"),
        ("none", "quotas", "must be a mapping"),
    ],
)
def test_quotas_that_say_nothing_sensible_are_refused(tmp_path: Path, quotas: str, word: str, says: str) -> None:
    found = problems(edited(tmp_path, FILE, FREQUENCY, f"{FREQUENCY}  quotas: {quotas}\n"))
    assert [(each.path.endswith(word), says in each.message) for each in found] == [(True, True)]
