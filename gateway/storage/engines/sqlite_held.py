"""A shard that a process holds on SQLite (`port.Held`).

The event loop commits its groups while commits are fast and nobody else is writing, a thread otherwise:
`gateway/adr/0001-group-commit.md` has the measurements.

Invariant: the name is held by a lock on a file beside the store, which the system frees when the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import and_, bindparam, insert, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from gateway.errors import StoreUnavailable
from gateway.storage.engines.pace import Pace
from gateway.storage.engines.sqlite_file import BUSY_TIMEOUT_MS, FileGone, reported, room, unavailable
from gateway.storage.engines.sqlite_writing import apply, as_stored, insert_rows
from gateway.storage.port import Group, Head, SubjectKey, Superseded
from gateway.storage.sealing import columns
from gateway.storage.statement import SQLITE, compiled
from gateway.storage.tables import entry, entry_requester, period_key, requester, shard, subject_key, subtree

if TYPE_CHECKING:
    from gateway.storage.engines.sqlite import SqliteStore

_AGAIN = 0.0005
"""Seconds between two tries to write, while another writes. SQLite's own rests grow to a tenth of a second."""
_CHECKPOINT = 8_000
"""Pages from which on a group's commit copies the write-ahead log: the projector does it from a thousand on."""
_AT_ONCE = 64
"""How many subjects' keys one statement looks up."""

_T = TypeVar("_T")

_INSERT_ENTRY = compiled(insert(entry), *entry.c.keys())
_INSERT_REQUESTER_ENTRY = compiled(insert(entry_requester), *entry_requester.c.keys())
_INSERT_SUBTREE = compiled(insert(subtree), *subtree.c.keys())
_INSERT_SUBJECT_KEY = compiled(insert(subject_key), *subject_key.c.keys())
_INSERT_SHARD = compiled(insert(shard), *shard.c.keys())
_LAST_SHARD = compiled(select(shard.c.id).order_by(shard.c.id.desc()))

_SWAP = compiled(
    update(shard)
    .where(
        shard.c.id == bindparam("old_id"),
        shard.c.epoch == bindparam("old_epoch"),
        shard.c.size == bindparam("old_size"),
        shard.c.root == bindparam("old_root"),
        shard.c.erasures == bindparam("old_erasures"),
    )
    .values({name: bindparam(f"new_{name}") for name in ("verifier", "epoch", "size", "root", "floor", "checkpoint")}),
    *("new_verifier", "new_epoch", "new_size", "new_root", "new_floor", "new_checkpoint"),
    *("old_id", "old_epoch", "old_size", "old_root", "old_erasures"),
)

_NEW_REQUESTER = compiled(
    upsert(requester).values(issuer=bindparam("issuer"), client=bindparam("client")).on_conflict_do_nothing(),
    *("issuer", "client"),
)
_REQUESTER = compiled(
    select(requester.c.id).where(requester.c.issuer == bindparam("issuer"), requester.c.client == bindparam("client")),
    *("issuer", "client"),
)
_SUBJECT_KEYS = select(subject_key.c.id, subject_key.c.scheme, subject_key.c.value, subject_key.c.secret)
_NEW_KEY = compiled(
    upsert(period_key)
    .values(shard=bindparam("shard"), period=bindparam("period"), secret=bindparam("secret"))
    .on_conflict_do_nothing(),
    *("shard", "period", "secret"),
)
_KEY = compiled(
    select(period_key.c.id, period_key.c.secret).where(
        period_key.c.shard == bindparam("shard"), period_key.c.period == bindparam("period")
    ),
    *("shard", "period"),
)
_NEW_KEY_AT = columns.places([period_key.c[name].type for name in ("shard", "period", "secret")])
_KEY_AT = columns.places([period_key.c.id.type, period_key.c.secret.type])
_ASKED_AT = columns.places([subject_key.c.scheme.type, subject_key.c.value.type])
_SUBJECT_KEY_AT = columns.places([subject_key.c[name].type for name in ("id", "scheme", "value", "secret")])


class _Busy(Exception):
    """Another process is writing to the store; nothing was attempted, the group can be written with patience."""


class SqliteHeld:
    """A shard's name, held by the lock `descriptor` (`port.Held`).

    Two connections: one that waits for other writers; one that does not, for groups, which the thread tries again.
    """

    def __init__(self, store: SqliteStore, name: str, descriptor: int) -> None:
        self._store, self._name, self._descriptor = store, name, descriptor
        self._pace = Pace(store.inline_limit)
        self._connect()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    def _connect(self) -> None:
        self._connection, self._hasty = self._store.connect(), self._store.connect(wait_ms=0)
        self._hasty.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")

    @property
    def alive(self) -> bool:
        return self._store.current(self._connection)

    def commit(self, group: Group) -> asyncio.Future[None] | None:
        if self._pace.is_fast:
            with contextlib.suppress(_Busy):
                self._pace.count(self._write(group))
                return None
        return self._loop.run_in_executor(self._thread, self._write_patiently, group)

    def _write_patiently(self, group: Group) -> None:
        end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                return self._pace.count_in_thread(self._write(group))
            except _Busy as busy:
                if time.monotonic() >= end:
                    raise StoreUnavailable("others are writing to it without a rest") from busy
            time.sleep(_AGAIN)

    def _write(self, group: Group) -> float:
        """Seconds that it took, from when it had the store's lock."""
        connection = self._hasty
        execute = connection.execute
        try:
            execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise _Busy from error
            raise unavailable(error) from error
        begun = time.perf_counter()
        try:
            insert_rows(connection, _INSERT_ENTRY, group.entries)
            insert_rows(connection, _INSERT_REQUESTER_ENTRY, group.requesters)
            if group.subtrees:
                connection.executemany(_INSERT_SUBTREE, group.subtrees)
            if group.keys:
                insert_rows(connection, _INSERT_SUBJECT_KEY, as_stored(self._store.vault, subject_key, group.keys))
            for change in group.changes:
                apply(connection, change, self._store.vault)
            if execute(_SWAP, _swap(group.before, group.after)).rowcount != 1:
                raise Superseded("the head is another's")
            execute("COMMIT")
            if not self._store.current(connection):
                raise FileGone(f"`{self._store.path}` was deleted or replaced")
        except sqlite3.Error as error:
            raise unavailable(error) from error
        finally:
            if connection.in_transaction:
                connection.rollback()
        return time.perf_counter() - begun

    async def _run(self, work: Callable[[], _T]) -> _T:
        def told() -> _T:
            with reported():
                return work()

        return await self._loop.run_in_executor(self._thread, told)

    async def create(self, origin: str, verifier: str, root: bytes, checkpoint: str) -> Head:
        def work() -> Head:
            with _transaction(self._connection) as execute:
                last = execute(_LAST_SHARD).fetchone()
                head = Head(1 + (last[0] if last else 0), self._name, origin, verifier, 0, 0, root, 0, checkpoint)
                execute(_INSERT_SHARD, head)
            return head

        return await self._run(work)

    async def claim(self, before: Head, after: Head) -> None:
        def work() -> None:
            with _transaction(self._connection) as execute:
                if execute(_SWAP, _swap(before, after)).rowcount != 1:
                    raise Superseded("the head is another's")

        await self._run(work)

    async def key(self, shard: int, period: str, fresh: bytes) -> tuple[int, bytes | None]:
        def work() -> tuple[int, bytes | None]:
            vault = self._store.vault
            self._connection.execute(_NEW_KEY, columns.sealed(vault, _NEW_KEY_AT, (shard, period, fresh)))
            found = self._connection.execute(_KEY, (shard, period)).fetchall()
            ((id_, secret),) = columns.opened(vault, _KEY_AT, found)
            return id_, secret

        return await self._run(work)

    async def requester(self, issuer: str, client: str) -> int:
        def work() -> int:
            self._connection.execute(_NEW_REQUESTER, (issuer, client))
            return int(self._connection.execute(_REQUESTER, (issuer, client)).fetchone()[0])

        return await self._run(work)

    async def subject_keys(self, shard: int, subjects: Sequence[tuple[str, str]], /) -> Sequence[SubjectKey]:
        return self.subject_keys_at_once(shard, subjects)

    def subject_keys_at_once(self, shard: int, subjects: Sequence[tuple[str, str]], /) -> Sequence[SubjectKey]:
        with reported():
            vault, found = self._store.vault, list[SubjectKey]()
            for start in range(0, len(subjects), _AT_ONCE):
                some = subjects[start : start + _AT_ONCE]
                size = 1 << (len(some) - 1).bit_length()
                given: list[object] = [shard]
                for subject in (*some, *[some[-1]] * (size - len(some))):
                    given += columns.sealed(vault, _ASKED_AT, subject)
                rows = self._hasty.execute(_subject_keys_of(size), given).fetchall()
                found += columns.opened(vault, _SUBJECT_KEY_AT, rows)
            return found

    async def renew(self) -> None:
        def work() -> None:
            self._close()
            if not self._store.path.exists():
                raise FileGone(f"`{self._store.path}` is gone; put it back, and stop the gateway for that")
            self._connect()

        await self._run(work)

    async def probe(self) -> None:
        def work() -> None:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("ROLLBACK")
            room(self._store.path.absolute().parent)

        await self._run(work)

    async def release(self) -> None:
        self._thread.shutdown()
        self._close()
        os.close(self._descriptor)

    def _close(self) -> None:
        self._connection.close()
        self._hasty.close()


@functools.cache
def _subject_keys_of(size: int) -> str:
    """Looks up the keys of so many subjects: of one by itself, since a list takes as long to make as to look up."""
    scheme, value = subject_key.c.scheme, subject_key.c.value
    listed: Any = tuple_(scheme, value).in_([("", "")] * size)
    found = _SUBJECT_KEYS.where(subject_key.c.shard == 0, and_(scheme == "", value == "") if size == 1 else listed)
    return str(found.compile(dialect=SQLITE, compile_kwargs={"render_postcompile": True}))


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Any:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection.execute
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()


def _swap(before: Head, after: Head) -> tuple[object, ...]:
    new = (after.verifier, after.epoch, after.size, after.root, after.floor, after.checkpoint)
    return (*new, before.id, before.epoch, before.size, before.root, before.erasures)
