"""What opens and closes: exactly the difference of two matrices, each cell once; and who has to agree."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from gateway.rules.compare import permits, shifts
from gateway.rules.compare.permits import COMBINATIONS, Coordinate
from gateway.rules.decide.engine import Engine, Question
from gateway.rules.files.purposes import KINDS
from gateway.rules.load import load
from gateway.rules.model import Flag, Grant
from gateway.rules.ruleset import RuleSet
from tests.rules.compare import worlds
from tests.rules.policies import edited, entry, grant, shipped


def matrix(rule_set: RuleSet, held: Sequence[Grant | None]) -> dict[tuple[int, Coordinate], int]:
    """Every cell that is ever permitted, by its grant's place, with the combinations of flags."""
    table = permits.permits(rule_set)
    return {
        (number, at): permit.under
        for number, own in enumerate(held)
        for at, permit in (table.get(own.id, {}) if own is not None else {}).items()
    }


@given(worlds.PAIRS)
@settings(max_examples=25)
def test_the_differences_lead_from_one_matrix_to_the_other(both: tuple[RuleSet, RuleSet]) -> None:
    before, after = both
    pairs, told = shifts.pairs(before, after), shifts.shifts(before, after)
    was, now = matrix(before, [pair.before for pair in pairs]), matrix(after, [pair.after for pair in pairs])
    seen = set()
    made = dict(was)
    for shift in told:
        place = pairs.index(shift.pair), (shift.kind, shift.dataset, shift.field)
        assert place not in seen, "told twice"
        seen.add(place)
        under = made.pop(place, 0)
        assert not shift.opens & under
        assert shift.closes & under == shift.closes
        if after_all := (under | shift.opens) & ~shift.closes:
            made[place] = after_all
    assert made == now
    assert shifts.widens(before, after) is any(under & ~was.get(place, 0) for place, under in now.items())
    assert bool(told) is (was != now)


@given(worlds.PAIRS)
@settings(max_examples=15)
def test_each_grant_is_in_one_pair_with_one_of_its_own(both: tuple[RuleSet, RuleSet]) -> None:
    pairs = shifts.pairs(*both)
    for side, rule_set in zip(("before", "after"), both, strict=True):
        there = [(pair, getattr(pair, side)) for pair in pairs if getattr(pair, side) is not None]
        held = [own for holder in rule_set.policies.requesters.values() for own in holder.grants]
        assert sorted(own.id for _, own in there) == sorted(own.id for own in held)
        for pair, own in there:
            holder = rule_set.holder(own)
            assert (holder.client, holder.department, own.purpose) == (pair.client, pair.department, pair.purpose)
    for pair in pairs:
        if pair.before is None or pair.after is None:
            others = [each for each in pairs if each[:4] == pair[:4]]
            assert not (any(p.before is None for p in others) and any(p.after is None for p in others))


@given(worlds.RULE_SETS)
@settings(max_examples=5)
def test_permits_are_what_the_table_decides(rule_set: RuleSet) -> None:
    table = permits.permits(rule_set)
    for holder in rule_set.policies.requesters.values():
        for held in holder.grants:
            occurring = permits.possible(holder, rule_set.policies.purposes[held.purpose])
            expected: dict[Coordinate, int] = {}
            for kind in KINDS:
                for flags in COMBINATIONS:
                    for (dataset, field), cell in rule_set.cells(held, kind, flags).items():
                        if cell.permitted and occurring >> int(flags) & 1:
                            expected[kind, dataset, field] = expected.get((kind, dataset, field), 0) | 1 << int(flags)
            assert {at: permit.under for at, permit in table.get(held.id, {}).items()} == expected


def test_cedar_is_asked_once_of_what_no_rule_tells_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Question] = []
    really = Engine.permitting

    def counted(self: Engine, questions: Sequence[Question]) -> list[frozenset[str]]:
        asked.extend(questions)
        return really(self, questions)

    monkeypatch.setattr(Engine, "permitting", counted)
    named = 'resource == Field::"emission-permits.pollutant")'
    rule_set = load(edited(tmp_path, "rules/licence-renewal.cedar", "resource)", named))
    found = permits.permits(rule_set)["environment-agency/LICENCE_RENEWAL"]
    assert [(at, permit.rules) for at, permit in found.items()] == [
        (("organisation", "emission-permits", "pollutant"), {"licence-renewal"})
    ]
    renewal = {
        (question.dataset.id, question.field) for question in asked if question.grant.purpose == "LICENCE_RENEWAL"
    }
    assert ("emission-permits", "pollutant") in renewal
    assert len(renewal) < 6, "the others differ by nature and disclosure at most"


def test_what_cannot_occur_is_no_permit() -> None:
    agency, court = entry("environment-agency"), entry("civil-court")
    purposes = shipped().policies.purposes
    occurring = permits.possible(agency, purposes["LICENCE_RENEWAL"])
    assert not any(occurring >> int(flags) & 1 for flags in COMBINATIONS if flags & (Flag.CASE | Flag.BREAK_GLASS))
    assert permits.possible(court, purposes["COURT_ENFORCEMENT"]).bit_count() == 32
    own = permits.possible(court, purposes["SUBJECT_ACCESS"])
    assert not any(own >> int(flags) & 1 for flags in COMBINATIONS if flags & Flag.SCOPE)


PEOPLE = "    person-register: {names: [name]}"
TAX = "    tax-registrations: {names: [status, "
ASKED = {"environment", "labour", "market", "tax"}
"""Whose data are asked for by a tender's purpose."""
EXEMPT = '  suspension: {exempt: {law: Employment Promotion Act, article: "50"}}'


@pytest.mark.parametrize(
    ("old", "new", "departments"),
    [
        (PEOPLE, PEOPLE.replace("name]", "name, registeredOn]"), {"labour"}),
        (TAX, TAX.replace("[", "[registeredOn, "), set()),
        ("[year, taxableIncome, currency]", "[year]", set()),
        ("  delete_after: P60D", "  delete_after: P60D\n  overdue_objection: flag", {"labour", "tax"}),
        ("  delete_after: P60D", f"  delete_after: P60D\n{EXEMPT}", {"labour", "tax"}),
        ("  delete_after: P90D", f"  delete_after: P90D\n{EXEMPT}", set()),
        ("  delete_after: P90D", "  delete_after: P90D\n  forward: [case]", ASKED),
    ],
)
def test_whose_steward_has_to_agree(tmp_path: Path, old: str, new: str, departments: set[str]) -> None:
    after = load(edited(tmp_path, "purposes.yaml", old, new))
    assert shifts.widens_to_people_or_non_public(shipped(), after) == departments


def test_what_is_sent_no_more_widens_nothing(tmp_path: Path) -> None:
    sends = load(
        edited(tmp_path / "one", "purposes.yaml", "delete_after: P90D", "delete_after: P90D\n  forward: [case]")
    )
    assert shifts.widens_to_people_or_non_public(sends, shipped()) == set()
    assert shifts.widens_to_people_or_non_public(sends, sends) == set()


def test_more_days_and_the_end_of_a_suspension_widen() -> None:
    held = grant("labour-office/SUBSIDY_ASSESSMENT")
    longer = msgspec.structs.replace(held, valid_until=held.valid_until + datetime.timedelta(days=1))
    suspended = msgspec.structs.replace(held, suspended=True)
    everyone = {"labour", "tax"}
    assert shifts.widens_to_people_or_non_public(shipped(), with_grant(longer)) == everyone
    assert shifts.widens_to_people_or_non_public(with_grant(suspended), shipped()) == everyone
    assert shifts.widens_to_people_or_non_public(with_grant(longer), shipped()) == set()
    assert shifts.widens_to_people_or_non_public(shipped(), with_grant(suspended)) == set()
    assert not shifts.widens(shipped(), with_grant(longer))


def with_grant(held):  # type: ignore[no-untyped-def]
    """The shipped policies with one grant exchanged."""
    rule_set = shipped()
    who = rule_set.requesters
    entries = {
        key: msgspec.structs.replace(each, grants=tuple(held if own.id == held.id else own for own in each.grants))
        for key, each in who.entries.items()
    }
    policies = rule_set.policies
    changed_ = msgspec.structs.replace(who, entries=entries, digest=repr(held))
    return RuleSet(policies.catalogue, policies.purposes, changed_, list(rule_set.rules.values()), rule_set.calendar)
