"""A SQLite store whose disk takes no more: the log names that, and the ledger is healthy once there is room again."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, LedgerUnavailable, StoreHindered
from gateway.storage.store import open_store
from tests.ledger.support import AT, BY, faulty_store_in, opened


async def test_a_probe_sees_that_the_disk_has_room_for_a_group(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    holding = await store.hold("1")
    assert holding is not None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(StoreHindered, match="nothing can be written beside it"):
            await holding.probe()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await holding.probe()
    await holding.release()
    store.close()


async def test_a_full_disk_is_named_in_the_log(tmp_path: Path) -> None:
    store, heard = faulty_store_in(tmp_path), list[str | None]()
    async with opened(store, retry=60.0, heard=lambda _name, why: heard.append(why)) as ledger:
        await ledger.append(b"before", b"", AT, BY)

        def fault(statement: str) -> None:
            if statement.startswith("INSERT"):
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

        store.fault = fault
        with pytest.raises(LedgerUnavailable):
            await ledger.append(b"refused", b"", AT, BY)
        store.fault = None
    assert heard == ["the store did not take the entries (its disk is full; make room there)"]
    store.close()


def test_a_start_on_a_disk_that_takes_nothing_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_store(f"sqlite:///{path}").close()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, hard))
    try:
        with pytest.raises(ConfigurationError) as caught:
            open_store(f"sqlite:///{path}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert f"`{path}` cannot be used: nothing can be written beside it" in str(caught.value)
