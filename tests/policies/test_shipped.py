"""The shipped policies and their tests: all pass, and whatever is deleted or widened fails one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.inquiry.tested import inquire
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing import judge, read
from gateway.rules.testing.model import PolicyTest
from tests.policies import mutants
from tests.policies.mutants import Mutant
from tests.rules.policies import SHIPPED, shipped

WITHOUT_EFFECT = {
    # Where no stronger authentication is demanded, every token meets what is demanded.
    "step-up-missing: `when` 0 at top: only the right of &&",
}
"""What decides nothing otherwise, whatever is asked."""


@functools.cache
def suite() -> Sequence[PolicyTest]:
    problems: list[Problem] = []
    tests = read.load(SHIPPED, shipped(), problems)
    assert problems == []
    return tests


def words(test: PolicyTest) -> frozenset[str]:
    """What a test is about: its file, its purposes, and the rules that it names."""
    named = (expected.rules or {expected.rule} for expected in test.expected.values() if expected.says_why)
    purposes = {posed.purpose for _, posed in test.inquiries}
    return frozenset([Path(test.file).stem, *purposes, *(str(rule) for rules in named for rule in rules)])


def survivors(made: Iterator[Mutant], tests: Sequence[PolicyTest]) -> set[str]:
    """What was done that no test fails for. To be quick, those are tried first that are about it, or failed last."""
    found, order = set(), [(test, words(test)) for test in tests]
    for mutant in made:
        for each in sorted(order, key=lambda each: mutant.near not in each[1]):
            if judge.run(mutant.rule_set, [each[0]], inquire).failed:
                order.remove(each)
                order.insert(0, each)
                break
        else:
            found.add(mutant.done)
    return found


def test_every_test_passes_and_together_they_prove_every_rule_and_reason() -> None:
    result = judge.run(shipped(), suite(), inquire)
    assert [(ran.test.name, ran.unmet) for ran in result.ran if ran.unmet] == []
    assert result.coverage.percent == 100


@pytest.mark.long_cases("second", "third")
@pytest.mark.parametrize("third", range(3), ids=["first", "second", "third"])
@pytest.mark.parametrize(
    "made",
    [mutants.of_rules, mutants.of_purposes, mutants.of_grants, mutants.of_datasets],
    ids=lambda made: made.__name__,
)
def test_what_is_deleted_or_widened_fails_a_test(made: Callable[[RuleSet], Iterator[Mutant]], third: int) -> None:
    """Of every three that stand side by side, and so of each rule and each purpose, one is tried at a time."""
    others = (mutant for mutant in made(shipped()) if mutant.done not in WITHOUT_EFFECT)
    assert survivors(itertools.islice(others, third, None, 3), suite()) == set()


def test_a_suite_that_lacks_a_test_lets_something_pass() -> None:
    fewer = [test for test in suite() if not test.file.endswith("agreements.yaml")]
    longer = (
        mutant for mutant in mutants.of_grants(shipped()) if "/LICENCE" in mutant.done and "longer" in mutant.done
    )
    assert len(survivors(longer, fewer)) == 2
