"""Policy tests, run: what came of each inquiry, beside what was expected, and which rules and reasons that proves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.rules.model import Cell, Reason
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing.model import NOTHING_SUPPOSED, Expected, Inquire, PolicyTest
from gateway.rules.testing.supposing import supposing

GUARDED = frozenset([Reason.PURPOSE_NOT_PERMITTED, Reason.GRANT_INACTIVE, Reason.TOKEN_NARROWED, Reason.NO_RULE])
"""The reasons that are given whatever the rules say."""


class Unmet(NamedTuple):
    """Fields of one dataset of which the same came, and not what was expected. `inquiry` is empty for the only one."""

    inquiry: str
    dataset: str
    fields: tuple[str, ...]
    expected: Expected
    got: Cell


class Ran(NamedTuple):
    """One test that ran, how many expectations it had, the seconds it took, and those that were not met."""

    test: PolicyTest
    expectations: int
    seconds: float
    unmet: tuple[Unmet, ...]


class Coverage(NamedTuple):
    """What the tests prove: of each rule and reason, how many expectations that were met rest on it.

    A permit rests on the rules that gave it. A denial counts only where a test says why it is expected: then for the
    rules that it names, and for its reason.
    """

    rules: Mapping[str, int]
    reasons: Mapping[Reason, int]

    @property
    def percent(self) -> int:
        """The lesser of both shares, rounded down: 100 only where nothing is without a test."""
        return min(_share(self.rules), _share(self.reasons))


class Result(NamedTuple):
    """All tests that ran, against which rule set, and what they prove."""

    digest: str
    ran: tuple[Ran, ...]
    coverage: Coverage

    @property
    def expectations(self) -> int:
        return sum(ran.expectations for ran in self.ran)

    @property
    def failed(self) -> int:
        return sum(1 for ran in self.ran if ran.unmet)

    @property
    def seconds(self) -> float:
        return sum(ran.seconds for ran in self.ran)


def _share(counts: Mapping[Any, int]) -> int:
    return 100 * sum(1 for count in counts.values() if count) // len(counts) if counts else 100


def run(rule_set: RuleSet, tests: Sequence[PolicyTest], inquire: Inquire) -> Result:
    """Every inquiry of every test, decided by the rule set, or by what a test makes of it by supposing."""
    rules = dict.fromkeys(rule_set.rules, 0)
    reasons = dict.fromkeys((each for each in Reason if each in GUARDED | _told_by(rule_set)), 0)
    asked = {NOTHING_SUPPOSED: inquire(rule_set)}
    ran = []
    for test in tests:
        began = time.perf_counter()
        if test.supposed not in asked:
            asked[test.supposed] = inquire(supposing(rule_set, test.supposed))
        count, unmet = 0, list[tuple[str, str, str, Expected, Cell]]()
        for label, posed in test.inquiries:
            cells = asked[test.supposed](posed)
            count += len(test.expected)
            for (dataset, field), expected in test.expected.items():
                cell = cells[dataset, field]
                if not expected.met(cell):
                    unmet.append((label, dataset, field, expected, cell))
                    continue
                for name in _proved(expected, cell) & rules.keys():
                    rules[name] += 1
                if expected.says_why and cell.reason in reasons:
                    reasons[cell.reason] += 1
        ran.append(Ran(test, count, time.perf_counter() - began, tuple(_grouped(unmet))))
    return Result(rule_set.digest, tuple(ran), Coverage(rules, reasons))


def _told_by(rule_set: RuleSet) -> frozenset[Reason]:
    return frozenset(rule.reason for rule in rule_set.rules.values() if rule.effect == "forbid")


def _proved(expected: Expected, cell: Cell) -> frozenset[str]:
    if expected.permitted:
        return frozenset(cell.rules)
    named = (expected.rules or frozenset()) | ({expected.rule} if expected.rule is not None else frozenset())
    return named & frozenset(cell.rules)


def _grouped(unmet: Sequence[tuple[str, str, str, Expected, Cell]]) -> Iterator[Unmet]:
    """What came of the fields of a dataset, once for all of which the same came."""
    groups: dict[tuple[object, ...], list[tuple[str, str, str, Expected, Cell]]] = {}
    for each in unmet:
        label, dataset, _, expected, cell = each
        groups.setdefault((label, dataset, expected, cell.reason, cell.rule, cell.rules), []).append(each)
    for (label, dataset, field, expected, cell), *more in groups.values():
        yield Unmet(label, dataset, (field, *(each[2] for each in more)), expected, cell)
