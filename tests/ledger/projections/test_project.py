"""What the projections take from one entry: every kind, with keys and without, erased or not; which changes raced."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.projections.extract import (
    WITHOUT_KEY,
    Share,
    decode,
    given,
    looked_at,
    purpose,
    raced,
    subjects_of,
)
from gateway.storage.projections import tables
from tests.ledger.projecting import SUBJECTS, Asked, told
from tests.ledger.said import LEI, SAID
from tests.ledger.support import AT

INQUIRY, _ = told(Asked(subjects=(1, 2), datasets=(0, 1), records=((1, 1), (2, 4))), 7, AT)
REFUSAL, _ = told(Asked(subjects=(1,), refused=True), 8, AT)
SHARE = Share("tax-arrears", ("amount",), ("N-1@3", "N@1@2"))


class Fact(NamedTuple):
    change: int
    ended: int | None = None
    dataset: str | None = None
    record: str | None = None
    fields: str | None = None


def test_an_answer_gives_the_shares_of_each_subject() -> None:
    assert [
        (each.place, each.value[-1], [share.dataset for share in decode(each.shares)]) for each in given(INQUIRY)
    ] == [
        (0, "1", ["tax-arrears", "permits"]),
        (1, "2", ["tax-arrears", "permits"]),
    ]
    first = decode(given(INQUIRY)[0].shares)
    assert first[0][:3] == ("tax-arrears", ("amount", "period"), ("R-1-1@1", "R-1-2@4"))
    assert first[0].displays == [(20_001, 18_906), (20_002, 18_907)]


def test_what_was_erased_and_what_disclosed_nothing_gives_none() -> None:
    assert isinstance(INQUIRY, entries.Inquiry)
    left = entries.Inquiry(*(getattr(INQUIRY, name) for name in INQUIRY.__struct_fields__[:8]), [entries.ERASED])
    empty, _ = told(Asked(records=()), 1, AT)
    for each in (left, empty, REFUSAL, None, *(act for act, _, _ in SAID)):
        assert given(each) == []


@pytest.mark.parametrize("act", [act for act, _, _ in SAID], ids=[type(act).__name__ for act, _, _ in SAID])
def test_every_kind_is_of_the_subject_that_it_names(act: entries.Done | entries.OfLedger) -> None:
    of = act.looked if isinstance(act, entries.View) else act
    names_one = (getattr(of, "scheme", None), getattr(of, "value", None)) == LEI
    assert (LEI in subjects_of(act)) is names_one
    assert looked_at(act, (), ()) == ([WITHOUT_KEY] if names_one else [])
    assert looked_at(act, (7,), ()) == [7]
    assert purpose(act) is None


def test_who_is_looked_at_goes_by_keys_where_there_are_any() -> None:
    assert looked_at(INQUIRY, (9, 4), ()) == [4, 9]
    assert looked_at(INQUIRY, (9, 4), (9,)) == [4]
    assert looked_at(None, (9, 4), (4,)) == [9], "its period's key was destroyed"
    assert looked_at(None, (), ()) == []
    assert looked_at(INQUIRY, (), ()) == [WITHOUT_KEY]
    assert subjects_of(INQUIRY) == {SUBJECTS[1], SUBJECTS[2]}
    assert tables.WITHOUT_KEY == extract.WITHOUT_KEY


def test_the_purpose_of_answers_and_refusals() -> None:
    assert purpose(INQUIRY) == purpose(REFUSAL) == "TENDER_QUALIFICATION"
    assert purpose(entries.Refused(2, "x", AT, entries.OWN, "", "INQUIRY_REQUIRED", "say why")) is None
    assert purpose(None) is None


@pytest.mark.parametrize(
    ("facts", "change", "found"),
    [
        (4, Fact(5, dataset="tax-arrears", record="N-1"), {5}),
        (5, Fact(5, dataset="tax-arrears", record="N-1"), set()),
        (4, Fact(5, dataset="tax-arrears", record="N"), {5}),
        (4, Fact(5, dataset="tax-arrears", record="N-"), set()),
        (4, Fact(5, dataset="permits", record="N-1"), set()),
        (4, Fact(5, dataset="tax-arrears"), {5}),
        (4, Fact(3, 5, dataset="tax-arrears"), {5}),
        (2, Fact(3, 5, dataset="tax-arrears"), {3, 5}),
        (5, Fact(3, 5, dataset="tax-arrears"), set()),
        (2, Fact(3, fields='{"tax-arrears":null}'), {3}),
        (2, Fact(3, fields='{"tax-arrears":["amount"],"permits":null}'), {3}),
        (2, Fact(3, fields='{"permits":null}'), set()),
    ],
)
def test_a_change_raced_where_it_concerns_the_share_and_came_later(facts: int, change: Fact, found: set[int]) -> None:
    assert raced(SHARE, facts, [change]) == found
    assert raced(SHARE, facts, [Fact(9, dataset="permits"), change]) == found
