"""Restraints: each by example, then invariants 5, 10 and 19 as properties, each shown to fail by a planted fault."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from connectors.base import Record, Subject
from gateway.catalogue.model import Dataset, Display, Period, Status
from gateway.inquiry.restrain import RESTRAINTS, Restraint, restrain
from gateway.inquiry.types import Caution, Released, Withheld
from gateway.rules.model import Frequency, Purpose
from gateway.storage.subjects.kinds import MEMBERS, NOTHING, SubjectFacts

DAY = datetime.timedelta(days=1)
TODAY = datetime.date(2026, 3, 31)
SUBJECT = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
THREE_YEARS = Period("P3Y", 36, 0)

Answer = tuple[Released, list[Withheld], list[Caution]]
Step = Callable[[Dataset, Purpose, Subject, list[Record], SubjectFacts, datetime.date], Answer]


def dataset(nature: str = "adverse", display: Display | None = Display(None, THREE_YEARS)) -> Dataset:  # noqa: B008
    return Dataset(
        id="tax-arrears",
        department="tax",
        department_title="Tax Service",
        title="Notices of tax arrears",
        status=Status.PUBLISHED,
        subjects=("organisation",),
        information="public",
        disclosure="shared",
        nature=nature,
        category="",
        basis=(),
        display=display,
        restorable=True,
        shape="list",
        fields={},
    )


def purpose(overdue: str = "withhold") -> Purpose:
    frequency = Frequency(1, Period("P1D", 0, 1))
    return Purpose("TENDER", "", (), (), "", ("organisation",), {}, frequency, THREE_YEARS, overdue_objection=overdue)


def record(id: str = "1", **given: object) -> Record:
    return Record(**{"m_id": id, "m_version": "7", "m_document": "D-1", "m_effective": TODAY - DAY, **given})


def why(records: list[Record], facts: SubjectFacts | None = None, **kind: object) -> list[str]:
    """The names of the restraints that withhold, in the records' order."""
    overdue = kind.pop("overdue", "withhold")
    _, withheld, _ = restrain(dataset(**kind), purpose(overdue), SUBJECT, records, facts or SubjectFacts(), TODAY)
    return [each.restraint for each in withheld]


def test_a_record_is_shown_through_the_last_day_of_its_display_and_not_after() -> None:
    first_gone, last_shown = record("1", m_effective=TODAY.replace(year=2023) - DAY), record("2")
    last_shown.m_effective = TODAY.replace(year=2023)
    released, withheld, _ = restrain(dataset(), purpose(), SUBJECT, [first_gone, last_shown], SubjectFacts(), TODAY)
    assert (released.records, released.display_until, released.disputed) == ([last_shown], [TODAY], [False])
    assert withheld == [Withheld(SUBJECT, "tax-arrears", "1", "7", "display-ended")]


def test_display_ends_in_calendar_months_on_the_months_last_day() -> None:
    month = dataset(display=Display(None, Period("P1M", 1, 0)))
    one = record(m_effective=datetime.date(2026, 1, 31))
    for today, shown in ((datetime.date(2026, 2, 28), 1), (datetime.date(2026, 3, 1), 0)):
        released, _, _ = restrain(month, purpose(), SUBJECT, [one], SubjectFacts(), today)
        assert len(released.records) == shown


def test_without_an_effective_date_or_with_one_to_come_a_record_is_withheld() -> None:
    undated, coming, current = record(m_effective=None), record(m_effective=TODAY + DAY), record(m_effective=TODAY)
    assert why([undated, coming, current]) == ["display-ended", "display-ended"]
    assert why([undated, coming, current], display=Display(Period("P3M", 3, 0), None)) == ["display-ended"] * 2


def test_a_dataset_without_display_does_not_look_at_dates() -> None:
    released, withheld, _ = restrain(
        dataset("neutral", None), purpose(), SUBJECT, [record(m_effective=None)], SubjectFacts(), TODAY
    )
    assert (len(released.records), released.display_until, withheld) == (1, [None], [])


def test_an_adverse_record_without_its_source_document_is_withheld() -> None:
    assert why([record(m_document=None), record(m_document=""), record()]) == ["no-source-document"] * 2
    assert why([record(m_document=None)], nature="neutral") == []


@pytest.mark.parametrize("fact", ["withdrawn", "restored"])
def test_a_withdrawn_or_restored_record_is_withheld_and_no_other(fact: str) -> None:
    facts = SubjectFacts(**{fact: frozenset({"tax-arrears/1", "wage-arrears/2"})})
    assert why([record("1"), record("2")], facts) == [fact]


def test_an_opt_out_holds_back_favourable_information_only() -> None:
    facts = SubjectFacts(opted_out=frozenset({"tax-arrears"}))
    assert why([record("1"), record("2")], facts, nature="favourable") == ["opted-out"] * 2
    assert why([record("1"), record("2")], facts) == []
    assert why([record("1")], SubjectFacts(opted_out=frozenset({"tax-awards"})), nature="favourable") == []


def test_an_overdue_objection_withholds_or_flags_as_the_purpose_says() -> None:
    facts = SubjectFacts(overdue=frozenset({"tax-arrears/1"}))
    assert why([record("1"), record("2")], facts) == ["objection-overdue"]
    released, withheld, cautions = restrain(dataset(), purpose("flag"), SUBJECT, [record("1")], facts, TODAY)
    assert (released.disputed, withheld) == ([True], [])
    assert cautions == [Caution("tax-arrears", "1", True, None)]


def test_cautions_name_disputed_and_mitigated_records_that_are_released() -> None:
    facts = SubjectFacts(disputed=frozenset({"tax-arrears/1", "tax-arrears/4"}))
    records = [
        record("1", m_mitigation="flood"), record("2", m_mitigation="minor"), record("3"), record("4", m_document=None)
    ]  # fmt: skip
    released, _, cautions = restrain(dataset(), purpose(), SUBJECT, records, facts, TODAY)
    assert released.disputed == [True, False, False]
    assert cautions == [Caution("tax-arrears", "1", True, "flood"), Caution("tax-arrears", "2", False, "minor")]


def test_the_first_restraint_in_order_is_the_one_named() -> None:
    facts = SubjectFacts(withdrawn=frozenset({"tax-arrears/1"}), restored=frozenset({"tax-arrears/1"}))
    assert why([record("1", m_document=None)], facts) == ["no-source-document"]
    assert why([record("1")], facts) == ["withdrawn"]


# The properties. A `World` is anything that can be before the step; `held_back` says independently what it withholds.

IDS = ["1", "2", "3", "4"]
KEYS = st.frozensets(st.sampled_from([f"tax-arrears/{each}" for each in IDS] + ["wage-arrears/1"]))


class World(NamedTuple):
    dataset: Dataset
    purpose: Purpose
    records: list[Record]
    facts: SubjectFacts

    def run(self, step: Step, records: list[Record] | None = None, facts: SubjectFacts | None = None) -> Answer:
        given = self.records if records is None else records
        return step(self.dataset, self.purpose, SUBJECT, given, self.facts if facts is None else facts, TODAY)

    def held_back(self, record: Record) -> bool:
        key, facts, display = f"tax-arrears/{record.m_id}", self.facts, self.dataset.display
        return (
            (display is not None and not displayed(record.m_effective, display.max))
            or (self.dataset.nature == "adverse" and not record.m_document)
            or key in facts.withdrawn
            or key in facts.restored
            or (self.dataset.nature == "favourable" and "tax-arrears" in facts.opted_out)
            or (key in facts.overdue and self.purpose.overdue_objection == "withhold")
        )


def displayed(effective: datetime.date | None, longest: Period | None) -> bool:
    if effective is None or effective > TODAY:
        return False
    if longest is None:
        return True
    months = effective.year * 12 + effective.month - 1 + longest.months
    year, month = months // 12, months % 12 + 1
    return datetime.date(year, month, min(effective.day, calendar.monthrange(year, month)[1])) >= TODAY


effectives = st.one_of(
    st.none(),
    st.integers(-3, 3).map(lambda days: TODAY + days * DAY),
    st.integers(-3, 3).map(lambda days: TODAY.replace(year=2023) + days * DAY),
)
records = st.lists(
    st.builds(
        record,
        st.sampled_from(IDS),
        m_document=st.sampled_from([None, "", "D-1"]),
        m_effective=effectives,
        m_mitigation=st.sampled_from([None, "flood"]),
    ),
    max_size=4,
    unique_by=lambda each: each.m_id,
)
DRAWN = {"record": KEYS, "dataset": st.frozensets(st.sampled_from(["tax-arrears", "tax-awards"]))}
SETS = {member: DRAWN[kind.about] for member, kind in MEMBERS.items() if kind.about in DRAWN}
facts = st.builds(SubjectFacts, **SETS)


def worlds_with(facts: SearchStrategy[SubjectFacts]) -> SearchStrategy[World]:
    kinds = st.builds(
        dataset,
        st.sampled_from(["adverse", "favourable", "neutral"]),
        st.sampled_from([None, Display(None, None), Display(None, THREE_YEARS)]),
    )
    return st.builds(World, kinds, st.builds(purpose, st.sampled_from(["withhold", "flag"])), records, facts)


worlds = worlds_with(facts)

property_settings = settings(max_examples=200, derandomize=True, database=None, deadline=None)


def join(one: SubjectFacts, other: SubjectFacts) -> SubjectFacts:
    return SubjectFacts(**{name: getattr(one, name) | getattr(other, name) for name in SETS})


def all_withheld_equals_no_records(step: Step, worlds: SearchStrategy[World] = worlds) -> None:
    """Invariant 5, and that what is withheld is what ought to be."""

    @property_settings
    @given(worlds)
    def check(world: World) -> None:
        held = [each for each in world.records if world.held_back(each)]
        released, withheld, cautions = world.run(step, records=held)
        nothing, _, no_cautions = world.run(step, records=[])
        assert (msgspec.to_builtins(released), cautions) == (msgspec.to_builtins(nothing), no_cautions)
        assert [each.record for each in withheld] == [each.m_id for each in held]

    check()


def only_what_is_held_back_is_withheld(step: Step) -> None:
    @property_settings
    @given(worlds)
    def check(world: World) -> None:
        released, withheld, _ = world.run(step)
        assert released.records == [each for each in world.records if not world.held_back(each)]
        assert len(released.records) + len(withheld) == len(world.records)
        assert len(released.records) == len(released.display_until) == len(released.disputed)

    check()


def more_facts_never_release_more(step: Step) -> None:
    """Invariant 10: what is released with more facts was released with fewer, and no caution is lost."""

    @property_settings
    @given(worlds, facts)
    def check(world: World, added: SubjectFacts) -> None:
        before, _, told = world.run(step)
        after, _, still_told = world.run(step, facts=join(world.facts, added))
        kept = {each.m_id for each in after.records}
        assert kept <= {each.m_id for each in before.records}
        assert {each.record for each in told} & kept <= {each.record for each in still_told}

    check()


def cautions_reach_the_recipient(step: Step) -> None:
    """Invariant 19."""

    @property_settings
    @given(worlds)
    def check(world: World) -> None:
        released, _, cautions = world.run(step)
        disputes = world.facts.disputed | world.facts.overdue
        assert cautions == [
            Caution("tax-arrears", each.m_id, f"tax-arrears/{each.m_id}" in disputes, each.m_mitigation)
            for each in released.records
            if each.m_mitigation or f"tax-arrears/{each.m_id}" in disputes
        ]
        assert released.disputed == [f"tax-arrears/{each.m_id}" in disputes for each in released.records]

    check()


@pytest.mark.parametrize(
    "invariant",
    [
        all_withheld_equals_no_records,
        only_what_is_held_back_is_withheld,
        more_facts_never_release_more,
        cautions_reach_the_recipient,
    ],
)
def test_invariant(invariant: Callable[[Step], None]) -> None:
    invariant(restrain)


@given(worlds, st.integers(0, 2000))
@property_settings
def test_a_later_day_releases_no_record_that_had_begun_its_display(world: World, days: int) -> None:
    later = TODAY + days * DAY
    now, _, _ = world.run(restrain)
    then, _, _ = restrain(world.dataset, world.purpose, SUBJECT, world.records, world.facts, later)
    begun = {each.m_id for each in world.records if each.m_effective and each.m_effective <= TODAY}
    if world.dataset.display:
        assert {each.m_id for each in then.records} & begun <= {each.m_id for each in now.records}


unknown = worlds_with(st.just(NOTHING))


def asked_or_not_is_one(restraints: tuple[Restraint, ...]) -> None:
    """What is not asked of usual records would withhold none of them."""

    @property_settings
    @given(unknown)
    def check(world: World) -> None:
        all_asked = tuple([msgspec.structs.replace(each) for each in restraints])
        assert world.run(restrain) == world.run(lambda *given: restrain(*given, restraints=all_asked))

    check()


def test_usual_records_are_not_asked_about_in_vain() -> None:
    asked_or_not_is_one(RESTRAINTS)


# The planted faults: each property above fails on the step that has one.


def without(name: str) -> Step:
    left = tuple(restraint for restraint in RESTRAINTS if restraint.name != name)
    assert len(left) == len(RESTRAINTS) - 1
    return lambda *given: restrain(*given, restraints=left)


@pytest.mark.parametrize("name", [restraint.name for restraint in RESTRAINTS])
def test_a_missing_restraint_breaks_invariant_5(name: str) -> None:
    # One kind of fact at a time: with all of them nearly every record would be withheld for another reason too.
    alone = st.one_of([st.builds(SubjectFacts, **{member: drawn}) for member, drawn in SETS.items()])
    with pytest.raises(AssertionError):
        all_withheld_equals_no_records(without(name), worlds_with(alone))


def test_a_trace_of_a_withheld_record_breaks_invariant_5() -> None:
    def faulty(*given: object) -> Answer:
        released, withheld, cautions = restrain(*given)
        return released, withheld, cautions + [Caution(each.dataset, "", False, None) for each in withheld]

    with pytest.raises(AssertionError):
        all_withheld_equals_no_records(faulty)


def test_a_restraint_that_a_dispute_lifts_breaks_invariant_10() -> None:
    def lifted(restraint: Restraint) -> Restraint:
        return msgspec.structs.replace(
            restraint, withholds=lambda at: () if at.facts.disputed else restraint.withholds(at)
        )

    with pytest.raises(AssertionError):
        more_facts_never_release_more(lambda *given: restrain(*given, restraints=tuple(map(lifted, RESTRAINTS))))


def test_a_forgotten_dispute_or_mitigation_breaks_invariant_19() -> None:
    def undisputed(*given: object) -> Answer:
        facts = msgspec.structs.replace(given[4], disputed=frozenset())
        return restrain(*given[:4], facts, given[5])

    def unmitigated(*given: object) -> Answer:
        released, withheld, cautions = restrain(*given)
        return released, withheld, [each for each in cautions if each.disputed]

    for faulty in (undisputed, unmitigated):
        with pytest.raises(AssertionError):
            cautions_reach_the_recipient(faulty)


def test_a_restraint_that_is_not_asked_in_time_is_found() -> None:
    whim = Restraint("whim", "0", lambda release: range(len(release.records)), usual=False)
    with pytest.raises(AssertionError):
        asked_or_not_is_one((*RESTRAINTS, whim))


def test_a_restraint_too_many_breaks_the_release() -> None:
    everything = (*RESTRAINTS, Restraint("whim", "0", lambda release: range(len(release.records))))
    with pytest.raises(AssertionError):
        only_what_is_held_back_is_withheld(lambda *given: restrain(*given, restraints=everything))
