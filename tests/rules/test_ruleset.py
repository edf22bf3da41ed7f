"""The decision table: default deny, forbids that nothing overcomes, rules that fail, and denials that explain."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.rules.files import rule as rule_files
from gateway.rules.files.calendar import Calendar
from gateway.rules.files.rule import REASONS
from gateway.rules.load import load
from gateway.rules.model import Flag, Reason
from gateway.rules.ruleset import RuleSet
from tests.rules.policies import ALL, SHIPPED, edited, entry, grant, problems, shipped, with_more, with_rule

OVERFLOW = "9223372036854775807 + 1 == 0"


def cell(grant_id: str, kind: str, field: str, flags: Flag = ALL):  # type: ignore[no-untyped-def]
    dataset, _, name = field.partition(".")
    return shipped().cells(grant(grant_id), kind, flags)[dataset, name]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("grant_id", "kind", "field", "rule"),
    [
        ("market-regulator/TENDER_QUALIFICATION", "organisation", "tax-arrears.amount", "tender-qualification"),
        ("environment-agency/LICENCE_RENEWAL", "organisation", "emission-permits.number", "licence-renewal"),
        ("labour-office/SUBSIDY_ASSESSMENT", "person", "income-statements.year", "subsidy-assessment"),
        ("civil-court/COURT_ENFORCEMENT", "person", "enforcement-cases.claim", "court-enforcement"),
        ("open-record/OPEN_RECORD", "organisation", "tax-awards.title", "open-record"),
        ("citizen-portal/SUBJECT_ACCESS", "person", "employment-contracts.monthlyWage", "subject-access"),
    ],
)
def test_each_purpose_permits_by_its_rule(grant_id: str, kind: str, field: str, rule: str) -> None:
    found = cell(grant_id, kind, field)
    assert found.permitted
    assert found.rules == (rule,)
    assert found.articles == shipped().rules[rule].articles


TENDER = "market-regulator/TENDER_QUALIFICATION"
COURT = "civil-court/COURT_ENFORCEMENT"
SUBSIDY = "labour-office/SUBSIDY_ASSESSMENT"
TAX = "tax-service/SUBSIDY_ASSESSMENT"
ACCESS = "citizen-portal/SUBJECT_ACCESS"


@pytest.mark.parametrize(
    ("grant_id", "kind", "field", "lacking", "reason", "rule"),
    [
        (TENDER, "organisation", "market-penalties.amount", Flag(0), "PURPOSE_NOT_PERMITTED", "outside-purpose"),
        (TENDER, "organisation", "tax-awards.title", Flag(0), "PURPOSE_NOT_PERMITTED", "outside-purpose"),
        (TAX, "person", "volunteering.year", Flag(0), "PURPOSE_NOT_PERMITTED", "outside-the-grant"),
        (TENDER, "person", "tax-arrears.amount", Flag(0), "SUBJECT_KIND_NOT_PERMITTED", "subject-kind"),
        (COURT, "person", "tax-arrears.amount", Flag(0), "SUBJECT_KIND_NOT_PERMITTED", "subject-kind"),
        (TENDER, "organisation", "tax-arrears.amount", Flag.SCOPE, "SCOPE_MISSING", "scope-missing"),
        (TENDER, "organisation", "tax-arrears.amount", Flag.CASE, "NO_RULE", "case-missing"),
        (COURT, "organisation", "tax-arrears.amount", Flag.OFFICIAL, "OFFICIAL_REQUIRED", "official-missing"),
        (COURT, "organisation", "tax-arrears.amount", ALL, "SCOPE_MISSING", "scope-missing"),
        (SUBSIDY, "person", "income-statements.year", Flag.CONSENT, "CONSENT_REQUIRED", "consent-missing"),
        (ACCESS, "person", "person-register.name", Flag.SCOPE, "SCOPE_MISSING", "self-scope-missing"),
    ],
)
def test_a_denial_says_why(grant_id: str, kind: str, field: str, lacking: Flag, reason: str, rule: str) -> None:
    found = cell(grant_id, kind, field, ALL & ~lacking)
    assert not found.permitted
    assert (found.reason, found.rule) == (Reason(reason), rule)
    assert found.articles == shipped().rules[rule].articles
    assert found.advice
    assert "{" not in found.advice
    assert found.needs


def test_the_subject_itself_needs_no_consent() -> None:
    assert cell("citizen-portal/SUBJECT_ACCESS", "person", "income-statements.year", Flag.SCOPE).permitted


def test_what_it_would_take_is_all_that_it_would_take() -> None:
    found = cell(COURT, "organisation", "tax-arrears.amount", Flag(0))
    assert found.needs == (
        "a token with the scope `inquire` or `inquire:tax-arrears`",
        "a named official stands behind the request",
        "the case is verified",
    )


def test_step_up_is_demanded_where_the_purpose_does(tmp_path: Path) -> None:
    line = "  official: {required: true}\n"
    directory = edited(tmp_path, "purposes.yaml", line, f"{line}  step_up: gold\n")
    rule_set = load(directory)
    key = ("tax-arrears", "amount")
    without = rule_set.cells(grant(COURT, rule_set), "organisation", ALL & ~Flag.STEP_UP)[key]
    assert without.reason is Reason.STEP_UP_REQUIRED
    assert rule_set.cells(grant(COURT, rule_set), "organisation", ALL)[key].permitted


def test_every_cell_of_every_grant_is_answered_and_every_denial_explains_itself() -> None:
    rule_set = shipped()
    published = rule_set.policies.catalogue.published
    fields = {(name, field) for name, dataset in published.items() for field in dataset.fields}
    for requester in rule_set.policies.requesters.values():
        for held in requester.grants:
            for flags in (Flag(0), ALL):
                found = rule_set.cells(held, "organisation", flags)
                assert set(found) == fields
                for answer in found.values():
                    assert answer.articles
                    assert answer.permitted or (answer.reason in REASONS and answer.advice and answer.needs)


def test_no_cell_permits_outside_purpose_grant_kind_or_publication() -> None:
    policies = shipped().policies
    for requester in policies.requesters.values():
        for held in requester.grants:
            purpose = policies.purposes[held.purpose]
            for kind in ("organisation", "person"):
                for (dataset, field), answer in shipped().cells(held, kind, ALL).items():  # type: ignore[arg-type]
                    if answer.permitted:
                        assert field in purpose.fields[dataset].names
                        assert dataset in held.datasets
                        assert kind in purpose.subjects
                        assert kind in policies.catalogue.published[dataset].subjects


def test_the_table_never_holds_an_unpublished_dataset() -> None:
    cells = shipped().cells(grant(TENDER), "organisation", ALL)
    assert "market-inspections" in shipped().policies.catalogue.datasets
    assert "market-inspections" not in {dataset for dataset, _ in cells}


PERMIT_ALL = '@id("permit-all")@article("1")@advice("x")@basis("x")\npermit (principal, action, resource);'


def permitting_all() -> RuleSet:
    """The shipped rules and one that no loader takes."""
    planted = rule_files.parse(PERMIT_ALL, "permit-all.cedar", [])
    assert planted is not None
    policies, rules = shipped().policies, [*shipped().rules.values(), planted]
    return RuleSet(policies.catalogue, policies.purposes, shipped().requesters, rules, shipped().calendar)


@pytest.mark.parametrize("grant_id", [TENDER, COURT, SUBSIDY, "open-record/OPEN_RECORD"])
def test_no_permit_overcomes_a_base_forbid(grant_id: str) -> None:
    rule_set = permitting_all()
    policies = rule_set.policies
    held = grant(grant_id, rule_set)
    purpose = policies.purposes[held.purpose]
    for flags in (Flag(0), Flag.SCOPE, ALL & ~Flag.CONSENT, ALL & ~Flag.CASE):
        for kind in ("organisation", "person"):
            for (name, field), answer in rule_set.cells(held, kind, flags).items():  # type: ignore[arg-type]
                if answer.permitted:
                    dataset = policies.catalogue.published[name]
                    assert name in held.datasets
                    assert field in purpose.fields[name].names
                    assert kind in dataset.subjects
                    assert flags & Flag.SCOPE
                    assert flags & Flag.CASE or not purpose.case_required
                    assert flags & Flag.CONSENT or dataset.information == "public"


def test_an_unpublished_dataset_and_a_special_category_are_forbidden_by_rule_too() -> None:
    from gateway.rules.decide.engine import Question

    rule_set = permitting_all()
    catalogue = rule_set.policies.catalogue
    arrears = catalogue.datasets["tax-arrears"]
    for change, rule in (({"category": "health"}, "special-categories"), ({"status": "draft"}, "unpublished")):
        changed = msgspec.structs.replace(arrears, **change)  # past the loader, which refuses or hides it
        planted = msgspec.structs.replace(catalogue, datasets={**catalogue.datasets, "tax-arrears": changed})
        rules = list(rule_set.rules.values())
        other = RuleSet(planted, rule_set.policies.purposes, rule_set.requesters, rules, Calendar())
        held = grant(TENDER, other)
        other.ready()
        assert other._engine is not None
        question = Question(held, other.policies.purposes[held.purpose], "organisation", changed, "amount", ALL)
        (answer,) = other._engine.cells([question])
        assert not answer.permitted
        assert rule in answer.rules


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_rule_that_fails_denies_everything_it_was_asked_about(tmp_path: Path, effect: str) -> None:
    annotations = '@id("planted")@article("19")@advice("Tell somebody.")' + (
        '@basis("Some Act")' if effect == "permit" else '@reason("NO_RULE")'
    )
    condition = f'when {{ resource in Dataset::"tax-arrears" && {OVERFLOW} }}'
    scope = '(principal, action == Action::"TENDER_QUALIFICATION", resource)'
    text = f"{annotations}\n{effect} {scope}\n{condition};"
    (refused,) = problems(with_rule(tmp_path, text))
    assert "can fail when it is evaluated" in refused.message
    rule_set = with_more(shipped(), text)  # as if one came past the load
    cells = rule_set.cells(grant(TENDER, rule_set), "organisation", ALL)
    denied = cells["tax-arrears", "amount"]
    assert not denied.permitted
    assert (denied.reason, denied.rule, denied.articles) == (Reason.NO_RULE, "planted", ("19",))
    assert "Rule `planted` fails" in denied.advice
    assert cells["business-licences", "number"].permitted  # the rule decides nothing there, so it did not fail there


def test_default_deny_names_the_nearest_rule_and_what_it_lacks(tmp_path: Path) -> None:
    directory = edited(tmp_path, "rules/licence-renewal.cedar", 'Role::"department"', 'Role::"court"')
    rule_set = load(directory)
    held = grant("market-regulator/LICENCE_RENEWAL", rule_set)
    denied = rule_set.cells(held, "organisation", ALL)["business-licences", "number"]
    assert (denied.permitted, denied.reason, denied.rule) == (False, Reason.NO_RULE, None)
    assert "Nearest is rule `licence-renewal`: it asks that the requester has the role `court`" in denied.advice
    assert "No request brings that about: a policy officer would have to write a rule." in denied.advice
    assert denied.needs == ("a rule that permits LICENCE_RENEWAL where the requester does not have the role `court`",)


def test_default_deny_says_where_no_rule_speaks_of_the_purpose(tmp_path: Path) -> None:
    directory = edited(tmp_path, "rules/licence-renewal.cedar", "LICENCE_RENEWAL", "COURT_ENFORCEMENT")
    rule_set = load(directory)
    held = grant("market-regulator/LICENCE_RENEWAL", rule_set)
    denied = rule_set.cells(held, "organisation", ALL)["business-licences", "number"]
    assert denied.reason is Reason.NO_RULE
    assert "no rule speaks of this purpose" in denied.advice
    assert denied.articles == rule_set.policies.purposes["LICENCE_RENEWAL"].articles


def test_only_existing_grants_have_cells() -> None:
    foreign = msgspec.structs.replace(grant(TENDER), datasets=frozenset({"income-statements"}))
    with pytest.raises(LookupError, match="is not in rule set"):
        shipped().cells(foreign, "organisation", ALL)
    with pytest.raises(LookupError):
        shipped().cells(msgspec.structs.replace(grant(TENDER), id="nobody/TENDER_QUALIFICATION"), "organisation", ALL)


def test_cells_are_decided_once_and_kept() -> None:
    held = grant(TENDER)
    first = shipped().cells(held, "organisation", ALL)
    assert shipped().cells(held, "organisation", ALL) is first


def test_the_digest_is_of_the_content_and_of_nothing_else(tmp_path: Path) -> None:
    digest = shipped().digest
    assert load(SHIPPED, {"login": "https://login.example"}).digest == digest
    edits = [
        ("purposes.yaml", "max: 1000", "max: 999"),
        ("requesters.yaml", "agreement 2025/114", "agreement 2025/999"),
        ("rules/open-record.cedar", "free of charge", "at no charge"),
        ("calendar.yaml", "Europe/Sofia", "Europe/Vienna"),
        ("calendar.yaml", "thursday, friday]", "thursday]"),
        ("calendar.yaml", "  - 2026-03-03\n", ""),
        ("calendar.yaml", "objection: 7", "objection: 8"),
        ("calendar.yaml", "worked: []", "worked: [2026-12-12]"),
        ("catalogue/tax.yaml", "Amount due", "Sum due"),
    ]
    digests = {load(edited(tmp_path / str(n), *edit)).digest for n, edit in enumerate(edits)}
    assert len(digests | {digest}) == len(edits) + 1


def test_a_grant_knows_its_holder() -> None:
    assert shipped().holder(grant(COURT)) == entry("civil-court")
