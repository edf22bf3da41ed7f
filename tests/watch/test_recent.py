"""The memory of detectors is bounded in time, in keys and in items."""

from __future__ import annotations

from gateway.watch.recent import MOST_ITEMS, Recent
from tests.watch.looks import NOON, days, minutes


def test_what_is_too_old_is_forgotten_and_so_is_the_finding() -> None:
    recent: Recent[str, int] = Recent(minutes(10))
    slot = recent.add("a", NOON, 1)
    slot.found = "finding"
    assert list(recent.add("a", NOON + minutes(10), 2)) == [1, 2]
    assert slot.found == "finding"
    assert list(recent.add("a", NOON + minutes(21), 3)) == [3]
    assert slot.found is None
    assert recent.get("a", NOON + minutes(40)) is None


def test_keys_that_are_not_heard_of_are_let_go() -> None:
    recent: Recent[int, int] = Recent(minutes(10))
    for number in range(10_000):
        recent.add(number, NOON + minutes(number), number)
        assert len(recent) <= 11


def test_of_too_many_keys_the_one_not_heard_of_longest_goes() -> None:
    recent: Recent[int, int] = Recent(days(1), most_keys=3)
    for key in (1, 2, 3, 1, 4):
        recent.add(key, NOON, key)
    assert [key for key in (1, 2, 3, 4) if recent.get(key, NOON)] == [1, 3, 4]


def test_a_key_keeps_its_latest_items() -> None:
    recent: Recent[str, int] = Recent(days(1))
    for number in range(MOST_ITEMS + 5):
        slot = recent.add("a", NOON, number)
    assert list(slot) == list(range(5, MOST_ITEMS + 5))
