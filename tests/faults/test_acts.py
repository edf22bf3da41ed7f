"""A short run of `tests.faults.acts`; and what it would find is found."""

from __future__ import annotations

import pytest

from tests.conftest import World
from tests.faults import acts


def test_subjects_who_act_at_once_stop_no_inquiry(world: World) -> None:
    found = acts.acts(world.region, 4, 16)
    assert found.sound, found
    assert (found.acts, found.inquiries) == (12, 16)


@pytest.mark.parametrize(
    ("numbers", "last", "wrong"),
    [([], 0, 0), ([1, 2, 3], 3, 0), ([1, 2, 2, 3], 3, 1), ([1, 3], 3, 1), ([1, 2], 3, 1), ([1, 2, 3, 4], 3, 1)],
)
def test_a_number_that_is_used_twice_or_left_out_is_counted(numbers: list[int], last: int, wrong: int) -> None:
    assert acts._off(numbers, last) == wrong


@pytest.mark.parametrize("what", ["failed", "not_ready", "numbers_wrong"])
def test_a_run_in_which_something_is_wrong_does_not_hold(what: str) -> None:
    assert acts.Found(acts=1, inquiries=1).sound
    assert not acts.Found(acts=1, inquiries=1, **{what: 1}).sound
    assert not acts.Found(acts=1).sound
