"""A department's database, opened so that nothing can be written and nothing runs on after the inquiry.

SQLite opens with `mode=ro` and `PRAGMA query_only`; what outlives the inquiry is interrupted (`reading`), by a progress
handler at the latest. PostgreSQL and MariaDB get a read-only transaction with one snapshot, and each statement
an end; the account itself should be able to read the named views only.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from connectors.base import Config
from connectors.database import mariadb
from connectors.database.bounding import MOST

_STEPS = 100_000
"""SQLite's virtual machine steps between two looks at the clock, for each of which its thread stops all others."""


_NONE = make_url("sqlite://")
"""What stands for an address that is missing or wrong."""
_DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
DATABASE_KEYS = ("password_file", "tls", "allow_plain")
"""What can stand beside `url`."""
_TLS_ELSEWHERE = "is for MariaDB; for PostgreSQL write `?sslmode=verify-full&sslrootcert=` and the file behind `url`"


def _read_url(keys: Mapping[str, Config]) -> URL:
    config = keys["url"]
    text = config.text()
    if not text:
        return _NONE
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        config.problem("must be a database address such as `postgresql+psycopg://gateway@db.example/tax`")
        return _NONE
    backend = url.get_backend_name()
    if backend not in ("sqlite", *_DRIVERS):
        config.problem("must name a `sqlite`, `postgresql` or `mariadb` database")
        return _NONE
    if url.password is not None:
        config.problem("a password does not belong here; write it into a file and name that in `password_file`")
    if backend != "mariadb":
        for key in {"tls", "allow_plain"} & keys.keys():
            keys[key].problem(_TLS_ELSEWHERE)
    if driver := _DRIVERS.get(backend):
        if url.drivername != driver:
            config.problem(f"`{url.drivername}` is not the driver here; write `{driver}://` and the rest as it is")
            return _NONE
        if backend == "mariadb" and url.query:
            config.problem("nothing stands behind the database's name; encryption is the key `tls`")
            return _NONE
        if backend == "postgresql" and "password_file" in keys:
            return url.set(password=keys["password_file"].secret())
        return url
    if url.get_driver_name() != "pysqlite" or not url.database or url.database == ":memory:" or url.query:
        config.problem("must be `sqlite:///` and the path of a database file, nothing else")
        return _NONE
    # A link stays one: what it leads to may change while the gateway serves.
    path = (config.folder / url.database).absolute()
    # An empty database is made where there is none, unless the file is opened read-only.
    return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


def open_engine(keys: Mapping[str, Config], connections: int, timeout: float, most: int = MOST) -> sa.Engine:
    """An engine for the keys `url` and `DATABASE_KEYS`.

    It has at most `connections` connections, and waits at most `timeout` seconds for one. In SQLite no value may have
    more than `most` bytes.
    """
    url = _read_url(keys)
    backend = url.get_backend_name()
    arguments: dict[str, Any] = {"connect_args": {"timeout": timeout}}
    if backend == "mariadb":
        # A reading rolls back while it can be cut; the pool would do so again, and wait.
        arguments = {"connect_args": mariadb.connect_arguments(keys, url, timeout), "pool_reset_on_return": None}
    if backend == "postgresql":
        # In UTF-8 whatever the database's own encoding is: then it checks what it sends, even where it has none.
        arguments = {"connect_args": {"client_encoding": "utf8"}}
        if "connect_timeout" not in url.query:
            arguments["connect_args"]["connect_timeout"] = max(1, round(timeout))
    try:
        engine = sa.create_engine(
            url,
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=timeout,
            hide_parameters=True,
            **arguments,
        )
    except (ImportError, NoSuchModuleError, ArgumentError):
        keys["url"].problem(f"the driver `{url.drivername}` is not installed, or is no driver of SQLAlchemy")
        return sa.create_engine(_NONE)
    if engine.dialect.is_async:
        keys["url"].problem(f"`{url.drivername}` is an asynchronous driver; use a synchronous one such as `psycopg`")
    if backend == "mariadb":
        event.listen(engine, "connect", mariadb.prepare)
    if backend == "sqlite":
        _only_read(engine, most)
        _follow(engine, Path(unquote(str(url.database).removeprefix("file:"))))
    return engine


def unchanging_engine(path: Path, timeout: float, most: int) -> sa.Engine:
    """An engine for a SQLite file that is only ever replaced: every connection is a new one, and keeps what it opened.

    No value may have more than `most` bytes.
    """
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    url = URL.create("sqlite", database=f"file:{quote(str(path.resolve()))}", query=query)
    engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": timeout})
    _only_read(engine, most)
    return engine


def _only_read(engine: sa.Engine, most: int) -> None:
    event.listen(engine, "connect", functools.partial(_sqlite_read_only, max(most, MOST)))


def _follow(engine: sa.Engine, path: Path) -> None:
    """Have a connection that is used again only where the file is the one that it opened, and was not written since.

    A connection goes on reading a file that was deleted or replaced, and of one that was copied over it may have pages.
    """

    def note(_dialect: Any, record: Any, _arguments: Any, _named: Any) -> None:
        record.info["file"] = _as_it_is(path)  # before it is opened: one that is replaced meanwhile is opened again

    def look(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _as_it_is(path):
            raise DisconnectionError

    event.listen(engine, "do_connect", note)
    event.listen(engine, "checkout", look)


def _as_it_is(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _sqlite_read_only(most: int, connection: Any, _record: Any) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)
    connection.execute("PRAGMA query_only = ON")
    # Bytes that are no UTF-8 become lone surrogates, which the reader of text refuses with their row.
    connection.text_factory = _text


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def protect(connection: sa.Connection, until: float) -> None:
    """Make the transaction read-only, and let nothing in it run on after `until`, on `time.monotonic`'s clock."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() >= until, _STEPS)
        connection.exec_driver_sql("BEGIN")  # the driver would not: it begins before a change only
        return
    if connection.dialect.name == "mariadb":
        mariadb.begin(connection, until - time.monotonic())
        return
    left = max(1, int((until - time.monotonic()) * 1000))
    connection.exec_driver_sql(
        f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {left}"
    )
