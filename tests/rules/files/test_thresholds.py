"""`policies/watch.yaml`: what is wrong is told where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.rules.files import thresholds
from tests.watch.looks import POLICIES, days, shipped


def read(folder: Path, before: str, after: str) -> tuple[thresholds.Thresholds, list[Problem]]:
    text = (POLICIES / "watch.yaml").read_text("utf-8")
    assert before in text
    (folder / "watch.yaml").write_text(text.replace(before, after, 1), "utf-8")
    problems: list[Problem] = []
    return thresholds.load(folder, problems), problems


def test_the_shipped_file() -> None:
    wanted = shipped()
    assert wanted.many_officials == thresholds.ManyOfficials(7, days(7))
    assert wanted.longest == days(40)


@pytest.mark.parametrize(
    ("before", "after", "place", "says"),
    [
        ("officials: 7", "officials: 1", "many-officials.officials", "`1` must be a whole number from 2 to 256"),
        ("  changes: 3 ", "  change: 3 ", "changing-purposes.change", "unknown key `change` (did you mean `changes`?)"),
        ('opens: "07:00"', 'opens: "7"', "out-of-hours.opens", "a time of day"),
        ('closes: "20:00"', 'closes: "06:00"', "out-of-hours.closes", "is not after `opens` (07:00)"),
        ("worked_days: 5", "worked_days: 50", "far-above-own-history.worked_days", "more than `of_last` (20)"),
        (
            "officials: {}",
            "officials: {m.ivanova: {PIN: x}}",
            "own-identifier.officials.m.ivanova",
            "`client/official`",
        ),
        ("letters: true", "letters: yes", "sequential-identifiers.numbers.LEI.letters", "must be true or false"),
        ("on_duty: []", "on_duty: [a/b/c]", "out-of-hours.on_duty.0", "a client, or `client/official`"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, place: str, says: str) -> None:
    _, problems = read(tmp_path, before, after)
    (problem, *_) = problems
    text = (tmp_path / "watch.yaml").read_text("utf-8").splitlines()
    assert problem.path == place
    assert says in problem.message
    assert place.split(".")[-1] in text[problem.line - 1] or problem.path.endswith(".0")
    assert problem.column > 1


def test_a_missing_section_is_no_way_to_turn_a_detector_off(tmp_path: Path) -> None:
    text = (POLICIES / "watch.yaml").read_text("utf-8")
    start = text.index("after-case-closed:")
    (tmp_path / "watch.yaml").write_text(text[:start], "utf-8")
    problems: list[Problem] = []
    thresholds.load(tmp_path, problems)
    assert [problem.message for problem in problems] == ["`after-case-closed` is missing"]


def test_off_needs_a_reason(tmp_path: Path) -> None:
    section = "many-officials:\n  officials: 7\n  days: 7\n"
    wanted, problems = read(tmp_path, section, "many-officials: {off: every name is asked for by everybody here}\n")
    assert (wanted.many_officials, problems) == (None, [])
    wanted, (problem,) = read(tmp_path, section, "many-officials: {off: }\n")
    assert "why nobody watches for this" in problem.message


def test_identifiers_of_officials(tmp_path: Path) -> None:
    wanted, problems = read(tmp_path, "officials: {}", 'officials: {market-regulator/m.ivanova: {PIN: "1234567890"}}')
    assert problems == []
    assert wanted.own_identifier is not None
    assert wanted.own_identifier.officials == {("market-regulator", "m.ivanova"): frozenset({("PIN", "1234567890")})}
