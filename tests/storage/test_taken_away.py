"""A SQLite file that is deleted or replaced under a gateway takes no more entries and tells no more facts."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway.errors import Code, ConfigurationError, Refusal, StoreHindered, StoreUnavailable
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.stored.read import heads
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.store import open_copy, open_file
from tests.ledger.support import opened, refused, store_in
from tests.waiting import until_async


def deleted(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        if not each.name.endswith(".lock"):
            each.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replaced(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)


def without_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


async def refused_for(why: str, ledger: Ledger, number: int) -> None:
    """An entry is not taken, and the operator can be told why."""
    with pytest.raises(Refusal) as caught:
        await refused(ledger, number)
    assert caught.value.code is Code.LEDGER_UNAVAILABLE
    assert why in str(caught.value.__cause__)


AWAY = (deleted, moved, replaced, without_log)


@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize("inline", [0.0, 60.0], ids=["thread", "loop"])
async def test_the_next_commit_sees_it(tmp_path: Path, away: Callable[[Path], None], inline: float) -> None:
    store = store_in(tmp_path)
    async with opened(store, inline_limit=inline, retry=60.0) as ledger:
        await refused(ledger, 1)
        away(store.path)
        assert not ledger.healthy, "seen without a commit, too"
        if away in (deleted, moved):
            await refused_for("is gone; put it back", ledger, 2)
    store.close()


@pytest.mark.parametrize("away", [deleted, replaced, without_log])
async def test_one_that_goes_between_a_commits_begin_and_its_end_is_seen(
    tmp_path: Path, away: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_in(tmp_path)
    async with opened(store, inline_limit=60.0, retry=60.0) as ledger:
        await refused(ledger, 1)
        seen, current = [], SqliteStore.current

        def look(self: SqliteStore, connection: sqlite3.Connection) -> bool:
            seen.append(True)
            if len(seen) == 2:  # the first look is before the commit
                away(self.path)
            return current(self, connection)

        monkeypatch.setattr(SqliteStore, "current", look)
        await refused_for("was deleted or replaced", ledger, 2)
    store.close()


async def test_without_the_look_it_answers_from_a_file_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteStore, "current", lambda self, connection: True)
    store = store_in(tmp_path)
    async with opened(store, inline_limit=60.0) as ledger:
        await refused(ledger, 1)
        deleted(store.path)
        assert await refused(ledger, 2), "the fault is planted: this is what the tests above must find"
    store.close()


@pytest.mark.parametrize("linked", ["file", "folder"])
async def test_a_link_that_names_another_file_is_seen(tmp_path: Path, linked: str) -> None:
    there = store_in(tmp_path / "first").path
    shutil.copytree(there.parent, tmp_path / "second")
    at = tmp_path / "link"
    at.symlink_to(there if linked == "file" else there.parent)
    store = SqliteStore(at if linked == "file" else at / there.name)
    async with opened(store, retry=0.05) as ledger:
        await refused(ledger, 1)
        with contextlib.closing(store.reader()) as reader:
            assert [head.size for head in heads(reader)] == [1]
        at.unlink()
        at.symlink_to(tmp_path / "second" / there.name if linked == "file" else tmp_path / "second")
        await refused_for("", ledger, 2)
        await asyncio.sleep(0.3)  # it tries again meanwhile
        await refused_for("", ledger, 3)
        with pytest.raises(StoreUnavailable, match="was deleted or replaced"):
            store.reader()
    store.close()
    with contextlib.closing(SqliteStore(there)) as first, contextlib.closing(first.reader()) as reader:
        assert [head.size for head in heads(reader)] == [1]


async def test_put_back_it_goes_on(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, retry=0.05) as ledger:
        await refused(ledger, 1)
        moved(store.path)
        await refused_for("", ledger, 2)
        store.path.with_name("elsewhere.db").rename(store.path)
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        await refused(ledger, 3)
    store.close()


def test_facts_are_those_of_the_file_that_stands_there(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    reading = store.facts()
    before = reading.read([("LEI", "1")])
    with_one = store_in(tmp_path / "other")
    assert with_one.path != store.path
    with with_one.engine.begin() as connection:
        connection.execute(text("UPDATE fact_head SET change = change + 7"))
    with_one.close()
    deleted(store.path)
    with pytest.raises(sqlite3.OperationalError):
        reading.read([("LEI", "1")])
    with_one.path.rename(store.path)
    assert reading.read([("LEI", "1")])[0].change == before[0].change + 7
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT change FROM fact_head")).scalar_one() == before[0].change + 7
    reading.close()
    store.close()


def test_what_is_read_beside_is_of_the_file_that_stands_there(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    deleted(store.path)
    with pytest.raises((DBAPIError, OperationalError, sqlite3.OperationalError)), store.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    store.close()


def from_its_head_on(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"garbage " * 4096)


def behind_its_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)  # the header stays, and what describes the tables does not
        file.write(b"garbage " * 4096)


@pytest.mark.parametrize("over", [from_its_head_on, behind_its_head])
async def test_one_that_was_written_over_is_named_with_what_to_do(tmp_path: Path, over: Callable[[Path], None]) -> None:
    path = store_in(tmp_path).path
    over(path)
    store = SqliteStore(path)
    with pytest.raises(StoreHindered, match=r"written over.* stop the gateway.*`dutybound restore`"):
        (await store.hold("1") or pytest.fail("nobody has it")).subject_keys_at_once(1, [("LEI", "1")])
    store.close()
    for opening in (open_copy, open_file):
        with pytest.raises(ConfigurationError, match=rf"{path}.*written over.* stop the gateway.*`dutybound restore`"):
            opening(path)
