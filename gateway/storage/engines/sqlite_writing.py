"""How the rows and changes of a group are written to SQLite."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Table

from gateway.errors import Conflict
from gateway.storage.port import Change, Guarded, Rows
from gateway.storage.sealing import columns
from gateway.storage.sealing.vault import Vault
from gateway.storage.statement import SQLITE, filled, insertion

_CHUNKS = (64, 16, 4)


def as_stored(vault: Vault | None, table: Table, rows: Sequence[tuple[object, ...]]) -> Sequence[Sequence[object]]:
    """Rows of a table, sealed where its columns are."""
    at = _sealed_places(table) if vault is not None else ()
    return [columns.sealed(vault, at, row) for row in rows] if at else rows


@functools.cache
def _sealed_places(table: Table) -> columns.Places:
    return columns.places([column.type for column in table.c])


def apply(connection: sqlite3.Connection, change: Change, vault: Vault | None) -> None:
    """Make a change; raises `Conflict` where a guarded one changes no row."""
    if isinstance(change, Rows):
        insert_rows(connection, insertion(change.table, SQLITE), as_stored(vault, change.table, change.rows))
        return
    statement = change.statement if isinstance(change, Guarded) else change
    done = connection.execute(*filled(statement, SQLITE, vault))
    if statement is not change and done.rowcount < 1:
        raise Conflict("somebody acted at the same moment")


def insert_rows(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows, many per statement: each statement gives the interpreter lock up once, however many rows it has."""
    at, left = 0, len(rows)
    for count in _CHUNKS:
        while left >= count:
            connection.execute(_many(statement, count), [*chain.from_iterable(rows[at : at + count])])
            at, left = at + count, left - count
    if left:
        connection.executemany(statement, rows[at:] if at else rows)


@functools.lru_cache(maxsize=16 * len(_CHUNKS))
def _many(statement: str, count: int) -> str:
    head, marks = statement.split(" VALUES ")
    return f"{head} VALUES {', '.join([marks] * count)}"
