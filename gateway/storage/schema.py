"""The version of a store's tables. An empty store is made, an older one is refused until it is migrated, and a newer
one is refused unless it records that this version may serve it.

The steps are in `migrations/`. Invariants: `LATEST` is the number of the last step, `READABLE_FROM` is what the steps
declare, and a store that is made at once is what the steps give (all tested, on both databases). A migration is one
transaction, and two processes that find the store empty make it once. It writes down the oldest step whose code may go
on serving the store: the steps after that one only add. Alembic is loaded only to migrate: a start on a store that is
empty or up to date does without.
"""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from gateway.errors import CommandRefused
from gateway.storage.tables import store_version

LATEST = "0028"
READABLE_FROM = "0028"
"""The oldest step whose code may serve a store of the latest one."""

FIRST = "0001"
"""Stores of version 0.1 have the tables of this step, and no record of it."""

_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    "postgresql": "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
    " AND relpersistence <> 't' AND relnamespace <> 'pg_catalog'::regnamespace",
}
_LOCK = 0x6475_7479
_PATIENCE, _TRIES, _REST = "500ms", 20, 0.5
"""How long a migration waits for a table, behind which who is served queues; how often it begins anew, and after how
many seconds: they go on meanwhile."""
_IN_USE = {"55P03", "40P01"}
"""PostgreSQL's codes for a lock that was not had in time, and for two that wait for each other."""


class Version(NamedTuple):
    """Where a store stands: `number` of the last step done, None for an empty store.

    `others` is a table of another program, in a file that has none of ours. `readable_from` is the oldest step whose
    code may serve the store, read where it stands at a later step than this version's.
    """

    number: str | None
    others: str = ""
    readable_from: str | None = None

    @property
    def later(self) -> bool:
        """Whether it stands at a step that this version does not know."""
        return self.number is not None and self.number > LATEST

    @property
    def known(self) -> bool:
        """Whether this version knows enough of its tables to serve it."""
        return not self.later or (self.readable_from is not None and self.readable_from <= LATEST)

    def newer(self) -> str:
        """Why a store that is not `known`, or is `later`, is refused, and what to do."""
        return (
            f"its tables are of step {self.number}, made by a newer version of the gateway, and this one knows {LATEST}"
            " and no later; use the newer version"
        )

    def served(self) -> str:
        """What is to be known where this version serves a store that is `later`."""
        return (
            f"the store's tables are of step {self.number}, made by a newer version of the gateway; this version knows"
            f" {LATEST}, and serves them until the newer one takes its place"
        )

    def foreign(self) -> str:
        """Why a file of another program is refused, and what to do."""
        return f"it is another program's: it has a table `{self.others}`, and none of ours; name a file for the gateway"


def names_of(connection: Connection) -> frozenset[str]:
    """The tables that there are, by one question to the catalogue: SQLAlchemy's own are half of what a start waits."""
    return frozenset(connection.exec_driver_sql(_NAMES[connection.dialect.name]).scalars())


def others_in(file: sqlite3.Connection) -> str:
    """A table of a SQLite file that is another program's; empty where it has ours, or none."""
    return _others(frozenset(name for (name,) in file.execute(_NAMES["sqlite"])))


def _others(names: frozenset[str]) -> str:
    return min(names) if names and "shard" not in names else ""


def version(connection: Connection) -> Version:
    """Where a store stands. A PostgreSQL database may have tables of others (extensions make some); a file is ours."""
    names = names_of(connection)
    if connection.dialect.name == "sqlite" and (others := _others(names)):
        return Version(None, others)
    if "alembic_version" not in names:
        return Version(FIRST if "shard" in names else None)
    found = Version(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none())
    if not found.later or store_version.name not in names:
        return found
    since = connection.execute(select(store_version.c.readable_from)).scalar_one_or_none()
    return found._replace(readable_from=since)


def refuse_later(engine: Engine) -> None:
    """Raises `CommandRefused` at a later step than this version's: there may be rows that it would not treat."""
    with engine.connect() as connection:
        found = version(connection)
    if found.later:
        raise CommandRefused(f"nothing was done: the store is not whole to this version, since {found.newer()}")


def migrate(engine: Engine, tables: MetaData) -> tuple[str | None, str]:
    """Bring the tables to `LATEST`, while gateways serve or not; gives the number before and after.

    `tables` are all of a store (`gateway.storage.whole`), of which an empty one is made.

    Raises `LookupError` for one not ours, or of a later step, and SQLAlchemy's.
    """
    for _ in range(_TRIES - 1):
        try:
            return _migrate(engine, tables)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _IN_USE:
                raise
        time.sleep(_REST)
    return _migrate(engine, tables)


def _migrate(engine: Engine, tables: MetaData) -> tuple[str | None, str]:
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a table is gone through as long as it takes
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
        else:
            connection.exec_driver_sql("PRAGMA user_version = 0")  # a write: whoever comes second waits here
        before = version(connection)
        if before.others:
            raise LookupError(before.foreign())
        if before.later:
            raise LookupError(before.newer())
        if before.number is None:
            _make(connection, tables)
        elif before.number != LATEST:
            _upgrade(connection, before)
    return before.number, LATEST


def _make(connection: Connection, tables: MetaData) -> None:
    tables.create_all(connection, checkfirst=False)
    connection.execute(insert(store_version).values(id=1, readable_from=READABLE_FROM))
    named = PrimaryKeyConstraint("version_num", name="alembic_version_pkc")  # as Alembic itself makes it
    steps = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False), named)
    steps.create(connection, checkfirst=False)
    connection.execute(insert(steps).values(version_num=LATEST))


def _upgrade(connection: Connection, before: Version) -> None:
    from alembic import command

    from gateway.storage.migrations.planning import configured, readable_from, scripts

    config = configured(connection)
    if before.number == FIRST and "alembic_version" not in names_of(connection):
        command.stamp(config, FIRST)
    command.upgrade(config, "head")
    oldest = readable_from((script.revision, script.module.additive) for script in scripts(config))
    connection.execute(delete(store_version))
    connection.execute(insert(store_version).values(id=1, readable_from=oldest))
