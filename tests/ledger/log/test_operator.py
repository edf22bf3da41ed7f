"""Days and times as commands are given them."""

from __future__ import annotations

import datetime

import pytest

from gateway.ledger.log.operator import moment_of, period_of


@pytest.mark.parametrize(
    ("text", "last", "found"),
    [
        ("2026-01-31", False, "2026-01-31T00:00:00+00:00"),
        ("2026-01-31", True, "2026-02-01T00:00:00+00:00"),
        ("2026-01-31T09:00:00+02:00", True, "2026-01-31T07:00:00+00:00"),
        ("9999-12-30", True, "9999-12-31T00:00:00+00:00"),
        ("9999-12-31", True, "9999-12-31T23:59:59.999999+00:00"),
        ("9999-12-31", False, "9999-12-31T00:00:00+00:00"),
    ],
)
def test_a_day_or_a_time(text: str, last: bool, found: str) -> None:
    assert moment_of(text, last=last) == datetime.datetime.fromisoformat(found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9999-12-31T23:00:00-05:00", "outside the years 1 to 9999"),
        ("0001-01-01T00:00:00+05:00", "outside the years 1 to 9999"),
        ("2026-02-30", "no day and no time"),
        ("2026-01-31T09:00:00", "has no offset; write `2026-01-31T09:00:00Z`"),
    ],
)
def test_what_is_none(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        moment_of(text, last=True)


def test_a_period_through_the_last_day_there_is() -> None:
    begins, ends = period_of("9999-12-31", "9999-12-31")
    assert begins is not None
    assert ends is not None
    assert begins < ends
