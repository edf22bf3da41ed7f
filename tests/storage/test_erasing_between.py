"""An erasure in another session, committed while a group waits to be: the group is not sealed by what it destroyed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.sql import ClauseElement

from gateway.ledger.entry.parts import SubjectParts
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.stored import read
from gateway.storage.port import Head, Held, Store
from gateway.storage.tables import shard, subject_key
from gateway.storage.watch.findings import watch_head
from tests.ledger.support import AT, BY, opened
from tests.storage.conftest import Place
from tests.waiting import until_async

NAMED = (SubjectParts("LEI", "5493001KJTIIGC8Y1R12", b"{}", b"{}"),)
STATE: Sequence[ClauseElement] = (update(watch_head).values(version=watch_head.c.version + 1),)


def destroy(session: Connection) -> list[int]:
    """What an erasure does to the shards and keys of others, not committed yet; gives the keys that it destroys."""
    keys = list(session.execute(select(subject_key.c.id).where(subject_key.c.secret.is_not(None))).scalars())
    session.execute(update(shard).values(erasures=shard.c.erasures + 1))
    session.execute(update(subject_key).values(scheme=None, value=None, secret=None))
    return keys


async def waits(store: Store, appending: asyncio.Task[object]) -> None:
    """Until the group stands at the lock of the other session, where one can tell."""
    if store.engine.dialect.name == "sqlite":
        await asyncio.sleep(1)
    else:
        with store.engine.connect() as other:
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            await until_async("the group to wait for the lock", lambda: other.execute(waiting).scalar_one())
    assert not appending.done()


def sessions(store: Store) -> list[int]:
    if store.engine.dialect.name == "sqlite":
        return []
    with store.engine.connect() as other:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dutybound shard 1'"
        return sorted(other.execute(text(f"{query} AND datname = current_database()")).scalars())


def keys_of(store: Store) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    with contextlib.closing(store.reader()) as reader:
        return [(entry.keys, entry.erased) for entry in read.read_entries(reader, 1, 0, 9)]


def raised(store: Store) -> int:
    with store.engine.connect() as other:
        return int(other.execute(select(watch_head.c.version)).scalar_one())


async def test_a_shard_is_taken_though_an_erasure_comes_between(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store, elsewhere = place.open(), place.open()
    async with opened(store) as ledger:
        await enter(ledger, ())
    held = await store.hold("1")
    assert held is not None
    claim, tried = type(held).claim, 0
    await held.release()

    async def claim_after_an_erasure(self: Held, before: Head, after: Head) -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            with elsewhere.engine.begin() as session:
                destroy(session)
        await claim(self, before, after)

    monkeypatch.setattr(type(held), "claim", claim_after_an_erasure)
    async with opened(store) as ledger:
        assert (ledger.shard, tried) == ("1", 2)
        await enter(ledger, ())
    first, second = keys_of(store)
    assert first[0] == first[1] != second[0]
    assert second[1] == ()


async def enter(ledger: Ledger, changes: Sequence[ClauseElement]) -> object:
    return await ledger.append(b"{}", b"{}", AT, BY, tuple(changes), NAMED)


@pytest.mark.parametrize("changes", [(), STATE], ids=["entries alone", "with a change of state"])
@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_a_group_that_waits_for_an_erasure_takes_a_new_key(
    place: Place, changes: Sequence[ClauseElement], ends: str
) -> None:
    store, elsewhere = place.open(), place.open()
    async with opened(store) as ledger:
        await enter(ledger, ())
        before, of_state = sessions(store), raised(store)
        with elsewhere.engine.connect() as session:
            if place.kind == "sqlite":
                session.exec_driver_sql("PRAGMA user_version = 0")  # a write: SQLite's lock is taken here
            (gone,) = destroy(session)
            appending = asyncio.create_task(enter(ledger, changes))
            await waits(store, appending)
            getattr(session, ends)()
        await appending
        first, second = keys_of(store)
        assert first == ((gone,), (gone,) if ends == "commit" else ())
        assert (second[0] == (gone,), second[1]) == (ends == "rollback", ())
        assert raised(store) - of_state == len(changes)
        if not changes:
            assert sessions(store) == before, "the shard was not let go for a moment"
        await enter(ledger, changes)
        assert keys_of(store)[2] == second
