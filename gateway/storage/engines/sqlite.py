"""The store as one SQLite file, in WAL mode with `synchronous = FULL`, so that a commit is on the disk.

Invariants: every connection has the same settings. A shard's name is held by a lock on a file beside the store, which
the system frees when the process ends, however it ends. The event loop commits while commits are fast and nobody else
is writing, a thread otherwise: `gateway/adr/0001-group-commit.md` has the measurements.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, bindparam, create_engine, event, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from gateway.errors import StoreUnavailable
from gateway.storage.engines.sqlite_counts import SqliteCounts
from gateway.storage.engines.sqlite_facts import SqliteFacts
from gateway.storage.engines.sqlite_file import FileGone, Opened, identity, room, unavailable, write_ahead
from gateway.storage.engines.sqlite_writing import apply, as_stored, insert_rows
from gateway.storage.port import EntryFiles, Group, Head, SubjectKey, Superseded
from gateway.storage.sealing import columns
from gateway.storage.sealing.vault import Vault
from gateway.storage.statement import Statement, compiled
from gateway.storage.tables import entry, entry_requester, period_key, requester, shard, subject_key, subtree

BUSY_TIMEOUT_MS = 5_000
INLINE_LIMIT = 0.002
_READ_ONLY_CACHE_KIB = 32 * 1024
"""Pages that a connection of an auditor keeps: the inner ones of the indexes that each entry is looked up in."""

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
_SUBJECT_KEY = compiled(
    select(subject_key.c.id, subject_key.c.scheme, subject_key.c.value, subject_key.c.secret).where(
        subject_key.c.scheme == bindparam("scheme"),
        subject_key.c.value == bindparam("value"),
        subject_key.c.shard == bindparam("shard"),
    ),
    *("scheme", "value", "shard"),
)
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


class SqliteStore:
    """The open file. `inline_limit` is the time of a commit, in seconds, above which a thread commits."""

    def __init__(self, path: Path, *, read_only: bool = False, inline_limit: float = INLINE_LIMIT) -> None:
        self.path = path
        self.inline_limit = inline_limit
        self.archive: EntryFiles | None = None
        self._read_only = read_only
        self._file = path.resolve()
        self._names = (str(path), f"{self._file}-wal")
        self.engine: Engine = create_engine(
            "sqlite://", creator=self.connect, poolclass=QueuePool, pool_size=4
        )  # the pool SQLAlchemy takes for an in-memory URL closes connections that other threads are using
        self.vault: Vault | None = None
        self.locked = False
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "checkout", self._checked)

    def current(self, connection: sqlite3.Connection) -> bool:
        """Whether what a connection reads and writes is what stands at the store's path: two looks, of a microsecond.

        A file that was deleted or replaced takes commits like any other, and nobody would find them again.
        """
        return isinstance(connection, Opened) and connection.files == self._files()

    def _files(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple([identity(name) for name in self._names])

    def _checked(self, connection: sqlite3.Connection, *_: object) -> None:
        if not self._read_only and not self.current(connection):
            raise DisconnectionError(f"`{self.path}` was deleted or replaced")

    def connect(self, wait_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
        """A connection of the caller's own, in autocommit mode (begin transactions yourself); the caller closes it.

        `wait_ms` is how long a statement waits while another connection is writing.
        """
        uri = self._file.as_uri() + ("?mode=ro" if self._read_only else "?mode=rw")
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=wait_ms / 1000, factory=Opened
        )
        try:
            if not self._read_only:
                write_ahead(connection, wait_ms / 1000)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if self._read_only:
                connection.execute(f"PRAGMA cache_size = -{_READ_ONLY_CACHE_KIB}")
            # Else pages that were split keep copies of rows, and of keys that are destroyed later.
            connection.execute("PRAGMA secure_delete = ON")
            connection.files = self._files()
        except BaseException:
            connection.close()
            raise
        return connection

    async def hold(self, name: str) -> SqliteHeld | None:
        descriptor = self.lock(f"shard-{name}")
        if descriptor is None:
            return None
        try:
            return SqliteHeld(self, name, descriptor)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, sqlite3.Error):
                raise unavailable(error) from error
            raise

    def lock(self, name: str) -> int | None:
        """A lock on a file of that name beside the store, as its descriptor; None where another process has it.

        Beside the file itself, so that it is one lock whichever link to it is served.
        """
        try:
            descriptor = os.open(f"{self._file}.{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"no lock beside `{self.path}` ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def reader(self) -> SqliteReader:
        with _told():
            return SqliteReader(self.connect(), self)

    def facts(self) -> SqliteFacts:
        return SqliteFacts(self.connect, self.current, self.vault)

    def counts(self) -> SqliteCounts:
        return SqliteCounts(self.connect, self.current)

    def time(self) -> None:
        """None: a file has no clock of its own."""

    def close(self) -> None:
        self.engine.dispose()


def _begin(connection: Any) -> None:
    # sqlite3 in autocommit mode sends no BEGIN of its own, so SQLAlchemy's transactions say it here.
    connection.exec_driver_sql("BEGIN")


@contextlib.contextmanager
def _told() -> Any:
    try:
        yield
    except sqlite3.Error as error:
        raise unavailable(error) from error


def _replacing(raw: bytes) -> str:
    return raw.decode(errors="replace")


class SqliteReader:
    """One snapshot of the file (`port.Reader`)."""

    def __init__(self, connection: sqlite3.Connection, of: SqliteStore) -> None:
        self.archive, self.locked, self._vault = of.archive, of.locked, of.vault
        self._connection = connection
        connection.execute("BEGIN")

    def rows(self, statement: Statement, *parameters: Any) -> list[tuple[Any, ...]]:
        given = statement.given(self._vault, parameters)
        with _told():
            try:
                found = self._connection.execute(statement.sqlite, given).fetchall()
            except sqlite3.OperationalError:
                # What was text and is none any more is to be named by its entry, not to end the reading.
                self._connection.text_factory = _replacing
                found = self._connection.execute(statement.sqlite, given).fetchall()
        return statement.read(self._vault, found)

    def renew(self) -> None:
        with _told():
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN")

    def close(self) -> None:
        self._connection.close()


class _Busy(Exception):
    """Another process is writing to the store; nothing was attempted, the group can be written with patience."""


class SqliteHeld:
    """A shard's name, held by the lock `descriptor` (`port.Held`).

    Two connections: one that waits for other writers, for the thread; one that does not, for the loop.
    """

    def __init__(self, store: SqliteStore, name: str, descriptor: int) -> None:
        self._store, self._name, self._descriptor = store, name, descriptor
        self._pace = 0.0
        self._connect()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    def _connect(self) -> None:
        self._connection, self._hasty = self._store.connect(), self._store.connect(wait_ms=0)

    @property
    def alive(self) -> bool:
        return self._store.current(self._connection)

    def commit(self, group: Group) -> asyncio.Future[None] | None:
        if self._pace <= self._store.inline_limit:
            with contextlib.suppress(_Busy):
                self._write(self._hasty, group)
                return None
        return self._loop.run_in_executor(self._thread, self._write, self._connection, group)

    def _write(self, connection: sqlite3.Connection, group: Group) -> None:
        begun = time.perf_counter()
        execute = connection.execute
        try:
            execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY and connection is self._hasty:
                raise _Busy from error
            raise unavailable(error) from error
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
        self._pace += (time.perf_counter() - begun - self._pace) / 8

    async def _run(self, work: Callable[[], _T]) -> _T:
        def told() -> _T:
            with _told():
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

    def subject_keys(self, shard: int, subjects: Sequence[tuple[str, str]], /) -> Sequence[SubjectKey]:
        with _told():
            execute, vault, found = self._hasty.execute, self._store.vault, list[SubjectKey]()
            for scheme, value in subjects:
                asked = columns.sealed(vault, _ASKED_AT, (scheme, value, shard))
                found += columns.opened(vault, _SUBJECT_KEY_AT, execute(_SUBJECT_KEY, asked).fetchall())
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
            room(self._store.path.parent)

        await self._run(work)

    async def release(self) -> None:
        self._thread.shutdown()
        self._close()
        os.close(self._descriptor)

    def _close(self) -> None:
        self._connection.close()
        self._hasty.close()


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
