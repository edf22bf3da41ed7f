"""The smallest sets of changes: each that is told permits, no part of it does, and where there is any one is told.

Held against `decide` of the journey, which shares nothing with the search but the table, over small random rule sets.
"""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.inquiry.decide import replay
from gateway.inquiry.types import Basis, Wanted
from gateway.rules.explain import changes
from gateway.rules.explain.changes import Change, Situation, Way, What
from gateway.rules.files import rule as rule_files
from gateway.rules.files.rule import Rule
from gateway.rules.load import load
from gateway.rules.model import BreakGlassTerms, Flag
from gateway.rules.ruleset import RuleSet
from tests.rules.policies import TODAY
from tests.rules.small import BASE, write

OVERFLOW = "9223372036854775807 + 1 == 0"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return load(write(tmp_path_factory.mktemp("small") / "policies"))


CONDITIONS = (
    "context.scope", "!context.scope", "context.consent", "!context.consent", "context.case", "context.official",
    "!context.official", "context.step_up", "!context.break_glass", "context.case_required",
    'principal.roles.contains(Role::"department")', 'principal.roles.contains(Role::"portal")',
    'resource.nature == Nature::"adverse"', 'resource.information == Information::"public"',
    'context.subject == Subject::"person"', f"context.official && {OVERFLOW}",
)  # fmt: skip
ACTIONS = ("CHECK", "HELP", "OWN")


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        effect = draw(st.sampled_from(["permit", "permit", "forbid"]))
        told = '@basis("x")' if effect == "permit" else '@reason("NO_RULE")'
        action = draw(st.sampled_from(ACTIONS))
        asks = " && ".join(draw(st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3)))
        text = (
            f'@id("r{number}")@article("1")@advice("x"){told}\n'
            f'{effect} (principal, action == Action::"{action}", resource) when {{ {asks} }};'
        )
        made = rule_files.parse(text, f"r{number}.cedar", [])
        assert made is not None
        found.append(made)
    return tuple(found)


class Drawn(NamedTuple):
    """What a situation is made of."""

    client: str
    purpose: str
    kind: str
    field: tuple[str, str]
    flags: int
    day: datetime.date
    alive: bool
    narrowed: bool
    recall: str | None
    published: bool
    glass: bool


situations = st.builds(
    Drawn,
    st.sampled_from(["office", "other", "nobody"]),
    st.sampled_from(ACTIONS),
    st.sampled_from(["organisation", "person"]),
    st.sampled_from([("arrears", "amount"), ("arrears", "year"), ("income", "year"), ("register", "name")]),
    st.integers(0, 63) | st.just(31),
    st.sampled_from([TODAY, TODAY, datetime.date(2027, 1, 1), datetime.date(2025, 1, 1)]),
    *(st.sampled_from([True, True, False]),),
    *(st.sampled_from([False, False, True]),),
    st.sampled_from([None, None, "R-1"]),
    st.sampled_from([True, True, False]),
    st.sampled_from([False, False, True]),
)


def staged(small: RuleSet, drawn: Drawn, more: tuple[Rule, ...]) -> tuple[RuleSet, Situation]:
    policies = small.policies
    datasets = dict(policies.catalogue.datasets)
    if not drawn.published:
        name = drawn.field[0]
        datasets[name] = msgspec.structs.replace(datasets[name], status="draft")
    purposes = dict(policies.purposes)
    if drawn.glass:
        terms = BreakGlassTerms(3)
        purposes[drawn.purpose] = msgspec.structs.replace(purposes[drawn.purpose], break_glass=terms)
    catalogue = msgspec.structs.replace(policies.catalogue, datasets=datasets)
    rule_set = RuleSet(catalogue, purposes, small.requesters, [*small.rules.values(), *more], small.calendar)
    requester = policies.requesters["login", drawn.client]
    return rule_set, Situation(
        requester,
        purposes[drawn.purpose],
        drawn.kind,  # type: ignore[arg-type]
        datasets[drawn.field[0]],
        drawn.field[1],
        Flag(drawn.flags),
        drawn.day,
        drawn.alive,
        drawn.narrowed,
        drawn.recall,
    )


def permits(rule_set: RuleSet, at: Situation) -> bool:
    """Whether an inquiry in this situation would be answered, by the journey's own deciding."""
    name = at.dataset.id
    general = at.flags & (Flag.CASE | Flag.OFFICIAL | Flag.STEP_UP | Flag.BREAK_GLASS)
    basis = Basis(
        {name: Wanted(frozenset([at.field]), False)},
        general | (Flag.STEP_UP if at.purpose.step_up is None else Flag(0)),
        at.alive,
        frozenset() if Flag.SCOPE in at.flags else frozenset([name]),
        frozenset([name]) if at.narrowed else frozenset(),
        {name: frozenset([at.field])} if Flag.CONSENT in at.flags else {},
        {name: at.recall} if at.recall else {},
    )
    noon = datetime.datetime.combine(at.today, datetime.time(12), datetime.UTC)
    who = (at.requester.issuer, at.requester.client)
    decision = replay(rule_set, who, at.purpose.name, at.kind, basis, noon)
    return at.field in decision.permitted[name]


def parts(way: Way) -> Iterator[Way]:
    """Every proper part of a set."""
    changed = sorted(way, key=changes.order)
    for size in range(len(changed)):
        yield from map(frozenset, itertools.combinations(changed, size))


def check(rule_set: RuleSet, at: Situation, find: object = changes.smallest) -> int:
    """What is told is right; gives how many sets were."""
    assert changes.decided(rule_set, at).permitted is permits(rule_set, at)
    found = find(rule_set, at)  # type: ignore[operator]
    ruled = functools.cache(lambda way: changes.under(rule_set, at, way)[0])

    @functools.cache
    def permitted(way: Way) -> bool:
        of_files = frozenset(change for change in way if change.what not in changes.NO_FILE)
        return permits(ruled(of_files), changes.under(rule_set, at, way)[1])

    assert len(set(found)) == len(found)
    for way in found:
        assert permitted(way), "a set that is told permits"
        assert not any(map(permitted, parts(way))), "no part of a set that is told permits"
    if not found:
        needed, chosen = changes.possible(at)
        others = {name for name in rule_set.rules if f"{name}.cedar" not in BASE}
        all_of = needed | {Change(What.RULE), *(Change(What.WITHOUT, name) for name in others)}
        sizes = range(len(chosen) + 1)
        choices = itertools.chain.from_iterable(itertools.combinations(chosen, size) for size in sizes)
        assert not any(permitted(all_of | frozenset(choice)) for choice in choices), "where there is any, one is told"
    return len(found)


def test_what_is_told_permits_and_no_part_of_it_does(small: RuleSet) -> None:
    told = []

    @given(situations, rules())
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(drawn: Drawn, more: tuple[Rule, ...]) -> None:
        told.append(check(*staged(small, drawn, more)))

    holds()
    assert any(told)


def without_minimality(rule_set: RuleSet, at: Situation) -> tuple[Way, ...]:
    return tuple(sorted(set(changes._sufficient(rule_set, at)), key=len))


def without_rules(rule_set: RuleSet, at: Situation) -> tuple[Way, ...]:
    kept = (What.RULE, What.WITHOUT)
    return tuple(way for way in changes.smallest(rule_set, at) if all(change.what not in kept for change in way))


def too_little(rule_set: RuleSet, at: Situation) -> tuple[Way, ...]:
    return tuple(frozenset(list(way)[1:]) for way in changes.smallest(rule_set, at))


@pytest.mark.parametrize("faulty", [without_minimality, without_rules, too_little])
def test_a_planted_fault_is_found(small: RuleSet, faulty: object) -> None:
    @given(situations, rules())
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(drawn: Drawn, more: tuple[Rule, ...]) -> None:
        check(*staged(small, drawn, more), faulty)

    with pytest.raises(AssertionError, match=r"permits|is told"):
        holds()


def test_a_request_comes_first_and_a_rule_that_forbids_is_named(small: RuleSet) -> None:
    forbid = rule_files.parse(
        '@id("not-us")@article("1")@advice("x")@reason("NO_RULE")\n'
        'forbid (principal, action == Action::"CHECK", resource) unless { context.consent };',
        "not-us.cedar",
        [],
    )
    assert forbid is not None
    drawn = Drawn(
        "office",
        "CHECK",
        "organisation",
        ("arrears", "amount"),
        31 - Flag.CONSENT,
        TODAY,
        True,
        False,
        None,
        True,
        False,
    )
    assert changes.smallest(*staged(small, drawn, (forbid,))) == (frozenset([Change(What.WITHOUT, "not-us")]),)
    assert changes.smallest(*staged(small, drawn, ())) == (frozenset(),)
