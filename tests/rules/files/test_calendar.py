"""The calendar: the time zone, working days and holidays of `policies/calendar.yaml`."""

from __future__ import annotations

import datetime
from pathlib import Path

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
    assert found.local(datetime.datetime(2026, 9, 7, 21, 30, tzinfo=datetime.UTC)).date() == day(2026, 9, 8)


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("[monday, tuesday", "[mon, tuesday", "mon,", "unknown `mon` (did you mean `monday`?)"),
        ("- 2026-03-03", "- 2026-02-30", "2026-02-30", "must be a date"),
        ("- 2026-03-03", "- 2026-01-01\n  - 2026-03-03", "2026-01-01\n  - 2026-03-03", "stands twice"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    directory = edited(tmp_path, "calendar.yaml", before, after)
    problems: list[Problem] = []
    calendar.load(directory, problems)
    (problem,) = problems
    assert says in problem.message
    assert (problem.line, problem.column) == position(directory, "calendar.yaml", word)
