"""Step 4 on random inquiries: never more than table and guards allow, and nothing that depends on records or memory."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.inquiry import decide as step
from gateway.inquiry.decide import decide
from gateway.inquiry.types import Declaration, Facts, Narrowing, Requester
from gateway.rules.decide import guards
from gateway.rules.model import Cell
from gateway.storage.subjects.kinds import Consent, SubjectFacts
from tests.inquiry.deciding import (
    DAY,
    EVERYTHING,
    FAR,
    LABOUR,
    MARKET,
    ORGANISATION,
    PERSON,
    ask,
    consent,
    requester,
    whole,
)
from tests.rules.policies import NOW, TODAY, shipped


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
        official=draw(st.sampled_from([*4 * ["o.fficial"], None])),
        expires=now.timestamp() + draw(st.sampled_from([3600, 3600, 3600, 1, -1])),
        narrowing=draw(st.one_of(*3 * [st.just(())], st.lists(narrowings, max_size=2).map(tuple))),
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
moments = st.sampled_from([*6 * [NOW], NOW - 200 * DAY, NOW + 1000 * DAY])


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
@settings(max_examples=150, deadline=None)
def test_never_more_than_table_and_guards(inquiry: Inquiry) -> None:
    check_never_more_than_table_and_guards(inquiry)


@pytest.mark.long_cases("EXPIRED", "NOTHING", "narrowed")
@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (guards, "inactive", lambda grant, today: None),
        (guards, "scope_covers", lambda scopes, dataset: True),
        (guards, "narrowed", lambda dataset: Cell(True)),
        (guards, "EXPIRED", None),
        (step, "_coverage", lambda *_: frozenset({("income-statements", None), ("volunteering", None)})),
        (step, "NOTHING", SubjectFacts(case_verified=True)),
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
@settings(max_examples=60, deadline=None)
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
@settings(max_examples=60, deadline=None)
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
@settings(max_examples=50, deadline=None)
def test_the_memo_changes_nothing(inquiry: Inquiry) -> None:
    who, declared, facts, named, now = inquiry
    kept = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    step._memo.clear()
    fresh = decide(EVERYTHING, who, declared, shipped(), Facts(1, facts), named, now)
    assert fresh.permits == kept.permits
    for subject, decision in kept.subjects.items():
        assert decision.cells == fresh.subjects[subject].cells
