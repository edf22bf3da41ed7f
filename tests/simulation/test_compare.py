"""Decisions made again from entries: the same rule set changes nothing, and another changes what `decide` changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from gateway.inquiry import disclose
from gateway.inquiry.types import Basis, Wanted
from gateway.ledger.entry import entries
from gateway.ledger.entry.entries import EXPIRED
from gateway.rules.model import Flag
from gateway.rules.ruleset import RuleSet
from gateway.simulation import compare
from gateway.simulation.compare import ASKED_OTHERWISE, RECORD, UNDECIDED, Comparison
from gateway.simulation.recorded import Recorded, decisions
from tests.properties.checking import holds, is_found
from tests.simulation.varied import CHANGES, Asked, asked, decided, entry_of, granted, permitted, read, seeds, varied

SETS = [varied(0), varied(3), *(varied(seed, change) for change in CHANGES for seed in (1, 2))]
SOME = st.sampled_from(SETS)
"""Rule sets, few enough that their tables are made once."""


def recorded(rules: RuleSet, of: Asked) -> list[Recorded | str]:
    told, oversight = read(entry_of(rules, of))
    assert isinstance(told, entries.Operation)
    return list(decisions(told, oversight))


def check_itself(rules: RuleSet, of: Asked) -> int:
    """What a rule set decided, it decides again; gives how many decisions there were."""
    comparison = Comparison(rules, rules)
    found = recorded(rules, of)
    assert len(found) == len(of.subjects)
    for each in found:
        if isinstance(each, str):
            assert each == UNDECIDED
            assert decided(rules, of) is None
        else:
            assert comparison.of(each.made(comparison)) == ()
    return sum(isinstance(each, Recorded) for each in found)


def test_a_rule_set_against_itself_changes_nothing() -> None:
    seen: list[int] = []
    holds(lambda *drawn: seen.append(check_itself(*drawn)), SOME, seeds.map(asked), examples=200)
    assert sum(seen) > 100


def check_again(was: RuleSet, candidate: RuleSet, of: Asked) -> Counter[str]:
    """Where a decision can be made again, the candidate's is what `decide` gives for what was asked then."""
    comparison = Comparison(candidate, was)
    then = decided(candidate, of)
    counted: Counter[str] = Counter()
    for subject, each in zip(of.subjects, recorded(was, of), strict=True):
        if isinstance(each, str):
            counted[each] += 1
            continue
        made = each.made(comparison)
        outcome = comparison.of(made)
        if isinstance(outcome, str):
            demands = [rules.policies.purposes[made.purpose] for rules in (was, candidate)]
            assert demands[0] != demands[1] or (granted(candidate, of) and not granted(was, of))
            counted[outcome] += 1
            continue
        counted["changed" if outcome else "same"] += 1
        told = {(change.dataset, change.field): change.candidate for change in outcome}
        assert all(change.recorded != change.candidate for change in outcome), "what is active decided it"
        now = {} if then is None else permitted(then.subjects[subject])
        for (dataset, field), before in made.opened.items():
            opens = dataset in now if field == RECORD else field in now.get(dataset, ())
            assert told.get((dataset, field), before) == opens, (dataset, field, made.basis)
    return counted


def test_a_candidate_decides_as_decide_would_have() -> None:
    total: Counter[str] = Counter()
    holds(lambda *drawn: total.update(check_again(*drawn)), SOME, SOME, seeds.map(asked), examples=300)
    assert total["changed"] > 20
    assert total["same"] > 50
    assert total[ASKED_OTHERWISE] > 5


@pytest.mark.parametrize("change", ["step_up", "scope", "glass", "case"])
def test_what_a_purpose_newly_asks_for_is_not_guessed(change: str) -> None:
    """Another sign-in, another token, an emergency's leave, a case: nobody knows who would have shown it."""
    total: Counter[str] = Counter()
    for seed in range(120):
        total += check_again(varied(0), varied(1 + seed % 3, change), asked(seed))
    assert total[ASKED_OTHERWISE] > 0


def _planted(**members: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        real = disclose._decided_on

        def faulty(*arguments: Any, **named: Any) -> Any:
            found = real(*arguments, **named)
            if found is None:
                return None
            return msgspec.structs.replace(found, **{name: change(found) for name, change in members.items()})

        monkeypatch.setattr(disclose, "_decided_on", faulty)

    return plant


FAULTS = {
    "case": _planted(flags=lambda on: on.flags & ~int(Flag.CASE)),
    "official": _planted(flags=lambda on: on.flags & ~int(Flag.OFFICIAL)),
    "step-up": _planted(flags=lambda on: on.flags & ~int(Flag.STEP_UP)),
    "break-glass": _planted(flags=lambda on: on.flags & ~int(Flag.BREAK_GLASS)),
    "expired": _planted(flags=lambda on: on.flags & ~EXPIRED),
    "unscoped": _planted(unscoped=lambda on: ()),
    "narrowed": _planted(narrowed=lambda on: ()),
    "consented": _planted(consented=lambda on: {}),
    "suspended": _planted(suspended=lambda on: {}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_flag_that_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    FAULTS[name](monkeypatch)
    is_found(check_itself, SOME, seeds.map(asked), examples=600)


def test_equal_decisions_have_one_key_and_others_have_another() -> None:
    """What differs in subject, official, case or moment of one day is decided once."""
    rules = varied(0)
    comparison = Comparison(rules, rules)
    keys: dict[bytes, Any] = {}
    for seed in range(150):
        for each in recorded(rules, asked(seed)):
            if isinstance(each, Recorded):
                made = each.made(comparison)
                rests = msgspec.to_builtins(
                    (made.who, made.purpose, made.kind, made.basis, made.brought), str_keys=True
                )
                known = (str(rests), comparison.days(made.at), made.opened, made.denied)
                assert keys.setdefault(each.key(comparison.days(made.at)), known) == known
    of = asked(1)
    other = of._replace(
        requester=msgspec.structs.replace(of.requester, official=of.requester.official and "s.omebody"),
        declaration=msgspec.structs.replace(of.declaration, case=of.declaration.case and "C-2"),
    )
    days = comparison.days(of.now)
    for one, two in zip(recorded(rules, of), recorded(rules, other), strict=True):
        assert isinstance(one, Recorded)
        assert isinstance(two, Recorded)
        assert one.key(days) == two.key(days)
        for word in (b"o.fficial", b"C-1", *(subject.value.encode() for subject in of.subjects)):
            assert word not in one.key(days)


def test_a_refusal_does_not_guess_whether_records_were_open() -> None:
    assert compare.opened(_basis(frozenset({"a"}), True), None, [("d", "a")]) == {("d", "a"): False}
    assert compare.opened(_basis(frozenset({"a"}), True), None, [("d", "a"), ("d", "b")]) == {
        ("d", "a"): False,
        ("d", RECORD): False,
    }
    assert compare.opened(_basis(frozenset({"a", "b"}), True), None, [("d", "a")])["d", RECORD]
    assert compare.opened(_basis(frozenset(), True), None, []) == {}


def _basis(fields: frozenset[str], bare: bool) -> Any:
    return Basis({"d": Wanted(fields, bare)}, Flag(0))
