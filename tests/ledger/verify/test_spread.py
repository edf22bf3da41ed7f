"""A store is checked by several processes as by one, and by a sample; both find what was altered, and name it."""

from __future__ import annotations

import asyncio
import datetime
import functools
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable, VerificationFailed
from gateway.ledger.verify import spread
from gateway.ledger.verify.sample import found_with, sample_store
from gateway.ledger.verify.spread import Jobs
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.store import open_copy
from tests.ledger.support import AT, ORIGIN, VERIFIERS, disclosed, opened, refused, store_in

SIZE = 700
ENTRY = 1 << 40
_FIRST_KEY = "(SELECT id FROM subject_key WHERE shard = 1)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = store_in(tmp_path_factory.mktemp("spread"))

    async def fill() -> None:
        async with opened(store) as ledger:
            hour = datetime.timedelta(hours=1)
            await asyncio.gather(*(disclosed(ledger, n, AT + n // 64 * hour) for n in range(SIZE - 1)))
            await refused(ledger, SIZE)
        async with opened(store, shard="2") as ledger:
            await disclosed(ledger)

    asyncio.run(fill())
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store.path


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of one tile, so that a small store has several."""
    monkeypatch.setattr(spread, "LENGTH", 256)


def altered(whole: Path, folder: Path, statement: str) -> Path:
    path = folder / "altered.db"
    path.write_bytes(whole.read_bytes())
    with sqlite3.connect(path) as connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()
    return path


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("processes", [1, 2])
def test_stretches_give_what_the_whole_gives(whole: Path, processes: int) -> None:
    store = open_copy(whole)
    told: list[tuple[str, int, int]] = []
    found = verify_store(
        store,
        VERIFIERS,
        lambda *progress: told.append(progress),
        jobs=Jobs(processes, functools.partial(open_copy, whole)),
    )
    assert [(shard.origin, shard.size) for shard in found] == [(f"{ORIGIN}/1", SIZE), (f"{ORIGIN}/2", 1)]
    assert told == [("1", 256, SIZE), ("1", 512, SIZE), ("1", SIZE, SIZE), ("2", 1, 1)]
    store.close()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("processes", "statement", "named"),
    [
        (2, f"UPDATE entry SET told = zeroblob(80) WHERE id = {ENTRY + 600}", "shard `1`: entry 600"),
        (1, f"UPDATE entry SET at = at + 1 WHERE id = {ENTRY + 255}", "entry 255: its time was altered"),
        (1, f"DELETE FROM entry WHERE id = {ENTRY + 511}", "entry 511 is missing"),
        (1, f"DELETE FROM entry_requester WHERE entry = {ENTRY + 300}", "entry 300: it is missing from the index"),
        (1, "UPDATE subtree SET hash = zeroblob(32) WHERE position = 1", "hash 1 of level 1"),
        (2, f"UPDATE subject_key SET secret = NULL WHERE id = {_FIRST_KEY}", "entry 0: the key .* no erasure explains"),
    ],
)
def test_stretches_name_what_was_altered(
    whole: Path, tmp_path: Path, processes: int, statement: str, named: str
) -> None:
    """Of a stretch's own, and of what is known of the whole, also where processes of their own find it."""
    path = altered(whole, tmp_path, statement)
    store = open_copy(path)
    with pytest.raises(VerificationFailed, match=named):
        verify_store(store, VERIFIERS, jobs=Jobs(processes, functools.partial(open_copy, path)))
    store.close()


def nowhere() -> Store:
    raise SystemExit(1)


def test_a_process_that_ends_is_no_fault_of_the_store(whole: Path) -> None:
    store = open_copy(whole)
    with pytest.raises(LedgerUnavailable, match="a process that checks entries ended"):
        verify_store(store, VERIFIERS, jobs=Jobs(2, nowhere))
    store.close()


def test_a_sample_opens_so_many_entries_of_all_shards(whole: Path) -> None:
    store = open_copy(whole)
    assert sum(each.opened for each in sample_store(store, VERIFIERS, 40)) == 40
    all_of_them = sample_store(store, VERIFIERS, 10_000)
    assert [(each.shard.size, each.opened) for each in all_of_them] == [(SIZE, SIZE), (1, 1)]
    store.close()
    assert found_with(3000, 10**9) == pytest.approx(0.001, rel=0.01)
    assert found_with(SIZE, SIZE) == 0


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"UPDATE entry SET oversight = told WHERE id = {ENTRY + 600}", "shard `1`: entry 600: its payload"),
        ("UPDATE subtree SET hash = zeroblob(32) WHERE position = 1", "does not give the tree that its head signs"),
        (f"DELETE FROM entry WHERE id = {ENTRY + 8}", "entry 8 is missing"),
        (
            f"UPDATE entry SET (leaf, told, oversight, subjects) = (SELECT leaf, told, oversight, subjects FROM entry"
            f" WHERE id = {ENTRY + 9}) WHERE id = {ENTRY + 8}",
            "entry [0-9]+: ",
        ),
        ("UPDATE shard SET size = size - 1 WHERE id = 1", "is not what its checkpoint signs"),
        ("UPDATE shard SET floor = floor + 1 WHERE id = 1", "shard `1`: the time of its head is not the highest"),
        (
            f"INSERT INTO entry SELECT {ENTRY + SIZE}, at, leaf, period, told, oversight, subjects FROM entry"
            f" WHERE id = {ENTRY}",
            f"shard `1`: it holds 1 entry behind its head, the last at index {SIZE}; its head has {SIZE}",
        ),
        (
            "INSERT INTO entry SELECT 9223372036854775807, at, leaf, period, told, oversight, subjects FROM entry"
            f" WHERE id = {ENTRY}",
            "entries under the number 8388607, which is of no shard",
        ),
        (f"UPDATE subject_key SET secret = NULL WHERE id = {_FIRST_KEY}", "entry 0: the key .* no erasure explains"),
        ("UPDATE period_key SET secret = NULL WHERE shard = 1", "shard `1`: entry 0: the key .* no entry explains why"),
    ],
)
def test_a_sample_that_has_it_finds_what_was_altered(whole: Path, tmp_path: Path, statement: str, named: str) -> None:
    store = open_copy(altered(whole, tmp_path, statement))
    with pytest.raises(VerificationFailed, match=named):
        sample_store(store, VERIFIERS, SIZE + 1)
    store.close()
