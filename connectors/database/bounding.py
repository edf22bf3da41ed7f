"""How many bytes a database may hand over for one statement, however few its rows are.

SQLite reads in this process: a limit of the connection refuses a value before it is read (`opening`), and what is read
is counted. The client of a server has a value in memory before anybody can look at it, so PostgreSQL and MariaDB count
first and send nulls in place of too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from connectors.database import mariadb

MOST = 2**20
"""Bytes, where the configuration says nothing else."""

_TOTAL, _ROW = "all bytes", "bytes of a row"  # no column of a configuration can be called so


def bounded(select: sa.Select[Any], most: int, dialect: str, order: Sequence[int] = ()) -> sa.Select[Any]:
    """The statement for `read`, with the same columns first; `order` names those by which its rows are sorted."""
    if dialect == "sqlite":
        return select
    columns: list[sa.ColumnElement[Any]] = list(select.selected_columns)
    allowed: sa.ColumnClause[int] = sa.literal_column(str(most))
    if dialect == "mariadb":
        # It copies what a statement holds by the way, each time, however large: what is too large is left out at once.
        row = _sum([_as_sent(column, allowed) for column in columns])
        columns = [sa.case((sa.func.octet_length(column) <= allowed, column)) for column in columns]
        held = select.with_only_columns(*_labelled(columns), row.label(_ROW)).subquery("held")
        *inner, row = held.c
    else:
        held = select.with_only_columns(*_labelled(columns)).subquery("held")
        inner = list(held.c)
        row = _sum([sa.func.octet_length(sa.cast(column, sa.Text)) for column in inner])
    counted = sa.select(*inner, sa.func.sum(row).over().label(_TOTAL)).subquery("counted")
    *values, total_column = counted.c
    fits = total_column <= allowed
    return sa.select(
        *(sa.case((fits, value), else_=sa.null()).label(value.name) for value in values), total_column
    ).order_by(*(values[n] for n in order))


def _labelled(columns: Sequence[sa.ColumnElement[Any]]) -> list[sa.Label[Any]]:
    return [column.label(f"c{n}") for n, column in enumerate(columns)]


def _as_sent(column: sa.ColumnElement[Any], allowed: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """A value's bytes as MariaDB sends them: text in UTF-8, whatever its column's characters. What is too large is not
    made into UTF-8 to know that, and bytes that are no text (NULL then) are sent as they are."""
    kept = sa.func.octet_length(column)
    sent = sa.func.octet_length(mariadb.characters(column))
    return sa.case((kept > allowed, kept), else_=sa.func.greatest(kept, sa.func.coalesce(sent, 0)))


def _sum(sizes: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    counted = [sa.func.coalesce(size, 0) for size in sizes]
    return sum(counted[1:], counted[0])


def read(
    connection: sa.Connection, statement: sa.Select[Any], parameters: Mapping[str, Any], most: int
) -> Sequence[Any] | None:
    """The rows of a `bounded` statement; `None` where they have more than `most` bytes. Raises `SQLAlchemyError`."""
    result = connection.execute(statement, parameters)
    if connection.dialect.name != "sqlite":
        rows = result.all()
        return None if rows and rows[0][-1] > most else rows
    rows, left = [], most
    for row in result:
        left -= sum([len(value) for value in row if isinstance(value, str | bytes)])
        if left < 0:
            result.close()
            return None
        rows.append(row)
    return rows
