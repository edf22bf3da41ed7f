"""Core statements for raw connections: rendered once per driver, filled by position.

Core's own execution costs more than the statement, so the ledger's statements are compiled from Core and run on the
driver. Each names its parameters in the order in which callers fill them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, insert, literal, select
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement

SQLITE: Dialect = pysqlite.dialect(paramstyle="qmark")


@functools.cache
def psycopg() -> Dialect:
    """How psycopg wants a statement. Made on first need: a store of one kind does without the other's dialect."""
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    return PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]


@functools.cache
def asyncpg() -> Dialect:
    """How asyncpg wants a statement."""
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

    return PGDialect_asyncpg()  # type: ignore[no-untyped-call]


def compiled(statement: ClauseElement, *parameters: str, dialect: Dialect = SQLITE) -> str:
    """A Core statement as SQL with positional marks.

    `parameters` are the names that the caller will fill the marks with, in order; a different order is a defect.
    """
    made = statement.compile(dialect=dialect)
    order = tuple(getattr(made, "positiontup", None) or ())
    if order != parameters:
        raise AssertionError(f"the marks of this statement are {order}, not {parameters}:\n{made}")
    return str(made)


def filled(statement: ClauseElement, dialect: Dialect) -> tuple[str, list[Any]]:
    """A Core statement that holds its own values: its SQL, and those values in order."""
    made = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(made), [made.params[name] for name in getattr(made, "positiontup", None) or ()]


@functools.cache
def insertion(table: Table, dialect: Dialect) -> str:
    """What inserts a row, filled in the order of the table's columns."""
    return compiled(insert(table), *table.c.keys(), dialect=dialect)


def inserted(table: Table, values: Mapping[str, object], *conditions: ColumnElement[bool]) -> Insert:
    """What inserts a row where the conditions hold."""
    row = select(*(literal(value, table.c[name].type) for name, value in values.items())).where(*conditions)
    return insert(table).from_select(list(values), row)


class Statement:
    """A statement to read with, for whichever store; `parameters` as for `compiled`."""

    def __init__(self, core: ClauseElement, *parameters: str) -> None:
        self._core, self._parameters = core, parameters

    @functools.cached_property
    def sqlite(self) -> str:
        return compiled(self._core, *self._parameters)

    @functools.cached_property
    def psycopg(self) -> str:
        return compiled(self._core, *self._parameters, dialect=psycopg())
