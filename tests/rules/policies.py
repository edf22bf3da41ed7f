"""Policies for tests: the shipped ones, loaded once, and copies in which one thing is changed."""

from __future__ import annotations

import datetime
import functools
import shutil
from pathlib import Path

from gateway.errors import ConfigurationError, Problem
from gateway.rules.files.rule import parse
from gateway.rules.load import load
from gateway.rules.model import Flag, Grant, RequesterEntry
from gateway.rules.ruleset import RuleSet

SHIPPED = Path(__file__).parents[2] / "policies"

TODAY = datetime.date(2026, 6, 15)
NOW = datetime.datetime(2026, 6, 15, 12, 0, tzinfo=datetime.UTC)

FEW = ("tender-qualification.yaml", "subsidy-assessment.yaml")
"""What is left of the tests' files by `fewer_tests`."""

ALL = Flag.SCOPE | Flag.CONSENT | Flag.CASE | Flag.OFFICIAL | Flag.STEP_UP


@functools.cache
def shipped() -> RuleSet:
    """The rule set of the shipped policies, where every issuer's name stands for itself."""
    return load(SHIPPED)


def entry(client: str, rule_set: RuleSet | None = None) -> RequesterEntry:
    """A registered requester, by its client."""
    entries = (rule_set or shipped()).policies.requesters.values()
    return next(entry for entry in entries if entry.client == client)


def grant(id: str, rule_set: RuleSet | None = None) -> Grant:
    """A grant, by its id."""
    entries = (rule_set or shipped()).policies.requesters.values()
    return next(grant for entry in entries for grant in entry.grants if grant.id == id)


def copy(to: Path) -> Path:
    """A copy of the shipped policies, to change."""
    directory = to / "policies"
    shutil.copytree(SHIPPED, directory)
    return directory


def fewer_tests(directory: Path, *also: str) -> Path:
    """Take most tests out of a copy: to run them is most of an examination, which other tests are about."""
    for each in (directory / "tests").iterdir():
        if each.name not in (*FEW, *also):
            each.unlink()
    return directory


def edited(to: Path, file: str, before: str, after: str) -> Path:
    """A copy of the shipped policies with one text of one file replaced."""
    directory = copy(to)
    path = directory / file
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{file} no longer says `{before}`"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return directory


def with_rule(to: Path, text: str, name: str = "planted.cedar") -> Path:
    """A copy of the shipped policies with one more rule."""
    directory = copy(to)
    (directory / "rules" / name).write_text(text, encoding="utf-8")
    return directory


def with_more(rule_set: RuleSet, text: str) -> RuleSet:
    """A rule set with one more rule, which nothing but its syntax is looked at of."""
    found: list[Problem] = []
    more = parse(text, "planted.cedar", found)
    assert more is not None, found
    policies = rule_set.policies
    rules = [*rule_set.rules.values(), more]
    return RuleSet(
        policies.catalogue, policies.purposes, rule_set.requesters, rules, rule_set.calendar, rule_set.officers,
        rule_set.watch,
    )  # fmt: skip


def problems(directory: Path) -> list[Problem]:
    """What is wrong with the policies; none where they load."""
    try:
        load(directory)
    except ConfigurationError as error:
        return error.problems
    return []


def position(directory: Path, file: str, word: str) -> tuple[int, int]:
    """Line and column, from 1, where a word first stands in a file."""
    text = (directory / file).read_text(encoding="utf-8")
    offset = text.index(word)
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1
