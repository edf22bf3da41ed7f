"""The WAL is copied beside the commits, and begun anew under a load that never pauses; a reader only delays it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway.ledger.ledger import Ledger
from gateway.storage import checkpoint
from gateway.storage.sqlite import SqliteStore
from gateway.storage.store import open_store
from tests.ledger.support import AT, BY, opened

BODY = b"x" * 3_000


def wal(store: SqliteStore) -> Path:
    return store.path.with_name(f"{store.path.name}-wal")


def begun_anew(store: SqliteStore) -> int:
    """How often the WAL was begun anew (sqlite.org/fileformat2, 4.1)."""
    return int.from_bytes(wal(store).read_bytes()[12:16], "big")


async def enter(ledger: Ledger, times: int) -> None:
    for _ in range(times):
        await asyncio.gather(*(ledger.append(BODY, b"", AT, BY) for _ in range(20)))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy after every commit, and find a WAL of a hundred pages long."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "LONG", 100)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("inline_limit", [9.0, -1.0], ids=["inline", "thread"])
async def test_the_wal_of_a_load_that_never_pauses_stays_short(tmp_path: Path, inline_limit: float) -> None:
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")
    assert isinstance(store, SqliteStore)
    async with opened(store, inline_limit=inline_limit) as ledger:
        first = begun_anew(store)
        await enter(ledger, 60)
        assert begun_anew(store) > first
        assert wal(store).stat().st_size < 60 * 20 * 4_096, "else it holds every page that was ever written"
        assert store.path.stat().st_size > 100 * 4_096
    store.close()


@pytest.mark.usefixtures("eager")
async def test_a_reader_holds_nobody_up(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")
    assert isinstance(store, SqliteStore)
    async with opened(store) as ledger:
        with contextlib.closing(store.connect()) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT size FROM shard").fetchall() == [(0,)]
            first = begun_anew(store)
            await enter(ledger, 30)
            assert begun_anew(store) == first, "its snapshot is in the WAL"
            assert reader.execute("SELECT size FROM shard").fetchall() == [(0,)]
        await enter(ledger, 30)
        assert begun_anew(store) > first
    store.close()


async def test_what_was_committed_is_there_when_the_process_ends_without_a_copy(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")
    async with opened(store) as ledger:
        await enter(ledger, 3)
    store.close()
    again = open_store(f"sqlite:///{tmp_path}/ledger.db")
    async with opened(again) as ledger:
        assert (await ledger.append(b"next", b"", AT, BY)).index == 60
    again.close()
