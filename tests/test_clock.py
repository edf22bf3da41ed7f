"""Invariant 15: time never falls, whatever the machine's clock and the ledger say."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import Clock

START = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
moments = st.integers(-5000, 5000).map(lambda seconds: START + datetime.timedelta(seconds=seconds))
steps = st.lists(st.tuples(moments, moments), min_size=1, max_size=30)

Now = Callable[[], datetime.datetime]
Make = Callable[[Now, Now], Now]


def never_falls(make: Make) -> None:
    @settings(max_examples=200, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
    @given(steps)
    def check(said: list[tuple[datetime.datetime, datetime.datetime]]) -> None:
        walls, floors = iter([wall for wall, _ in said]), iter([floor for _, floor in said])
        clock = make(lambda: next(floors), lambda: next(walls))
        times = [clock() for _ in said]
        assert all(earlier <= later for earlier, later in pairwise(times))
        assert all(time >= floor and time >= wall for time, (wall, floor) in zip(times, said, strict=True))

    check()


def test_time_never_falls() -> None:
    never_falls(Clock)


@pytest.mark.parametrize(
    "faulty",
    [
        lambda floor, wall: lambda: max(wall(), floor()),
        lambda floor, wall: lambda: wall(),
        lambda floor, wall: lambda: floor(),
    ],
    ids=["forgets what it said", "forgets the ledger", "forgets the machine"],
)
def test_the_property_fails_when_a_fault_is_planted(faulty: Make) -> None:
    with pytest.raises(AssertionError):
        never_falls(faulty)


def test_the_machines_own_clock_is_read_in_utc() -> None:
    before = datetime.datetime.now(datetime.UTC)
    told = Clock(lambda: START - datetime.timedelta(days=9999))()
    assert told.utcoffset() == datetime.timedelta(0)
    assert before <= told <= datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize(("behind", "skew"), [(7, 7.0), (0, 0.0), (-3, -3.0)])
def test_skew_is_by_how_much_the_machine_is_behind_the_ledger(behind: int, skew: float) -> None:
    assert Clock(lambda: START + datetime.timedelta(seconds=behind), lambda: START).skew() == skew
