"""`dutybound store migrate --finish`: the rows of a plain store, sealed; and the keys of a sealed one, changed.

To seal, nobody else may use the store. It can be interrupted: the store is then refused until the same command has come
to its end. The last step writes anew what is left of the rows in the files.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine, create_engine, delete, event, text
from sqlalchemy.pool import StaticPool

from gateway.config.store_key import StoreKey
from gateway.errors import CommandRefused
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.keys import converting, opening, secret
from gateway.storage.port import Store
from gateway.storage.sealing import key_file, outside
from gateway.storage.sealing.key_file import KeyFile, Wrapping
from gateway.storage.sealing.vault import DataKeys, Vault, new_keys
from gateway.storage.tables import store_secret

_OTHERS = text(
    "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename = current_user AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY 1"
)
_LISTED, _LOOK = 1.0, 0.02
"""Seconds that PostgreSQL may still list a session that has ended, and between two looks whether it does."""


def finish(store: Store, key: StoreKey, file: str, heard: converting.Heard) -> bool:
    """Seal the rows of a store; False where they were sealed already.

    Raises `CommandRefused` where somebody uses it, `ConfigurationError` where the key is away or another,
    `StoreUnavailable` where its rows are sealed by keys that are gone.
    """
    by = outside.load(key, file)
    with _alone(store) as engine:
        with engine.begin() as connection:
            row = secret.kept(connection)
            begun = row is None
            if row is None:
                secret.see_plain(connection)
                row = secret.wrapped(secret.SEALING, new_keys(), by)
                secret.begin(connection, row)
        if row.state == secret.SEALED:
            return False
        if row.state != secret.SEALING:
            raise CommandRefused(f"nothing was done: {secret.unfinished(row.state)}")
        try:
            _nobody_else(engine)
        except CommandRefused:
            if begun:  # they go on with a plain store
                with engine.begin() as connection:
                    connection.execute(delete(store_secret))
            raise
        converting.seal_all(engine, Vault(opening.keys_of(row, key, file)), heard)
        _anew(engine)
        with engine.begin() as connection:
            secret.replaced(connection, row, row._replace(state=secret.SEALED))
    return True


def rotate_outside(engine: Engine, key: StoreKey, file: str) -> KeyFile:
    """Give a sealed store another key outside it, while it is served; the new key.

    A file has both keys until the store's own are wrapped by the new one. A command has to print both by then. Either
    is interrupted anywhere, and called again. Raises `ConfigurationError`, and `CommandRefused` where there is no new
    key.
    """
    held = outside.load(key, file, again=True)
    row, _ = _sealed(engine, key, file)
    if isinstance(key, Path):
        if not held.several:
            held = held.followed_by_its_next()
            key_file.replace(key, held)
        _rewrap(engine, key, file, held, lambda keys: keys)
        key_file.replace(key, held.first_alone())
    elif row.name == held.name:
        raise CommandRefused(
            f"{outside.shown(key)} prints the key `{held.name}` first, which the store has already; have it print a new"
            " one (`dutybound store key`) in a line before that, and run this again"
        )
    else:
        _rewrap(engine, key, file, held, lambda keys: keys)
    return held.first_alone()


def rotate_secrets(engine: Engine, key: StoreKey, file: str, heard: converting.Heard) -> int:
    """Seal every secret by a new key, while the store is served; the version of that key.

    Keys before stay among the store's: a process that has not met the new one yet may still seal by the one that it
    knows. Raises `ConfigurationError`.
    """
    fresh = _rewrap(engine, key, file, outside.load(key, file), DataKeys.with_another)
    converting.secrets_anew(engine, Vault(fresh), heard)
    return max(fresh.secrets)


def rotate_names(store: Store, key: StoreKey, file: str, heard: converting.Heard) -> int:
    """Seal every name by a new key, and remove the one before; the version of the new one.

    Nobody else may use the store: a row is found only by who seals its name by the same key. It can be interrupted: the
    store is then refused until this has come to its end. Raises `CommandRefused` where somebody uses it,
    `ConfigurationError` where the key is away or another.
    """
    by = outside.load(key, file)
    with _alone(store) as engine:
        _nobody_else(engine)
        row, _ = _sealed(engine, key, file, (secret.SEALED, secret.RENAMING))
        if row.state == secret.SEALED:
            _rewrap(engine, key, file, by, DataKeys.with_another_of_names, (secret.SEALED, secret.RENAMING))
            try:
                _nobody_else(engine)
            except CommandRefused:  # they go on with the key that they have
                _rewrap(engine, key, file, by, DataKeys.without_newest_of_names, (secret.RENAMING, secret.SEALED))
                raise
        _, keys = _sealed(engine, key, file, (secret.RENAMING,))
        converting.names_anew(engine, Vault(keys), heard)
        _anew(engine)
        _nobody_else(engine)
        fresh = _rewrap(engine, key, file, by, DataKeys.with_newest_of_names, (secret.RENAMING, secret.SEALED))
    return max(fresh.names)


def _rewrap(
    engine: Engine,
    key: StoreKey,
    file: str,
    by: Wrapping,
    change: Callable[[DataKeys], DataKeys],
    states: tuple[str, str] = (secret.SEALED, secret.SEALED),
) -> DataKeys:
    """Wrap the store's keys anew, once they were changed; whoever else does so meanwhile goes first.

    `states`: the one that the store has to be in, and the one that it is in afterwards.
    """
    while True:
        row, keys = _sealed(engine, key, file, states[:1])
        try:
            fresh = change(keys)
        except OverflowError as error:
            raise CommandRefused(f"nothing was done: {error}") from error
        with engine.begin() as connection:
            if secret.replaced(connection, row, secret.wrapped(states[1], fresh, by)):
                return fresh


def _sealed(
    engine: Engine, key: StoreKey, file: str, states: tuple[str, ...] = (secret.SEALED,)
) -> tuple[secret.Kept, DataKeys]:
    """The row of a sealed store, in one of these states, and its keys."""
    with engine.connect() as connection:
        row = secret.kept(connection)
    if row is None:
        raise CommandRefused(
            "the store's rows are not sealed, so that there is no key of theirs; run `dutybound store migrate --finish`"
        )
    if row.state not in states:
        raise CommandRefused(f"nothing was done: {secret.unfinished(row.state)}")
    return row, opening.keys_of(row, key, file)


@contextlib.contextmanager
def _alone(store: Store) -> Iterator[Engine]:
    """An engine of one connection; on SQLite nobody else has another while it is open."""
    store.engine.dispose()
    if not isinstance(store, SqliteStore):
        yield store.engine
        return
    try:
        with contextlib.closing(store.connect()) as file:
            # To leave the write-ahead log, a connection has to be the only one.
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            file.execute("PRAGMA journal_mode = DELETE")
            engine = create_engine("sqlite://", creator=lambda: file, poolclass=StaticPool)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
            yield engine
            file.execute("PRAGMA locking_mode = NORMAL")
            file.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        raise CommandRefused(
            f"`{store.path}` is in use; stop every gateway and command on it, and run this again"
        ) from error


def _nobody_else(engine: Engine) -> None:
    """Raises `CommandRefused` where another session of this account is at the database; of SQLite that is known."""
    if engine.dialect.name == "sqlite":
        return
    until = time.monotonic() + _LISTED
    while others := _others(engine):
        if time.monotonic() >= until:
            names = ", ".join(others)
            raise CommandRefused(
                f"the database is in use ({names}); stop every gateway and command on it, and run this again"
            )
        time.sleep(_LOOK)


def _others(engine: Engine) -> list[str]:
    with engine.connect() as connection:  # anew: what a transaction read of this, it reads again
        return [name or "a session without a name" for name in connection.execute(_OTHERS).scalars()]


def _anew(engine: Engine) -> None:
    """Leave nothing of what the rows were in the files of the tables."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None, "it was just opened"
            driver.execute("VACUUM")
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql(f"VACUUM FULL {', '.join(each.name for each in converting.sealed_tables())}")
