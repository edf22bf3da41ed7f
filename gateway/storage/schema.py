"""The version of a store's tables: an empty store is made, an older one is refused until it is migrated, a newer one is
refused.

The steps are in `migrations/`. Invariants: `LATEST` is the number of the last step, and `MetaData` is what the steps
give (both tested, on both databases). A migration is one transaction, and two processes that find the store empty make
it once. Alembic is loaded only to migrate: a start on a store that is up to date does without.
"""

from __future__ import annotations

import importlib.resources
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect, text

LATEST = "0026"
FIRST = "0001"
"""Stores of version 0.1 have the tables of this step, and no record of it."""

_LOCK = 0x6475_7479


class Version(NamedTuple):
    """Where a store stands: `number` of the last step done, None for an empty store; `known` to this version.

    `others` is a table of another program, in a file that has none of ours.
    """

    number: str | None
    known: bool
    others: str = ""

    def newer(self) -> str:
        """Why a store that is not `known` is refused, and what to do."""
        return (
            f"its tables are of step {self.number}, made by a newer version of the gateway, and this one knows {LATEST}"
            " and no later; use the newer version"
        )

    def foreign(self) -> str:
        """Why a file of another program is refused, and what to do."""
        return f"it is another program's: it has a table `{self.others}`, and none of ours; name a file for the gateway"


def version(connection: Connection) -> Version:
    """Where a store stands. A PostgreSQL database may have tables of others (extensions make some); a file is ours."""
    names = set(inspect(connection).get_table_names())
    if names and "shard" not in names and connection.dialect.name == "sqlite":
        return Version(None, True, min(names))
    if "alembic_version" in names:
        number = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return Version(number, number is None or number <= LATEST)
    return Version(FIRST if "shard" in names else None, True)


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the tables to `LATEST`; gives the number before and after. Raises `LookupError` for one not ours."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a table is gone through as long as it takes
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        else:
            connection.exec_driver_sql("PRAGMA user_version = 0")  # a write: whoever comes second waits here
        before = version(connection)
        if before.others:
            raise LookupError(before.foreign())
        if not before.known:
            raise LookupError(before.newer())
        if before.number != LATEST:
            _upgrade(connection, before)
    return before.number, LATEST


def _upgrade(connection: Connection, before: Version) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("gateway.storage") / "migrations"))
    config.attributes["connection"] = connection
    if before.number == FIRST and "alembic_version" not in inspect(connection).get_table_names():
        command.stamp(config, FIRST)
    command.upgrade(config, "head")
