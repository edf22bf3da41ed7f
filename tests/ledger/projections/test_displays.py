"""What entries give `displayed`, and what of it is sent: each row once, and again wherever it may have gone."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.projections.displays import Fresh, Known, Row, rows_of, shares_of
from gateway.ledger.projections.extract import UNENDING, UNKNOWN, Share
from tests.ledger.projecting import Asked, told
from tests.ledger.support import AT


class Shown(NamedTuple):
    id: int
    keys: tuple[int, ...]
    given: list[extract.Given]
    others: bool = True


def shown(id_: int, *records: int, subject: int = 7, others: bool = True) -> Shown:
    side, _ = told(Asked(records=tuple((record, 1) for record in records)), id_, AT)
    return Shown(id_, (subject,), extract.given(side), others)


def row(record: int, subject: int = 7) -> Row:
    return 20_000 + record, "tax-arrears", subject, 18_905 + record


def test_each_kind_of_day_gives_its_row() -> None:
    days = [(9, 2), (9, 2), (9, None), (None, 4), (None, None)]
    until, since = [day for day, _ in days], [day for _, day in days]
    names = tuple([f"N-{number}@1" for number in range(len(days))])
    share = Share("d", ("a",), names, tuple(until), tuple(entries.began(until, since)))
    stored = extract._encode([share, ("old", ("a",), ("N@1",))])
    assert [each.displays for each in extract.decode(stored)] == [days, [(None, None)]]
    assert set(rows_of(7, stored)) == {(9, "d", 7, 2), (9, "d", 7, UNKNOWN), (UNENDING, "d", 7, 4)}


def test_what_its_subject_alone_was_shown_and_what_has_no_key_gives_nothing() -> None:
    assert not shares_of([shown(1, 1, others=False), shown(2, 1)._replace(keys=())])
    first, again = shown(3, 1), shown(4, 1)
    assert list(shares_of([first, again]).values()) == [3], "what is the same is looked at once"


def test_what_was_kept_is_not_sent_again_and_what_may_have_gone_is() -> None:
    known = Known()
    fresh = known.fresh(1, 0, [shown(1, 2, 1), shown(2, 1)])
    assert fresh.rows == [row(1), row(2)]
    assert known.fresh(1, 0, [shown(1, 2, 1)]).rows == [row(1), row(2)], "it was not kept"
    known.kept(1, 2, fresh.digests)
    assert known.fresh(1, 2, [shown(3, 2, 1), shown(4, 1)]) == Fresh([], set())
    assert known.fresh(1, 2, [shown(3, 3, 1)]).rows == [row(1), row(3)]
    assert known.fresh(2, 0, [shown(3, 1, subject=8)]).rows == [row(1, 8)]
    assert known.fresh(1, 1, [shown(2, 1)]).rows == [row(1)], "its position is before what is known"
    assert known.fresh(1, 2, [shown(3, 1)]).rows == [row(1)], "and nothing is known any more"


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), max_size=60))
def test_the_store_has_all_that_entries_up_to_its_position_gave(steps: list[tuple[int, bool, bool]]) -> None:
    """However little is remembered, whatever is not kept, and wherever the position is set back to."""
    known, entered = Known(2), list[Shown]()
    store, position = set[Row](), 0
    for record, keeps, back in steps:
        if back:  # dropped and built again, by somebody else, up to some place
            position = position * record // 7
            store = {each for one in entered[:position] for each in expected(one)}
        entered.append(shown(len(entered), record))
        some = entered[position:]
        fresh = known.fresh(1, position, some)
        if keeps:
            store.update(fresh.rows)
            position = len(entered)
            known.kept(1, position, fresh.digests)
        assert store >= {each for one in entered[:position] for each in expected(one)}


def expected(one: Shown) -> set[Row]:
    return {each for of in one.given for each in rows_of(7, of.shares)}
