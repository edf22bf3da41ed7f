"""The compliance report says what an independent count says, of any history, in any shards, after erasures too."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sqlite3
import tempfile
import tracemalloc
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.base import Subject
from gateway.errors import CommandRefused, VerificationFailed
from gateway.ledger.entry import entries
from gateway.recall.reporting import compliance, report
from gateway.recall.reporting.compliance import By, Event, Fate, Figures
from gateway.recall.reporting.report import Wanted
from gateway.storage.port import Store
from tests.acts.erasing import erased
from tests.drawn import examples
from tests.ledger.support import store_in
from tests.recall.reporting.histories import (
    BEGIN,
    HISTORIES,
    HOUR,
    SUBJECTS,
    Else,
    History,
    Recalled,
    acts,
    counted,
    entered,
)
from tests.recall.reporting.histories import reported as made
from tests.storage.conftest import Place

SOFIA = zoneinfo.ZoneInfo("Europe/Sofia")
ALL = Wanted(None, None, "month", SOFIA)
DAYS = st.none() | st.dates(datetime.date(2026, 10, 15), datetime.date(2027, 1, 10))
WANTED = st.builds(
    lambda one, other, by, zone: Wanted(*sorted_ends(one, other), by, zoneinfo.ZoneInfo(zone)),
    DAYS, DAYS, st.sampled_from(("month", "quarter", "year")), st.sampled_from(("UTC", "Europe/Sofia", "Asia/Tokyo")),
)  # fmt: skip

HISTORY: History = [
    Recalled("market", 0, 240, 1, None, ((4, "applied"),)),
    Recalled("market", 1, 240, 1, 241, ((250, "refused"), (300, "passed-on")), 1),
    Recalled("market", 300, 20, None, 21, ()),
    Recalled("labour", 2, 240, 5, None, ((6, "refused"),), 2),
    Else("suspended", "market", 350),
    Else("suspension-ended", "market", 360),
    Else("objection-overdue", "tax", 370, 1),
]


MORE = 3_000_000
"""Bytes: what a chunk of entries needs beside a few."""


def sorted_ends(one: datetime.date | None, other: datetime.date | None) -> tuple[Any, Any]:
    return (one, other) if one is None or other is None else (min(one, other), max(one, other))


def holds(history: History, wanted: Wanted) -> None:
    """Raises `AssertionError` where the report says anything else than the count."""

    async def enter(store: Store) -> None:
        await entered(store, acts(history))

    with tempfile.TemporaryDirectory() as folder:
        store = store_in(Path(folder))
        try:
            asyncio.run(enter(store))
            found = made(store, wanted)
        finally:
            store.close()
    expected = counted(history, wanted)
    assert {key: each for key, each in found.figures.items() if each != Figures()} == expected
    assert found.departments == tuple(sorted({name for name, _ in expected if name is not None}))
    assert {period for _, period in expected if period is not None} <= {*found.periods}
    assert sorted(found.periods) == list(found.periods)


@given(HISTORIES, WANTED)
@settings(max_examples=examples(20, 30), deadline=None)
def test_the_report_says_what_was_counted(history: History, wanted: Wanted) -> None:
    holds(history, wanted)


def _refused_is_done(history: Any, now: int) -> Fate | None:
    """A fault: whoever refuses is taken for one that complied."""
    return FATE([each._replace(outcome="applied") if each.outcome == "refused" else each for each in history], now)


def _first_answer(history: Any, now: int) -> Fate | None:
    """A fault: only the first answer counts."""
    kept: list[Event] = []
    for each in history:
        if each.what != "acknowledged" or all(one.what != "acknowledged" for one in kept):
            kept.append(each)
    return FATE(kept, now)


FATE = compliance.fate


@pytest.mark.parametrize("fault", [_refused_is_done, _first_answer])
def test_the_property_fails_when_a_fault_is_planted(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compliance, "fate", fault)
    with pytest.raises(AssertionError):
        holds(HISTORY, ALL)
    with pytest.raises(AssertionError):
        test_the_report_says_what_was_counted()


def test_a_range_that_is_off_by_its_last_day_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Wanted(datetime.date(2026, 10, 20), datetime.date(2026, 10, 20), "month", SOFIA)
    holds(HISTORY, wanted)
    ends = Wanted.micros
    monkeypatch.setattr(Wanted, "micros", lambda self: (ends(self)[0], (ends(self)[1] or 0) - 86_400_000_000))
    with pytest.raises(AssertionError):
        holds(HISTORY, wanted)


async def test_each_store_says_the_same_and_erased_subjects_still_count(place: Place) -> None:
    store = place.open()
    await entered(store, acts(HISTORY))
    before = made(store, ALL)
    assert dict(before.figures) == counted(HISTORY, ALL)
    market = before.of("market")
    assert (market.sent, market.acknowledged, market.passed_on, market.unanswered, market.overdue) == (3, 2, 1, 1, 2)
    assert (market.p50, market.p95) == (4 * 3_600_000_000, 300 * 3_600_000_000)
    assert (before.of("labour").refused, before.of("tax").late_objections) == (1, 1)
    for value in SUBJECTS:
        await erased(store, Subject("organisation", "LEI", value))
    after = made(store, ALL)
    assert after.figures == before.figures
    assert after.lost == 0


async def test_what_the_general_part_does_not_say_is_read_where_it_was_not_erased(place: Place) -> None:
    """Entries of overdue objections from before `to`: their department is in the subject's part."""
    store, who = place.open(), entries.Who("", "", "tax")
    told = [
        entries.Acted(
            entries.VERSION, f"e-{value}", BEGIN, entries.OWN, "objection-overdue", scheme="LEI", value=value,
            recipient=who,
        )
        for value in SUBJECTS[:2]
    ]  # fmt: skip
    await entered(store, told)
    assert made(store, ALL).of("tax").late_objections == 2
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE subject_key SET secret = NULL WHERE value = :it"), {"it": SUBJECTS[0]})
    found = made(store, ALL)
    assert [found.of(each).late_objections for each in ("tax", compliance.NOT_KNOWN)] == [1, 1]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM entry WHERE id = (SELECT max(id) FROM entry)", "its entries do not give its head"),
        ("DELETE FROM entry WHERE id = (SELECT min(id) FROM entry)", "entry 0 is missing|its entries do not give"),
        (
            "UPDATE entry SET told = (SELECT told FROM entry e WHERE e.id = entry.id + 1)"
            " WHERE id = (SELECT min(id) + 1 FROM entry)",
            "entry 1",
        ),
    ],
)
async def test_no_report_is_made_of_a_ledger_that_was_altered(tmp_path: Path, statement: str, said: str) -> None:
    store = store_in(tmp_path)
    await entered(store, acts(HISTORY))
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount
    with pytest.raises(VerificationFailed, match=said):
        made(store, ALL)
    store.close()


async def test_only_what_can_count_is_read_and_it_is_told(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    history: History = [Recalled("tax", at, 24, None, None, ()) for at in range(0, 800, 100)]
    await entered(store, acts(history))
    found = made(store, ALL._replace(since=(BEGIN + 500 * HOUR).date()))
    assert [(shard.first, shard.size) for shard in found.shards] == [(3, 5), (2, 3)]
    assert found.of(None).sent == 3
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE period_key SET secret = NULL"))
    assert (made(store, ALL).lost, made(store, ALL).of(None)) == (8, Figures())
    store.close()


async def test_too_many_periods_are_refused_with_what_to_do(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await entered(store, acts([Recalled("tax", at, 24, None, None, ()) for at in (0, 24 * 365 * 21)]))
    with pytest.raises(CommandRefused, match=r"more than 240 periods.*--by"):
        made(store, ALL)
    found = made(store, ALL._replace(by="year"))
    assert (found.periods[0], found.periods[-1], len(found.periods)) == ("2026", "2047", 22)
    store.close()


async def test_memory_does_not_grow_with_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many recalls need hardly more of Python's memory; whoever kept each of them would be seen."""
    stores = [store_in(tmp_path / str(many)) for many in (200, 2_000)]
    for many, store in zip((200, 2_000), stores, strict=True):
        await entered(store, acts([Recalled("tax", 0, 9, None, None, ((1, "applied"),)) for _ in range(many)]))
    few, all_ = peak(stores[0], 200), peak(stores[1], 2_000)
    assert all_ < few + MORE, (few, all_)
    kept: list[object] = []
    take = report._Counting.take
    monkeypatch.setattr(report._Counting, "take", lambda *given: (kept.append(given), take(*given)))
    assert peak(stores[1], 2_000) > few + MORE
    for store in stores:
        store.close()


def peak(store: Store, many: int) -> int:
    tracemalloc.start()
    try:
        assert made(store, ALL).of("tax").acknowledged == many
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_periods_follow_each_other() -> None:
    cases: dict[By, list[str]] = {
        "month": ["2026-11", "2026-12", "2027-01"],
        "quarter": ["2026-Q3", "2026-Q4", "2027-Q1"],
        "year": ["2026", "2027", "2028"],
    }
    for by, names in cases.items():
        assert list(compliance.between(names[0], names[-1])) == names
        assert compliance.period(datetime.datetime(2026, 12, 31, 23, tzinfo=datetime.UTC), by, SOFIA) >= "2027"
    assert report.MOST_PERIODS == 240
