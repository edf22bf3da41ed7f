"""Opening the store: one SQLite file in WAL mode with `synchronous = FULL`, so that a commit is on the disk.

Invariants: every connection has the same settings; the file and the folder made for it are readable by their owner
only, since the keys that open payloads are rows in it. A URL that cannot be used is a `ConfigurationError` that says
why. Left to others: what the tables mean (`gateway.ledger`, `gateway.inquiry`).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from gateway.errors import ConfigurationError, Problem
from gateway.storage.sqlite import SqliteStore
from gateway.storage.tables import metadata


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


def open_store(url: str, file: str = "gateway.yaml") -> SqliteStore:
    """Open the store at `url`, making its folder, file and tables where they are missing.

    Raises `ConfigurationError` (naming `file`, the configuration that holds the URL) where that is impossible.
    """
    path = sqlite_path(url, file)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        store = SqliteStore(path)
        metadata.create_all(store.engine)
    except OSError as error:
        raise ConfigurationError(
            [Problem(file, 0, 0, "store", f"`{path}` cannot be opened for writing ({error.strerror})")]
        ) from error
    except (DatabaseError, sqlite3.Error) as error:
        reason = getattr(error, "orig", None) or error
        raise ConfigurationError([Problem(file, 0, 0, "store", f"`{path}` is unusable: {reason}")]) from error
    return store


def open_copy(path: Path) -> SqliteStore:
    """Open an existing store for reading only, as auditors do; raises `ConfigurationError` where it is none."""
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "no such file")
        store = SqliteStore(path, read_only=True)
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
