"""The calendar: the time zone, working days and holidays of `policies/calendar.yaml`."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest

from gateway.errors import Problem
from gateway.rules.files import calendar
from tests.rules.policies import SHIPPED, edited, position


def test_working_days_and_holidays() -> None:
    problems: list[Problem] = []
    found = calendar.load(SHIPPED, problems)
    assert problems == []
    day = datetime.date
    worked = [found.worked(day(2026, 9, number)) for number in (4, 5, 6, 7, 8, 22)]
    assert worked == [True, False, False, False, True, False]
    assert msgspec.structs.astuple(found.terms) == (7, 20, 5, 10, 20) == msgspec.structs.astuple(calendar.Terms())
    assert found.listed == {2026, 2027}
    assert found.ends == day(2027, 12, 31)
    assert found.local(datetime.datetime(2026, 9, 7, 21, 30, tzinfo=datetime.UTC)).date() == day(2026, 9, 8)


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("[monday, tuesday", "[mon, tuesday", "mon,", "unknown `mon` (did you mean `monday`?)"),
        ("- 2026-03-03", "- 2026-02-30", "2026-02-30", "must be a date"),
        ("- 2026-03-03", "- 2026-01-01\n  - 2026-03-03", "2026-01-01\n  - 2026-03-03", "appears twice"),
        ("worked: []", "worked: [2026-12-12, 2026-12-12]", "2026-12-12]", "appears twice"),
        ("worked: []", "worked: [2026-12-24]", "2026-12-24]", "is a holiday too"),
        ("objection: 7", "objections: 7", "objections", "did you mean `objection`?"),
        ("objection: 7", "objection: 0", "0, rest", "must be a whole number from 1 to 260"),
        ("restoration: 20", "restoration: 261", "261", "must be a whole number from 1 to 260"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    directory = edited(tmp_path, "calendar.yaml", before, after)
    problems: list[Problem] = []
    calendar.load(directory, problems)
    (problem,) = problems
    assert says in problem.message
    assert (problem.line, problem.column) == position(directory, "calendar.yaml", word)


def test_a_make_up_day_is_worked(tmp_path: Path) -> None:
    problems: list[Problem] = []
    found = calendar.load(edited(tmp_path, "calendar.yaml", "worked: []", "worked: [2026-12-12]"), problems)
    assert problems == []
    assert [found.worked(datetime.date(2026, 12, number)) for number in (11, 12, 13)] == [True, True, False]


def test_what_is_not_written_is_usual(tmp_path: Path) -> None:
    (tmp_path / "calendar.yaml").write_text("time_zone: UTC\n")
    assert calendar.load(tmp_path, []) == calendar.Calendar()
