"""Where databases differ in the text of a statement, and in what their rows hold."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from connectors.database import mariadb

NO_BOOLEAN = frozenset({"sqlite", "mariadb"})
"""Databases without a boolean of their own: 0 and 1 stand for it."""


def compared(column: sa.ColumnElement[Any], dialect: str) -> tuple[sa.ColumnElement[Any], ...]:
    """What has to equal a text, all of it, for the column to be that text, character by character."""
    return (column, mariadb.exactly(column)) if dialect == "mariadb" else (column,)
