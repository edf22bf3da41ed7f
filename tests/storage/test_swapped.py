"""A SQLite store that is swapped for a backup while it is served, and back: no entry goes where no registry has it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import machines
from gateway.errors import Refusal
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log import retire, shard
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.publish import Publisher
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.engines.sqlite import SqliteStore
from tests.ledger.support import KEY, ORIGIN, opened, refused, store_in
from tests.storage.test_taken_away import refused_for
from tests.waiting import until_async

ROOT_KEY = key_files.verifiers(KEY, ORIGIN, [ROOT])


def backed_up(path: Path) -> Path:
    made = path.with_name("backup.db")
    with contextlib.closing(sqlite3.connect(path)) as here, contextlib.closing(sqlite3.connect(made)) as there:
        here.backup(there)
    return made


def moved(path: Path, to: Path) -> None:
    for end in ("", "-wal", "-shm"):
        each = path.with_name(path.name + end)
        if each.exists():
            each.rename(to.with_name(to.name + end))


def sizes(path: Path) -> tuple[dict[str, int], list[str]]:
    """How many entries each shard has, and which shards are sealed."""
    with contextlib.closing(SqliteStore(path)) as store, contextlib.closing(store.reader()) as reader:
        return {head.name: head.size for head in read.heads(reader)}, [each.name for each in retire.all_sealed(reader)]


def publisher(store: SqliteStore, folder: Path, remembering: bool) -> Publisher:
    return Publisher(store, ORIGIN, machines, head_file=HeadFile(folder / "heads.json") if remembering else None)


def served(
    store: SqliteStore, publisher: Publisher, heard: list[str | None]
) -> contextlib.AbstractAsyncContextManager[Ledger]:
    """A ledger of a gateway's: `heard` gets each reason why it refuses."""
    return opened(store, retry=0.02, publisher=publisher, registered=True, heard=lambda _, why: heard.append(why))


async def until_entered(ledger: Ledger) -> None:
    async def entered() -> bool:
        try:
            await refused(ledger, 9)
        except Refusal:
            return False
        return True

    await until_async("an entry to be taken", entered)


async def refused_again_and_again(ledger: Ledger, why: str, heard: list[str | None]) -> None:
    """An entry is refused, and the next too, after the store was tried again."""
    await refused_for(why, ledger, 9)
    tries = len(heard)
    await until_async("the store to be tried again", lambda: len(heard) > tries + 1)
    assert not ledger.healthy
    await refused_for(why, ledger, 9)


@pytest.mark.parametrize("remembering", [True, False], ids=["head file", "no head file"])
async def test_swapped_for_a_backup_and_back_the_genuine_store_stays_as_it_was(
    tmp_path: Path, remembering: bool
) -> None:
    store = store_in(tmp_path)
    path, away = store.path, tmp_path / "away.db"
    made = publisher(store, tmp_path, remembering)
    heard = list[str | None]()
    async with served(store, made, heard) as ledger:
        await refused(ledger, 1)
        backup = backed_up(path)
        await refused(ledger, 2)
        moved(path, away)
        moved(backup, path)
        await until_entered(ledger)
        assert ledger.shard == "2", "the backup is an older copy of the store: its shard was sealed"
        moved(path, backup)
        moved(away, path)
        await refused_again_and_again(ledger, "the store's registry has 3 entries", heard)
    store.close()
    assert sizes(path) == ({"1": 2, "commands": 0, ROOT: 3}, [])
    with contextlib.closing(SqliteStore(path)) as genuine:
        verify_store(genuine, ROOT_KEY)


@pytest.mark.parametrize("remembering", [True, False], ids=["head file", "no head file"])
async def test_a_backup_from_before_the_shard_was_registered_takes_nothing(tmp_path: Path, remembering: bool) -> None:
    store = store_in(tmp_path)
    path, away = store.path, tmp_path / "away.db"
    backup = backed_up(path)
    made = publisher(store, tmp_path, remembering)
    heard = list[str | None]()
    async with served(store, made, heard) as ledger:
        await refused(ledger, 1)
        moved(path, away)
        moved(backup, path)
        await refused_again_and_again(ledger, "the store's registry has 0 entries", heard)
        moved(path, backup)
        moved(away, path)
        await until_entered(ledger)
        assert ledger.shard == "1"
    store.close()
    assert sizes(backup) == ({}, [])
    assert sizes(path) == ({"1": 2, "commands": 0, ROOT: 3}, [])


@pytest.mark.parametrize("remembering", [True, False], ids=["head file", "no head file"])
@pytest.mark.parametrize(
    ("before", "step"), [("", (shard, "_set_back")), ("an entry", (retire, "seal"))], ids=["it looks again", "it seals"]
)
async def test_the_right_store_is_back_before(
    before: str, step: tuple[Any, str], tmp_path: Path, remembering: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sealed in another store than the one that was looked at, and the worker goes on.

    What stands there meanwhile is of before the gateway registered its shard, or of after its first entry.
    """
    store = store_in(tmp_path)
    path, away, real = store.path, tmp_path / "away.db", getattr(*step)
    backup = backed_up(path)
    async with served(store, publisher(store, tmp_path, remembering), []) as ledger:
        await refused(ledger, 1)
        if before:
            backup = backed_up(path)
            await refused(ledger, 2)
        moved(path, away)
        moved(backup, path)

        def once_it_is_back(*given: Any) -> Any:
            if away.exists():
                moved(path, backup)
                moved(away, path)
            return real(*given)

        monkeypatch.setattr(*step, once_it_is_back)
        with pytest.raises(Refusal):
            await refused(ledger, 3)
        assert not away.exists()
        await until_entered(ledger)
    store.close()
    assert sizes(path)[1] == []
    with contextlib.closing(SqliteStore(path)) as genuine:
        verify_store(genuine, ROOT_KEY)
