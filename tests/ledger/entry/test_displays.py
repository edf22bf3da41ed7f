"""From when to when disclosed records are displayed: what an entry keeps of it says just that."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.entry.entries import Dataset, began

DAY = st.integers(-40_000, 60_000)
RECORD = st.tuples(st.none() | DAY, st.none() | DAY)


def kept(several: list[tuple[int | None, int | None]]) -> Dataset:
    """As `disclose` makes it: days that no record has are left out."""
    until, since = ([each[side] for each in several] for side in (0, 1))
    until, since = (days if any(day is not None for day in days) else [] for days in (until, since))
    names = [f"d/{number}@1" for number in range(len(several))]
    return Dataset("d", ("a",), names, None, until, began(until, since))


@given(st.lists(RECORD, max_size=6))
def test_what_is_kept_is_what_is_read(several: list[tuple[int | None, int | None]]) -> None:
    read = msgspec.json.decode(msgspec.json.encode(kept(several)), type=Dataset)
    assert read.displays == several


def test_periods_that_are_alike_are_kept_once() -> None:
    assert kept([(1_100, 5), (1_200, 105), (1_300, 205)]).since == [1_095]
    assert kept([(None, 7), (None, 7)]).since == [7]
    assert kept([(None, None)]).since == []


def test_an_entry_of_before_does_not_tell() -> None:
    assert Dataset("d", ("a",), ["d/1@1", "d/2@1"], None, [9, None]).displays == [(9, None), (None, None)]
    assert Dataset("d", ("a",), ["d/1@1"]).displays == [(None, None)]
