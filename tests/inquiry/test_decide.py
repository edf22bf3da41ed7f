"""Step 4: the table and the guards; never more than both allow, and nothing that depends on records."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.base import Subject, SubjectKind
from gateway.inquiry import decide as step
from gateway.inquiry.decide import decide
from gateway.inquiry.types import (
    Consent,
    Decision,
    Declaration,
    Facts,
    Narrowing,
    Requester,
    Selected,
    SubjectFacts,
    Wanted,
)
from gateway.rules import guards
from gateway.rules.model import Cell, Flag, Grant, Reason
from tests.rules.policies import NOW, TODAY, shipped

ORGANISATION = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
PERSON = Subject("person", "PIN", "1234567890")
FAR = NOW.timestamp() + 3600
DAY = datetime.timedelta(days=1)


def whole(*datasets: str) -> Selected:
    """All fields of some datasets (of all, where none is named), on every kind of subject that they cover."""
    kinds: dict[SubjectKind, dict[str, Wanted]] = {"organisation": {}, "person": {}}
    for name, dataset in shipped().policies.catalogue.published.items():
        if not datasets or name in datasets:
            for kind in dataset.subjects:
                kinds[kind][name] = Wanted(frozenset(dataset.fields), False)
    return Selected(kinds)


EVERYTHING = whole()


def requester(client: str, *scopes: str, official: str | None = "o.fficial", **more: Any) -> Requester:
    issuer = "public" if client == "open-record" else "login"
    return Requester(issuer, client, official, frozenset(scopes), more.pop("expires", FAR), **more)


def ask(
    who: Requester,
    purpose: str,
    subject: Subject = ORGANISATION,
    selected: Selected = EVERYTHING,
    known: SubjectFacts | None = None,
    now: datetime.datetime = NOW,
    **declared: Any,
) -> Decision:
    known = SubjectFacts(case_verified=True) if known is None else known
    return decide(
        selected, who, Declaration(purpose, **declared), shipped(), Facts(1, {subject: known}), [subject], now
    )


def reasons(decision: Decision, subject: Subject, dataset: str) -> set[Reason | None]:
    return {cell.reason for (name, _), cell in decision.subjects[subject].cells.items() if name == dataset}


MARKET = requester("market-regulator", "inquire")
LABOUR = requester("labour-office", "inquire")


def consent(**changes: Any) -> Consent:
    parts: dict[str, Any] = {
        "id": "c-1",
        "issuer": "login",
        "client": "labour-office",
        "purpose": "SUBSIDY_ASSESSMENT",
        "datasets": {"income-statements": None},
        "until": TODAY,
    }
    return Consent(**(parts | changes))


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


class Table:
    """A rule set that permits all it is asked about where the given flags hold, so that only the guards deny."""

    def __init__(self, needed: Flag, *, digest: str, requesters: Any = None, cells: Any = None) -> None:
        self.digest, self._needed, self._cells = digest, needed, cells
        policies = shipped().policies
        self.policies = msgspec.structs.replace(policies, requesters=requesters or policies.requesters)

    def cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]:
        if self._cells is not None:
            return self._cells  # type: ignore[no-any-return]
        answer = Cell(flags & self._needed == self._needed, Reason.NO_RULE, advice="x")
        published = self.policies.catalogue.published.values()
        return {(dataset.id, field): answer for dataset in published for field in dataset.fields}


class Broken(Table):
    """A rule set that fails."""

    def __init__(self) -> None:
        super().__init__(Flag(0), digest="broken")

    def cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]:
        raise RuntimeError("broken")


class TestMemo:
    def test_equal_decisions_are_one_object(self) -> None:
        other = ORGANISATION._replace(value="another")
        first = ask(MARKET, "TENDER_QUALIFICATION").subjects[ORGANISATION]
        again = requester("market-regulator", "inquire", official="somebody.else", expires=FAR + 1)
        assert ask(again, "TENDER_QUALIFICATION", other, case="C-9").subjects[other] is first

    def test_it_keeps_no_identifier_case_or_official(self) -> None:
        step._memo.clear()
        who = requester(
            "market-regulator",
            "inquire",
            official="o.fficial",
            narrowing=(Narrowing(identifier=("LEI", ORGANISATION.value), case="C-77"),),
        )
        ask(who, "TENDER_QUALIFICATION", case="C-77")
        ask(LABOUR, "SUBSIDY_ASSESSMENT", PERSON, known=SubjectFacts(consents=(consent(id="c-88"),)))
        kept = repr(step._memo)
        assert len(step._memo) == 2
        for word in (ORGANISATION.value, PERSON.value, "C-77", "c-88", "o.fficial"):
            assert word not in kept

    def test_it_is_bounded(self) -> None:
        step._memo.clear()
        for number in range(step._KEPT + 10):
            ask(requester("market-regulator", f"scope-{number}"), "TENDER_QUALIFICATION", selected=SMALL)
        assert 0 < len(step._memo) <= step._KEPT


SMALL = whole("business-licences")

DATASETS = sorted(shipped().policies.catalogue.published)
CLIENTS = sorted(client for _, client in shipped().policies.requesters)
PURPOSES = [*shipped().policies.purposes, "NO_SUCH_PURPOSE"]
subjects = st.sampled_from([ORGANISATION, ORGANISATION._replace(value="other"), PERSON])
some_datasets = st.frozensets(st.sampled_from(DATASETS), max_size=4)
narrowings = st.builds(
    Narrowing,
    purpose=st.sampled_from([None, *PURPOSES]),
    case=st.sampled_from([None, "C-1", "C-2"]),
    datasets=st.none() | some_datasets,
    identifier=st.sampled_from([None, ("LEI", ORGANISATION.value), ("PIN", PERSON.value)]),
)
GRANTED = sorted(
    {(entry.client, grant.purpose) for entry in shipped().policies.requesters.values() for grant in entry.grants}
)
pairs = st.sampled_from(3 * GRANTED + [(client, purpose) for client in [*CLIENTS, "nobody"] for purpose in PURPOSES])
scopes_held = st.sampled_from([*3 * [("inquire", "self")], ("inquire",), ("self",), ("inquire:tax-arrears",), ()])


@st.composite
def asking(draw: st.DrawFn, now: datetime.datetime) -> tuple[Requester, Declaration]:
    """A requester with its token, and what it declares: mostly for a purpose that it was granted once."""
    client, purpose = draw(pairs)
    who = requester(
        client,
        *draw(scopes_held),
        official=draw(st.sampled_from(["o.fficial", "o.fficial", None])),
        expires=now.timestamp() + draw(st.sampled_from([3600, 1, -1])),
        narrowing=draw(st.just(()) | st.lists(narrowings, max_size=2).map(tuple)),
        identifier=draw(st.sampled_from([None, ("LEI", ORGANISATION.value), ("PIN", PERSON.value)])),
    )
    case, narrowed_to = draw(st.sampled_from([None, "C-1", "C-2"])), draw(st.sampled_from([None, "c-1"]))
    return who, Declaration(purpose, case=case, consent=narrowed_to)


consents = st.builds(
    consent,
    id=st.sampled_from(["c-1", "c-2"]),
    client=st.sampled_from(["labour-office", "tax-service"]),
    purpose=st.sampled_from(PURPOSES),
    datasets=st.dictionaries(
        st.sampled_from(["income-statements", "volunteering", "employment-contracts"]),
        st.none() | st.just(frozenset({"year"})),
        max_size=2,
    ),
    until=st.sampled_from([TODAY - DAY, TODAY, TODAY + DAY]),
)
known_facts = st.builds(SubjectFacts, consents=st.lists(consents, max_size=2).map(tuple), case_verified=st.booleans())
moments = st.sampled_from([NOW, NOW, NOW - 200 * DAY, NOW + 1000 * DAY])


@st.composite
def whole_inquiries(draw: st.DrawFn) -> Inquiry:
    """All that a decision is made from; of some subjects nothing is known."""
    now = draw(moments)
    who, declared = draw(asking(now))
    named = [ORGANISATION, PERSON, *draw(st.lists(subjects, max_size=2))]
    facts = {subject: draw(known_facts) for subject in named if draw(st.sampled_from([True, True, False]))}
    return who, declared, facts, named, now


Inquiry = tuple[Requester, Declaration, dict[Subject, SubjectFacts], list[Subject], datetime.datetime]
inquiries = whole_inquiries()


def check_never_more_than_table_and_guards(inquiry: Inquiry) -> None:
    """Invariant 1: each thing that a permit needs, told here once more and from the files, holds."""
    who, declared, facts, named, now = inquiry
    decision = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    policies = shipped().policies
    today = (now + datetime.timedelta(hours=3)).date()
    for permit in decision.permits:
        assert permit.subject in named
        entry = policies.requesters[who.issuer, who.client]
        purpose = policies.purposes[declared.purpose]
        dataset = policies.catalogue.published[permit.dataset]
        assert now.timestamp() < who.expires
        assert any(
            grant.purpose == declared.purpose
            and permit.dataset in grant.datasets
            and grant.valid_from <= today <= grant.valid_until
            for grant in entry.grants
        )
        assert set(permit.fields) <= purpose.fields[permit.dataset].names
        assert permit.subject.kind in set(purpose.subjects) & set(dataset.subjects)
        known = facts.get(permit.subject, SubjectFacts())
        assert known.case_verified or not purpose.case_required
        assert who.official or not purpose.official_required
        if purpose.scope == "self":
            assert "self" in who.scopes
            assert who.identifier == permit.subject[1:]
        else:
            assert {"inquire", f"inquire:{permit.dataset}"} & who.scopes
            if dataset.information == "non_public":
                for field in permit.fields:
                    assert any(covers(given, who, declared, permit.dataset, field, today) for given in known.consents)
        assert not who.narrowing or any(fits(part, declared, permit) for part in who.narrowing)


def covers(
    given: Consent, who: Requester, declared: Declaration, dataset: str, field: str, today: datetime.date
) -> bool:
    fields = given.datasets.get(dataset, frozenset())
    return (
        (given.issuer, given.client, given.purpose) == (who.issuer, who.client, declared.purpose)
        and given.until >= today
        and declared.consent in (None, given.id)
        and (fields is None or field in fields)
    )


def fits(part: Narrowing, declared: Declaration, permit: Any) -> bool:
    return (
        part.purpose in (None, declared.purpose)
        and part.case in (None, declared.case)
        and (part.datasets is None or permit.dataset in part.datasets)
        and part.identifier in (None, permit.subject[1:])
    )


@given(inquiries)
@settings(max_examples=300, deadline=None)
def test_never_more_than_table_and_guards(inquiry: Inquiry) -> None:
    check_never_more_than_table_and_guards(inquiry)


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (guards, "inactive", lambda grant, today: None),
        (guards, "scope_covers", lambda scopes, dataset: True),
        (guards, "narrowed", lambda dataset: Cell(True)),
        (guards, "EXPIRED", None),
        (step, "_coverage", lambda *_: frozenset({("income-statements", None), ("volunteering", None)})),
        (step, "_NOTHING", SubjectFacts(case_verified=True)),
        (guards, "no_grant", lambda purpose: Cell(True)),
    ],
)
def test_a_fault_planted_in_a_guard_is_found(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, fault: object
) -> None:
    monkeypatch.setattr(module, name, fault)
    step._memo.clear()

    @given(inquiries)
    @settings(
        max_examples=5000,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    def search(inquiry: Inquiry) -> None:
        check_never_more_than_table_and_guards(inquiry)

    try:
        with pytest.raises((AssertionError, KeyError)):
            search()
    finally:
        step._memo.clear()


records = st.frozensets(st.sampled_from(["tax-arrears/1", "income-statements/2", "business-licences/3"]), max_size=3)


@given(inquiries, st.tuples(records, records, records, records), some_datasets, st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_a_reason_does_not_depend_on_records(
    inquiry: Inquiry, held: Sequence[frozenset[str]], opted_out: frozenset[str], change: int
) -> None:
    """Invariant 16: what is known of records (withdrawn, disputed, opted out) changes no decision, so no reason."""
    who, declared, facts, named, now = inquiry
    disputed, overdue, withdrawn, restored = held
    other = {
        subject: msgspec.structs.replace(
            known,
            disputed=disputed,
            overdue=overdue,
            withdrawn=withdrawn,
            restored=restored,
            opted_out=opted_out,
        )
        for subject, known in facts.items()
    }
    one = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    two = decide(EVERYTHING, who, declared, shipped(), Facts(change, other), named, now)
    assert one == two
    for subject, decision in one.subjects.items():
        assert two.subjects[subject] is decision


@given(inquiries)
@settings(max_examples=150, deadline=None)
def test_every_denial_has_reason_articles_and_advice(inquiry: Inquiry) -> None:
    who, declared, facts, named, now = inquiry
    decision = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    for subject, decided in decision.subjects.items():
        wanted = EVERYTHING.kinds[subject.kind]
        assert set(decided.permitted) == set(wanted)
        for (dataset, field), cell in decided.cells.items():
            assert (field in decided.permitted[dataset]) is cell.permitted
            assert cell.permitted or (cell.reason and cell.articles and cell.advice and cell.needs)


@given(inquiries)
@settings(max_examples=100, deadline=None)
def test_the_memo_changes_nothing(inquiry: Inquiry) -> None:
    who, declared, facts, named, now = inquiry
    kept = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    step._memo.clear()
    fresh = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    assert fresh.permits == kept.permits
    for subject, decision in kept.subjects.items():
        assert decision.cells == fresh.subjects[subject].cells
