"""Which commits are left to a thread, by how long the last ones took."""

import sys

import pytest

from gateway.storage.engines.pace import Pace

FAST, LIMIT, SLOW = 0.0002, 0.002, 0.05


def test_one_commit_that_waited_for_a_core_leaves_the_next_to_the_loop() -> None:
    pace = Pace(LIMIT)
    pace.count(FAST)
    pace.count(20 * SLOW)
    assert pace.is_fast


def test_a_slow_disk_is_noticed_within_three_commits() -> None:
    pace = Pace(LIMIT)
    for _ in range(3):
        pace.count(SLOW)
    assert not pace.is_fast


def test_a_slow_disk_stays_with_the_thread() -> None:
    pace = Pace(LIMIT)
    for _ in range(100):
        pace.count(SLOW)
        pace.count_in_thread(SLOW)
    assert not pace.is_fast


@pytest.mark.parametrize("waited", [0.0, 0.5, 1.0])
def test_a_disk_that_recovered_is_noticed_though_the_thread_waits_for_the_interpreter(waited: float) -> None:
    pace = Pace(LIMIT)
    for _ in range(100):
        pace.count(SLOW)
    for _ in range(12):
        pace.count_in_thread(FAST + waited * sys.getswitchinterval())
    assert pace.is_fast


def test_a_negative_limit_leaves_all_to_the_thread() -> None:
    pace = Pace(-1.0)
    for _ in range(20):
        pace.count_in_thread(FAST)
        pace.count(SLOW)
    assert not pace.is_fast
