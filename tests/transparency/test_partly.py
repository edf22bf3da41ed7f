"""An inquiry is counted by what is read of it quickly, and that is what the whole entry gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger.entry import entries, parts
from gateway.ledger.stored import read
from gateway.ledger.stored.partly import parts_of
from gateway.transparency import brief
from gateway.transparency.counted import Act
from gateway.transparency.counting import whole
from tests.ledger import values
from tests.ledger.projections.test_quick import CIPHER, SHARD, row_of

Row = tuple[Any, ...]


def both(row: Row, erased: frozenset[int] = frozenset()) -> tuple[object, object]:
    """What is counted of an entry read quickly, and whole."""
    (laid,) = read.laid_in([row])
    keys = {each.key: (CIPHER, (SHARD, "LEI", "x")) for each in laid or () if each.key not in erased}
    parts_ = parts_of(row, laid, keys, {})
    return parts_ and brief.read(*parts_), whole(read.entry_of(row, laid, keys, {}))


@settings(max_examples=200)
@given(data=st.data(), kind=st.sampled_from((entries.Inquiry, entries.Refused)))
def test_what_is_read_quickly_is_what_the_whole_entry_gives(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(values.told(kind))
    subjects = told.disclosed if isinstance(told, entries.Inquiry) else told.subjects
    row = row_of(parts.split(told, data.draw(values.oversight(len(subjects)))))
    quickly, wholly = both(row)
    assert quickly is not None
    assert quickly == wholly
    (laid,) = read.laid_in([row])
    erased = frozenset(each.key for each in laid or ())
    if erased:
        quickly, wholly = both(row, erased)
        assert quickly is None
        assert wholly is not None


@settings(max_examples=50)
@given(data=st.data(), kind=st.sampled_from(values.KINDS))
def test_every_other_kind_is_read_whole(kind: type[Any], data: st.DataObject) -> None:
    quickly, wholly = both(row_of(parts.split(data.draw(values.told(kind)), data.draw(values.oversight(0)))))
    if not issubclass(kind, entries.Operation):
        assert quickly is None
        assert isinstance(wholly, Act) == (kind is entries.Acted)


def test_what_does_not_open_or_is_another_shards_is_left_to_whoever_reads_it_whole() -> None:
    told = entries.Refused(entries.VERSION, "1", values.AT, entries.Who("o", "c"), "digest", "CODE", "said")
    row = row_of(parts.split(told, entries.NOTHING))
    assert both(row)[0] is not None
    for place, value in ((4, bytes(60)), (5, bytes(60)), (8, bytes(32)), (8, b"short"), (8, None), (9, SHARD + 1)):
        changed = (*row[:place], value, *row[place + 1 :])
        assert parts_of(changed, None, {}, {}) is None


@pytest.mark.parametrize("damaged", [b"\x00" * 60, b""])
def test_a_subjects_part_that_does_not_open_is_no_reason_to_count_without_it(damaged: bytes) -> None:
    named = [entries.Named("organisation", "LEI", "x")]
    who = entries.Who("o", "c")
    told = entries.Refused(entries.VERSION, "1", values.AT, who, "digest", "CODE", "said", subjects=named)
    row = row_of(parts.split(told, entries.NOTHING))
    (laid,) = read.laid_in([row])
    assert laid
    altered = [segment._replace(sealed=damaged) for segment in laid]
    keys = {segment.key: (CIPHER, (SHARD, "LEI", "x")) for segment in laid}
    assert parts_of(row, laid, keys, {}) is not None
    assert parts_of(row, altered, keys, {}) is None
