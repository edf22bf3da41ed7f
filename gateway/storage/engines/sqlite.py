"""The store as one SQLite file, in WAL mode with `synchronous = FULL`, so that a commit is on the disk.

Invariant: every connection is as durable as the others. How groups are committed: `sqlite_held`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from gateway.errors import StoreUnavailable
from gateway.storage.engines.sqlite_counts import SqliteCounts
from gateway.storage.engines.sqlite_facts import SqliteFacts
from gateway.storage.engines.sqlite_file import BUSY_TIMEOUT_MS, Opened, identity, reported, unavailable, write_ahead
from gateway.storage.engines.sqlite_held import SqliteHeld
from gateway.storage.port import EntryFiles
from gateway.storage.sealing.vault import Vault
from gateway.storage.statement import Statement

INLINE_LIMIT = 0.002
_MOST_KEPT = 64 * 2**20
"""Bytes of the write-ahead log that stay once it was copied: while a backup or an auditor reads, it may grow far."""
_READ_ONLY_CACHE_KIB = 32 * 1024
"""Pages that a connection of an auditor keeps: the inner ones of the indexes that each entry is looked up in."""


class SqliteStore:
    """The open file. `inline_limit` is the time of a commit, in seconds, above which a thread commits."""

    def __init__(self, path: Path, *, read_only: bool = False, inline_limit: float = INLINE_LIMIT) -> None:
        self.path = path
        self.inline_limit = inline_limit
        self.archive: EntryFiles | None = None
        self._read_only = read_only
        self._file = path.resolve()
        self._uri = f"{self._file.as_uri()}?mode={'ro' if read_only else 'rw'}"
        self._names = (str(path), f"{self._file}-wal")
        self.engine: Engine = create_engine(
            "sqlite://", creator=self.connect, poolclass=QueuePool, pool_size=4, max_overflow=-1
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

    def _files(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        file, log = self._names
        return identity(file), identity(log)

    def at_its_path(self, connection: sqlite3.Connection) -> bool:
        """As `current`; an auditor's connection reads on what it opened."""
        return self._read_only or self.current(connection)

    def _checked(self, connection: sqlite3.Connection, *_: object) -> None:
        if not self.at_its_path(connection):
            raise DisconnectionError(f"`{self.path}` was deleted or replaced")

    def connect(self, wait_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
        """A connection of the caller's own, in autocommit mode (begin transactions yourself); the caller closes it.

        `wait_ms` is how long a statement waits while another connection is writing.
        """
        connection = sqlite3.connect(
            self._uri, uri=True, isolation_level=None, check_same_thread=False, timeout=wait_ms / 1000, factory=Opened
        )
        try:
            if not self._read_only:
                write_ahead(connection, wait_ms / 1000)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_MOST_KEPT}")
            if self._read_only:
                connection.execute(f"PRAGMA cache_size = -{_READ_ONLY_CACHE_KIB}")
            # Else pages that were split keep copies of rows, and of keys that are destroyed later.
            connection.execute("PRAGMA secure_delete = ON")
            # Of what was opened: a link at the path may name another file by now.
            connection.files = identity(str(self._file)), identity(self._names[1])
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
        try:
            return SqliteReader(self.engine.raw_connection(), self)
        except sqlite3.Error as error:
            raise unavailable(error) from error
        except SQLAlchemyError as error:  # of `_checked`: one that was opened anew is not at the path either
            raise StoreUnavailable(f"`{self.path}` was deleted or replaced") from error

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


def _replacing(raw: bytes) -> str:
    return raw.decode(errors="replace")


class SqliteReader:
    """One snapshot of the file (`port.Reader`), on a pooled connection: a new one reads the whole schema first."""

    def __init__(self, pooled: Any, of: SqliteStore) -> None:
        self.archive, self.locked, self._vault = of.archive, of.locked, of.vault
        self._pooled, self._of = pooled, of
        self._connection.execute("BEGIN")

    @property
    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = self._pooled.driver_connection
        if found is None:  # it is in the pool, and may be another's by now
            raise StoreUnavailable("this reader was closed")
        return found

    def rows(self, statement: Statement, *parameters: Any) -> list[tuple[Any, ...]]:
        given = statement.given(self._vault, parameters)
        connection = self._connection
        with reported():
            try:
                found = connection.execute(statement.sqlite, given).fetchall()
            except sqlite3.OperationalError:
                # What was text and is none any more is to be named by its entry, not to end the reading.
                connection.text_factory = _replacing
                try:
                    found = connection.execute(statement.sqlite, given).fetchall()
                finally:
                    connection.text_factory = str
        return statement.read(self._vault, found)

    def renew(self) -> None:
        if not self._of.at_its_path(self._connection):
            raise StoreUnavailable(f"`{self._of.path}` was deleted or replaced")
        with reported():
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN")

    def close(self) -> None:
        self._pooled.close()
