"""Following a real ledger: every finding once, whatever is stopped, started, split or doubled on the way."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import update

from gateway.storage.port import Store
from gateway.storage.tables import SHARD_BITS, period_key
from gateway.storage.watch import findings as kept
from gateway.watch.follow import Follower, turns
from tests.ledger.support import opened, store_in
from tests.watch.looks import NOON, dates, days, minutes, shipped
from tests.watch.month import append
from tests.watch.region import Asked, person

NIGHT = datetime.datetime(2026, 9, 15, 20, 0, tzinfo=datetime.UTC)


def asked(number: int, at: datetime.datetime, official: str = "m.ivanova", **more: str) -> Asked:
    return Asked(at, "market-regulator", official, "TENDER_QUALIFICATION", person(number), **more)  # type: ignore[arg-type]


async def enter(store: Store, shard: str, several: Iterable[Asked]) -> None:
    """Enter inquiries in one shard."""
    async with opened(store, shard=shard) as ledger:
        for number, each in enumerate(several):
            await append(ledger, each, number)


def follower(store: Store, batch: int = 1000) -> Follower:
    return Follower(store, shipped(), dates(), ("SUBJECT_ACCESS",), batch)


def found(store: Store) -> dict[str, tuple[str, list[int]]]:
    """Every finding's words and entries; of the first shard they are indices."""
    first = 1 << SHARD_BITS
    result = {}
    for each in kept.findings(store.engine):
        words, entries = kept.one_finding(store.engine, each.id)
        result[each.id] = (words.words, [entry - first for entry in entries])
    return result


async def test_what_is_found_is_stored_with_the_entries_behind_it(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await enter(store, "1", [asked(100 * n, NIGHT + minutes(n)) for n in range(6)])
    watching = follower(store)
    assert list(turns(watching)) == [6]
    ((id_, (words, entries)),) = found(store).items()
    assert id_ == "out-of-hours-1-4"
    assert words.startswith("`m.ivanova` of `market-regulator` asked 6 times within 24 hours")
    assert entries == [0, 1, 2, 3, 4, 5]
    (finding,) = kept.findings(store.engine, decided=False)
    assert (finding.client, finding.official, finding.purpose) == (
        "market-regulator",
        "m.ivanova",
        "TENDER_QUALIFICATION",
    )
    assert watching.turn() == 0


async def test_stopped_and_started_anywhere_it_finds_the_same(tmp_path: Path) -> None:
    several = [asked(n // 2 % 40, NOON + minutes(2.5 * n), official=f"official-{n % 2}") for n in range(240)]
    results = []
    for name, batch, restarts in (("whole", 1000, False), ("restarted", 7, True), ("in parts", 1, False)):
        (tmp_path / name).mkdir()
        store = store_in(tmp_path / name)
        await enter(store, "1", several)
        watching = follower(store, batch)
        while watching.turn():
            if restarts:
                watching = follower(store, batch)
        results.append(found(store))
    assert results[0] == results[1] == results[2]
    assert {id_.rpartition("-1-")[0] for id_ in results[0]} == {"sequential-identifiers", "out-of-hours"}


async def test_entries_of_several_shards_are_taken_in_the_order_of_their_times(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    several = [asked(100 + n, NOON + minutes(n)) for n in range(12)]
    await enter(store, "1", several[::2])
    await enter(store, "2", several[1::2])
    watching = follower(store, 2)
    assert sum(turns(watching)) == 12
    (finding,) = kept.findings(store.engine)
    assert finding.id == "sequential-identifiers-2-3"
    assert finding.entries == 12


async def test_of_two_on_one_store_each_entry_counts_once(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await enter(store, "1", [asked(100 * n, NIGHT + minutes(n)) for n in range(3)])
    one, other = follower(store), follower(store)
    assert (one.turn(), other.turn()) == (3, 0)
    await enter(store, "1", [asked(100 * n, NIGHT + minutes(n)) for n in range(3, 6)])
    assert (other.turn(), one.turn()) == (3, 0)
    ((id_, (_, entries)),) = found(store).items()
    assert (id_, entries) == ("out-of-hours-1-4", [0, 1, 2, 3, 4, 5])


async def test_an_erased_entry_is_passed_over(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await enter(store, "1", [asked(100 * n, NIGHT + days(n // 3)) for n in range(6)])
    with store.engine.begin() as connection:
        connection.execute(update(period_key).where(period_key.c.period == "2026-09-15").values(secret=None))
    watching = follower(store)
    assert list(turns(watching)) == [6]
    assert watching.passed_over == 3


async def test_nothing_of_a_subject_is_kept(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await enter(store, "1", [asked(123_456_780 + n, NIGHT + minutes(n)) for n in range(12)])
    list(turns(follower(store)))
    assert len(found(store)) == 2
    with contextlib.closing(store.connect()) as connection:
        for table in ("finding", "finding_entry", "watch_head", "watch_cursor", "verdict"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            assert "1234567" not in str(rows)
