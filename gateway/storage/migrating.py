"""Bringing a store's tables to this version's, and opening one whose rows are to be sealed: whatever its step."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.storage import schema
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.store import Store, as_it_stands, check_durable, first_line, refusal
from gateway.storage.whole import metadata

if TYPE_CHECKING:
    from gateway.storage.engines.postgresql import PostgresStore

_MIGRATION_FIXES = {
    "full": "make room on the disk (a migration needs as much again as the store has)",
    "readonly": "let this account write to the file and its folder",
    "Permission denied": "let this account write to the file and its folder",
    "Read-only": "let this account write to the file and its folder",
    "No space": "make room on the disk (a migration needs as much again as the store has)",
    "I/O error": "see whether the disk is full or fails",
    "read-only": "let the server take writes again, or name the one that does",
    "locked": "stop every gateway and command that uses it",
    "lock timeout": "wait for what reads it for long (`ledger verify`, a backup) to end",
}
"""What a system says when a migration fails, and what to do then."""


def migrate_store(url: str, file: str = "gateway.yaml", *, single_node: bool | None = None) -> tuple[str | None, str]:
    """Bring the tables of the store at `url` to this version's; gives the step before and after.

    `single_node` as `gateway.storage.store.open_store` has it. Raises `ConfigurationError` where that is impossible.
    """
    try:
        store = as_it_stands(url, file)
        try:
            if single_node is not None and not isinstance(store, SqliteStore):
                _see_durable(store, file, single_node=single_node)
            return schema.migrate(store.engine, metadata)
        finally:
            store.close()
    except (OSError, ValueError, LookupError, SQLAlchemyError, sqlite3.Error) as error:
        raise _failed(file, error) from error


def _see_durable(store: PostgresStore, file: str, *, single_node: bool) -> None:
    import psycopg  # which a SQLite store does without

    try:
        check_durable(store, file, single_node=single_node)
    except psycopg.Error as error:
        raise _failed(file, error) from error


def _failed(file: str, error: Exception) -> ConfigurationError:
    why = first_line(error)
    fix = next((f"; {fix}, and run it again" for sign, fix in _MIGRATION_FIXES.items() if sign in why), "")
    return refusal(file, f"the store cannot be migrated: {why}{fix}; it is as it was")


@contextlib.contextmanager
def opened_to_finish(settings: Settings) -> Iterator[Store]:
    """The configured store for whoever seals its rows: as `opened`, but whether they are sealed or not."""
    file = str(settings.file)
    try:
        store = as_it_stands(settings.store, file)
    except (OSError, ValueError, SQLAlchemyError, sqlite3.Error) as error:
        raise refusal(file, f"the store is unusable: {first_line(error)}; nothing was changed") from error
    try:
        yield store
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the store is out of reach ({first_line(error)})") from error
    finally:
        store.close()
