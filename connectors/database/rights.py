"""What an account may do beside reading: nothing, or a mistake here could reach the department's data.

A transaction that only reads keeps the gateway from writing; an account that cannot write keeps everybody from it who
has its password.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

Place = tuple[str | None, str]
"""A table or view: its schema, where it has one, and its name."""

_WRITING = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "DROP", "ALTER", "CREATE", "FILE", "SUPER")
_OF_TABLE = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
_OF_POSTGRESQL = sa.text("SELECT has_table_privilege(:place, :right)")
_OF_MARIADB = """
SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = {who} UNION
SELECT privilege_type FROM information_schema.schema_privileges WHERE grantee = {who} UNION
SELECT privilege_type FROM information_schema.table_privileges WHERE grantee = {who}
"""
_WHO = "CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))"


def beyond_reading(connection: sa.Connection, places: Sequence[Place]) -> list[str]:
    """The rights by which the account could write to these tables, or at all; none where it cannot be determined."""
    ask = {"postgresql": _postgresql, "mariadb": _mariadb}.get(connection.dialect.name)
    if ask is None:
        return []
    try:
        with connection.begin_nested():
            held = ask(connection, places)
    except SQLAlchemyError:
        return []
    return [right for right in _WRITING if right in held]


def _postgresql(connection: sa.Connection, places: Sequence[Place]) -> set[Any]:
    written = connection.dialect.identifier_preparer.format_table
    names = [written(sa.table(name, schema=schema)) for schema, name in places]
    return {
        right
        for right in _OF_TABLE
        if any(connection.scalar(_OF_POSTGRESQL, {"place": name, "right": right}) for name in names)
    }


def _mariadb(connection: sa.Connection, _places: Sequence[Place]) -> set[Any]:
    return set(connection.exec_driver_sql(_OF_MARIADB.format(who=_WHO)).scalars())
