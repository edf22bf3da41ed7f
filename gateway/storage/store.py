"""Opening the store: one SQLite file in WAL mode with `synchronous = FULL`, so that a commit is on the disk.

Invariants: every connection has the same settings; the file and the folder made for it are readable by their owner
only, since the keys that open payloads are rows in it. A URL that cannot be used is a `ConfigurationError` that says
why. Left to others: what the tables mean (`gateway.ledger`, `gateway.inquiry`).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql import ClauseElement

from gateway.errors import ConfigurationError, Problem
from gateway.storage import facts as _facts  # noqa: F401  its tables are part of every store
from gateway.storage.tables import metadata

BUSY_TIMEOUT_MS = 5_000

_DIALECT = sqlite.dialect(paramstyle="qmark")


def compiled(statement: ClauseElement, *parameters: str) -> str:
    """A Core statement as SQLite's SQL with `?` marks.

    `parameters` are the names that the caller will fill the marks with, in order; a different order is a defect.
    """
    made = statement.compile(dialect=_DIALECT)
    order = tuple(getattr(made, "positiontup", None) or ())
    if order != parameters:
        raise AssertionError(f"the marks of this statement are {order}, not {parameters}:\n{made}")
    return str(made)


class Store:
    """The open store. `engine` serves everything off the hot path; `connect` gives raw connections for the rest."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self.engine: Engine = create_engine(
            "sqlite://", creator=self.connect, poolclass=QueuePool, pool_size=4
        )  # the pool SQLAlchemy takes for an in-memory URL closes connections that other threads are using
        event.listen(self.engine, "begin", _begin)

    def connect(self, wait_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
        """A connection of the caller's own, in autocommit mode (say BEGIN yourself); the caller closes it.

        `wait_ms` is how long a statement waits while another connection is writing.
        """
        uri = self.path.resolve().as_uri() + ("?mode=ro" if self._read_only else "?mode=rw")
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=wait_ms / 1000
        )
        try:
            if not self._read_only:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Release pooled connections."""
        self.engine.dispose()


def _begin(connection: Any) -> None:
    # sqlite3 in autocommit mode sends no BEGIN of its own, so SQLAlchemy's transactions say it here.
    connection.exec_driver_sql("BEGIN")


def sqlite_path(url: str, file: str = "gateway.yaml") -> Path:
    """The file that a store URL (`sqlite:///path`) names; raises `ConfigurationError` for any other URL."""

    def refuse(message: str) -> ConfigurationError:
        return ConfigurationError([Problem(file, 0, 0, "store", message)])

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise refuse(f"`{url}` is not a store URL; write `sqlite:///path/to/file.db`") from error
    if parsed.get_backend_name() != "sqlite":
        raise refuse(f"`{parsed.get_backend_name()}` stores are not supported by this version; use `sqlite:///path`")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or parsed.host or parsed.query:
        raise refuse(f"`{url}` must be `sqlite:///path/to/file.db`, without driver, host or parameters")
    if not parsed.database or parsed.database == ":memory:":
        raise refuse("an in-memory store would lose the ledger; write `sqlite:///path/to/file.db`")
    return Path(parsed.database)


def open_store(url: str, file: str = "gateway.yaml") -> Store:
    """Open the store at `url`, making its folder, file and tables where they are missing.

    Raises `ConfigurationError` (naming `file`, the configuration that holds the URL) where that is impossible.
    """
    path = sqlite_path(url, file)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        store = Store(path)
        metadata.create_all(store.engine)
    except OSError as error:
        raise ConfigurationError(
            [Problem(file, 0, 0, "store", f"`{path}` cannot be opened for writing ({error.strerror})")]
        ) from error
    except (DatabaseError, sqlite3.Error) as error:
        reason = getattr(error, "orig", None) or error
        raise ConfigurationError([Problem(file, 0, 0, "store", f"`{path}` is unusable: {reason}")]) from error
    return store


def open_copy(path: Path) -> Store:
    """Open an existing store for reading only, as auditors do; raises `ConfigurationError` where it is none."""
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "no such file")
        store = Store(path, read_only=True)
        connection = store.connect()
        try:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError([Problem(str(path), 0, 0, "", f"cannot be read as a store ({error})")]) from error
    if "entry" not in names or "shard" not in names:
        raise ConfigurationError([Problem(str(path), 0, 0, "", "holds no ledger; name the gateway's store file")])
    return store
