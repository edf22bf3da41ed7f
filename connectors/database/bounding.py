"""How many bytes a database may hand over for one statement, however few its rows are.

SQLite reads in this process: a limit of the connection refuses a value before it is read (`opening`), and what is read
is counted. PostgreSQL's client has a value in memory before anybody can look at it, so the server counts first and
sends nulls in place of too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

MOST = 2**20
"""Bytes, where the configuration says nothing else."""

_TOTAL = "all bytes"  # no column of a configuration can be called so


def bounded(select: sa.Select[Any], most: int, sqlite: bool, order: Sequence[int] = ()) -> sa.Select[Any]:
    """The statement for `read`, with the same columns first; `order` says by which of them its rows are sorted."""
    if sqlite:
        return select
    columns = list(select.selected_columns)
    held = select.with_only_columns(*(column.label(f"c{n}") for n, column in enumerate(columns))).subquery("held")
    sizes = [sa.func.coalesce(sa.func.octet_length(sa.cast(column, sa.Text)), 0) for column in held.c]
    total = sa.func.sum(sum(sizes[1:], sizes[0])).over().label(_TOTAL)
    counted = sa.select(*held.c, total).subquery("counted")
    *values, total_column = counted.c
    fits = total_column <= sa.literal_column(str(most))
    return sa.select(
        *(sa.case((fits, value), else_=sa.null()).label(value.name) for value in values), total_column
    ).order_by(*(values[n] for n in order))


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
