"""Step 4, case by case: what the table permits, and what each guard takes away."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from gateway.inquiry.decide import decide
from gateway.inquiry.types import Declaration, Facts, Narrowing, Requester, Selected, Wanted
from gateway.rules.model import Flag, Reason
from gateway.storage.subjects.kinds import SubjectFacts
from tests.inquiry.deciding import (
    DAY,
    EVERYTHING,
    LABOUR,
    MARKET,
    ORGANISATION,
    PERSON,
    Broken,
    Table,
    ask,
    consent,
    reasons,
    requester,
)
from tests.rules.policies import NOW, TODAY, shipped


class TestWhatIsPermitted:
    def test_a_departments_inquiry_gets_its_purposes_fields_and_no_more(self) -> None:
        decision = ask(MARKET, "TENDER_QUALIFICATION", case="C-1")
        bound = shipped().policies.purposes["TENDER_QUALIFICATION"].fields
        permitted = {name: fields for name, fields in decision.subjects[ORGANISATION].permitted.items() if fields}
        assert permitted == {name: part.names for name, part in bound.items()}
        assert {(permit.dataset, permit.fields) for permit in decision.permits} == {
            (name, tuple(sorted(part.names))) for name, part in bound.items()
        }
        assert decision.grant is not None
        assert decision.grant.id == "market-regulator/TENDER_QUALIFICATION"

    def test_cells_has_every_published_field_of_every_wanted_dataset(self) -> None:
        selected = Selected({"organisation": {"tax-arrears": Wanted(frozenset({"amount"}), False)}})
        decision = ask(MARKET, "TENDER_QUALIFICATION", selected=selected).subjects[ORGANISATION]
        assert set(decision.cells) == {("tax-arrears", name) for name in ("period", "amount", "currency")}
        assert decision.permitted == {"tax-arrears": {"period", "amount", "currency"}}
        assert decision.fetch == (("tax-arrears", ("amount",)),)

    @pytest.mark.parametrize(
        ("wanted", "fetch"),
        [
            (Wanted(frozenset(), True), (("market-penalties", ()),)),
            (Wanted(frozenset({"amount"}), True), (("market-penalties", ()),)),
            (Wanted(frozenset({"amount"}), False), ()),
            (Wanted(frozenset({"amount", "conduct"}), False), (("market-penalties", ("conduct",)),)),
        ],
    )
    def test_a_denied_field_is_not_fetched_and_a_bare_dataset_needs_one_permitted(
        self, wanted: Wanted, fetch: object
    ) -> None:
        selected = Selected({"organisation": {"market-penalties": wanted}})
        assert ask(MARKET, "TENDER_QUALIFICATION", selected=selected).subjects[ORGANISATION].fetch == fetch

    @pytest.mark.parametrize(
        ("dataset", "wanted", "denied"),
        [
            ("market-penalties", Wanted(frozenset({"amount", "conduct"}), False), {"amount"}),
            ("market-penalties", Wanted(frozenset({"conduct"}), False), set()),
            ("market-penalties", Wanted(frozenset(), True), set()),
            ("tax-awards", Wanted(frozenset({"title"}), False), {"title"}),
            ("tax-awards", Wanted(frozenset(), True), None),
        ],
    )
    def test_only_what_was_selected_is_told_as_denied(
        self, dataset: str, wanted: Wanted, denied: set[str] | None
    ) -> None:
        selected = Selected({"organisation": {dataset: wanted}})
        decided = ask(MARKET, "TENDER_QUALIFICATION", selected=selected).subjects[ORGANISATION]
        # That there are records was asked of a bare dataset: that is denied with all of its fields.
        assert set(decided.denied) == {(dataset, f) for f in denied} if denied is not None else set(decided.cells)
        assert not any(decided.cells[each].permitted for each in decided.denied)

    def test_a_bare_dataset_without_a_permitted_field_is_not_fetched(self) -> None:
        selected = Selected({"organisation": {"tax-awards": Wanted(frozenset(), True)}})
        decision = ask(MARKET, "TENDER_QUALIFICATION", selected=selected)
        assert decision.permits == ()
        assert decision.subjects[ORGANISATION].permitted == {"tax-awards": frozenset()}

    def test_the_open_record_needs_no_official(self) -> None:
        who = requester("open-record", "inquire", official=None)
        decision = ask(who, "OPEN_RECORD", known=SubjectFacts())
        assert {permit.dataset for permit in decision.permits} == {
            "organisation-register",
            "business-licences",
            "emission-permits",
            "tax-awards",
        }

    def test_several_subjects_are_decided_each_by_its_own_facts(self) -> None:
        other = ORGANISATION._replace(value="other")
        facts = Facts(1, {ORGANISATION: SubjectFacts(case_verified=True), other: SubjectFacts()})
        decision = decide(
            EVERYTHING, MARKET, Declaration("TENDER_QUALIFICATION"), shipped(), facts, [ORGANISATION, other], NOW
        )
        assert {permit.subject for permit in decision.permits} == {ORGANISATION}
        assert set(decision.subjects) == {ORGANISATION, other}

    def test_a_subject_named_twice_is_fetched_once(self) -> None:
        facts = Facts(1, {ORGANISATION: SubjectFacts(case_verified=True)})
        twice = decide(
            EVERYTHING, MARKET, Declaration("TENDER_QUALIFICATION"), shipped(), facts, [ORGANISATION] * 2, NOW
        )
        assert twice.permits == ask(MARKET, "TENDER_QUALIFICATION").permits


class TestGuards:
    def test_a_grant_that_ended_denies_with_its_day(self) -> None:
        decision = ask(LABOUR, "TENDER_QUALIFICATION")
        cells = decision.subjects[ORGANISATION].cells.values()
        assert {cell.reason for cell in cells} == {Reason.GRANT_INACTIVE}
        assert all("ended on 2025-12-31" in cell.advice and cell.articles and cell.needs for cell in cells)
        assert decision.permits == ()

    @pytest.mark.parametrize(
        ("now", "active"),
        [
            ("2025-12-31T21:59:59+00:00", False),  # still the old year in Sofia
            ("2025-12-31T22:00:00+00:00", True),  # 00:00 of the first day there
            ("2028-12-31T21:59:59+00:00", True),
            ("2028-12-31T22:00:00+00:00", False),
        ],
    )
    def test_a_grants_days_are_those_of_the_time_zone_both_included(self, now: str, active: bool) -> None:
        moment = datetime.datetime.fromisoformat(now)
        decision = ask(requester("market-regulator", "inquire", expires=4e9), "LICENCE_RENEWAL", now=moment)
        assert bool(decision.permits) is active

    def test_a_moment_without_a_time_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="needs a time zone"):
            ask(MARKET, "LICENCE_RENEWAL", now=NOW.replace(tzinfo=None))

    def test_a_suspended_grant_opens_nothing(self) -> None:
        base = shipped()
        entry = base.policies.requesters["login", "market-regulator"]
        held = tuple(msgspec.structs.replace(grant, suspended=True) for grant in entry.grants)
        suspended = msgspec.structs.replace(entry, grants=held)
        table = Table(Flag(63), digest="suspended", requesters={("login", "market-regulator"): suspended})
        decision = decide(EVERYTHING, MARKET, Declaration("LICENCE_RENEWAL"), table, Facts(1, {}), [ORGANISATION], NOW)
        assert {cell.reason for cell in decision.subjects[ORGANISATION].cells.values()} == {Reason.GRANT_INACTIVE}

    def test_a_token_that_expired_on_the_way_opens_nothing(self) -> None:
        late = requester("market-regulator", "inquire", expires=NOW.timestamp())
        decision = ask(late, "LICENCE_RENEWAL")
        assert decision.permits == ()
        assert reasons(decision, ORGANISATION, "business-licences") == {Reason.TOKEN_NARROWED}

    @pytest.mark.parametrize(
        ("scopes", "datasets"),
        [
            ([], set()),
            (["inquire:business-licences"], {"business-licences"}),
            (["inquire:business-licences", "inquire:tax-registrations"], {"business-licences", "tax-registrations"}),
            (["self", "steward", "officer"], set()),
        ],
    )
    def test_scopes_cover_datasets(self, scopes: list[str], datasets: set[str]) -> None:
        decision = ask(requester("market-regulator", *scopes), "LICENCE_RENEWAL")
        assert {permit.dataset for permit in decision.permits} == datasets
        if not datasets:
            assert reasons(decision, ORGANISATION, "business-licences") == {Reason.SCOPE_MISSING}

    @pytest.mark.parametrize(
        ("narrowing", "datasets"),
        [
            ([Narrowing()], None),
            ([Narrowing(purpose="TENDER_QUALIFICATION", case="C-1")], None),
            ([Narrowing(purpose="LICENCE_RENEWAL")], set()),
            ([Narrowing(case="C-2")], set()),
            ([Narrowing(identifier=("LEI", ORGANISATION.value))], None),
            ([Narrowing(identifier=("LEI", ORGANISATION.value.lower()))], None),
            ([Narrowing(identifier=("LEI", "another"))], set()),
            ([Narrowing(identifier=("OTHER", ORGANISATION.value))], set()),
            ([Narrowing(datasets=frozenset({"tax-arrears", "income-statements"}))], {"tax-arrears"}),
            (
                [Narrowing(datasets=frozenset({"tax-arrears"})), Narrowing(datasets=frozenset({"wage-arrears"}))],
                {"tax-arrears", "wage-arrears"},
            ),
            ([Narrowing(case="C-2"), Narrowing(datasets=frozenset({"tax-arrears"}), case="C-1")], {"tax-arrears"}),
            ([Narrowing(datasets=frozenset())], set()),
        ],
    )
    def test_a_narrowed_token_opens_what_any_of_its_parts_opens(
        self, narrowing: list[Narrowing], datasets: set[str] | None
    ) -> None:
        who = requester("market-regulator", "inquire", narrowing=tuple(narrowing))
        decision = ask(who, "TENDER_QUALIFICATION", case="C-1")
        everything = {permit.dataset for permit in ask(MARKET, "TENDER_QUALIFICATION", case="C-1").permits}
        assert {permit.dataset for permit in decision.permits} == (everything if datasets is None else datasets)
        if datasets is not None:
            assert reasons(decision, ORGANISATION, "business-licences") == {Reason.TOKEN_NARROWED}
        assert Reason.TOKEN_NARROWED not in reasons(decision, ORGANISATION, "tax-awards")  # the table denies it first


class TestConsent:
    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({}, {"year", "taxableIncome", "currency"}),
            ({"datasets": {"income-statements": frozenset({"year"})}}, {"year"}),
            ({"datasets": {"volunteering": None}}, set()),
            ({"until": TODAY - DAY}, set()),
            ({"client": "tax-service"}, set()),
            ({"issuer": "https://elsewhere.example"}, set()),
            ({"purpose": "TENDER_QUALIFICATION"}, set()),
        ],
    )
    def test_consent_covers_requester_purpose_dataset_field_and_day(
        self, changes: Mapping[str, Any], fields: set[str]
    ) -> None:
        known = SubjectFacts(consents=(consent(**changes),))
        decision = ask(LABOUR, "SUBSIDY_ASSESSMENT", PERSON, known=known)
        assert decision.subjects[PERSON].permitted["income-statements"] == fields
        if not fields:
            assert reasons(decision, PERSON, "income-statements") == {Reason.CONSENT_REQUIRED}

    def test_consents_add_up_and_a_declared_one_stands_alone(self) -> None:
        parts = {"datasets": {"income-statements": frozenset({"year"})}}
        other = {"datasets": {"income-statements": frozenset({"currency"}), "volunteering": None}}
        known = SubjectFacts(consents=(consent(**parts), consent(id="c-2", **other)))
        both = ask(LABOUR, "SUBSIDY_ASSESSMENT", PERSON, known=known).subjects[PERSON].permitted
        assert both["income-statements"] == {"year", "currency"}
        one = ask(LABOUR, "SUBSIDY_ASSESSMENT", PERSON, known=known, consent="c-1").subjects[PERSON].permitted
        assert (one["income-statements"], one["volunteering"]) == ({"year"}, frozenset())
        none = ask(LABOUR, "SUBSIDY_ASSESSMENT", PERSON, known=known, consent="c-3").subjects[PERSON].permitted
        assert none["income-statements"] == frozenset()

    def test_what_is_public_needs_no_consent(self) -> None:
        decision = ask(LABOUR, "SUBSIDY_ASSESSMENT", PERSON, known=SubjectFacts())
        assert decision.subjects[PERSON].permitted["person-register"] == {"name"}


class TestTheSubjectItself:
    def test_the_subjects_own_token_opens_its_own_records(self) -> None:
        who = requester("citizen-portal", "self", identifier=("PIN", PERSON.value))
        permitted = ask(who, "SUBJECT_ACCESS", PERSON, known=SubjectFacts()).subjects[PERSON].permitted
        assert permitted["income-statements"] == {"year", "taxableIncome", "currency"}

    def test_its_identifier_counts_however_its_issuer_spells_it(self) -> None:
        value = ORGANISATION.value
        for spelled in (value, value.lower()):
            who = requester("citizen-portal", "self", identifier=("LEI", spelled))
            assert ask(who, "SUBJECT_ACCESS", ORGANISATION, known=SubjectFacts()).permits
        for wrong in (value.lower()[:-1], f"{value}0", f" {value}", ""):
            who = requester("citizen-portal", "self", identifier=("LEI", wrong))
            assert not ask(who, "SUBJECT_ACCESS", ORGANISATION, known=SubjectFacts()).permits

    @pytest.mark.parametrize(
        "who",
        [
            requester("citizen-portal", "self", identifier=("PIN", "another")),
            requester("citizen-portal", "self", identifier=("LEI", PERSON.value)),
            requester("citizen-portal", "self"),
            requester("citizen-portal", "inquire", identifier=("PIN", PERSON.value)),
        ],
    )
    def test_any_other_token_opens_nothing(self, who: Requester) -> None:
        decision = ask(who, "SUBJECT_ACCESS", PERSON)
        assert decision.permits == ()
        assert reasons(decision, PERSON, "person-register") == {Reason.SCOPE_MISSING}


class TestFailClosed:
    """Invariant 8: what is missing or broken is a denial, never a permit."""

    @pytest.mark.parametrize(
        ("who", "purpose"),
        [
            (requester("nobody", "inquire"), "TENDER_QUALIFICATION"),
            (requester("environment-agency", "inquire"), "TENDER_QUALIFICATION"),
            (MARKET, "NO_SUCH_PURPOSE"),
            (msgspec.structs.replace(MARKET, issuer="https://elsewhere.example"), "TENDER_QUALIFICATION"),
        ],
    )
    def test_no_grant_denies_every_cell(self, who: Requester, purpose: str) -> None:
        decision = ask(who, purpose)
        assert decision.grant is None
        assert decision.permits == ()
        cells = decision.subjects[ORGANISATION].cells
        assert {cell.reason for cell in cells.values()} == {Reason.PURPOSE_NOT_PERMITTED}
        assert all(cell.advice and cell.articles and cell.needs for cell in cells.values())

    def test_a_subject_without_facts_has_no_case_and_no_consent(self) -> None:
        nobody = Facts(1, {})
        tender = decide(EVERYTHING, MARKET, Declaration("TENDER_QUALIFICATION"), shipped(), nobody, [ORGANISATION], NOW)
        assert tender.permits == ()
        subsidy = decide(EVERYTHING, LABOUR, Declaration("SUBSIDY_ASSESSMENT"), shipped(), nobody, [PERSON], NOW)
        assert {permit.dataset for permit in subsidy.permits} == {"person-register"}

    def test_a_cell_that_the_table_lacks_is_denied(self) -> None:
        table = Table(Flag(63), digest="empty", cells={})
        decision = decide(EVERYTHING, MARKET, Declaration("LICENCE_RENEWAL"), table, Facts(1, {}), [ORGANISATION], NOW)
        assert decision.permits == ()
        assert all(not cell.permitted and cell.advice for cell in decision.subjects[ORGANISATION].cells.values())

    def test_a_dataset_that_is_not_published_is_denied_whatever_was_selected(self) -> None:
        selected = Selected({"organisation": {"market-inspections": Wanted(frozenset({"result"}), True)}})
        decision = ask(MARKET, "TENDER_QUALIFICATION", selected=selected)
        assert decision.permits == ()
        assert not decision.subjects[ORGANISATION].cells["market-inspections", "result"].permitted

    def test_a_table_that_cannot_answer_is_no_answer(self) -> None:
        with pytest.raises(RuntimeError, match="broken"):
            decide(EVERYTHING, MARKET, Declaration("LICENCE_RENEWAL"), Broken(), Facts(1, {}), [ORGANISATION], NOW)
