"""Dry runs as they are stored: which candidate is tried beside the active rule set, and what every process counted.

Invariants: at most one is running, since each begins by an act that finds none; a row of `dry_run_count` only grows,
and names nobody: what it counts by is a department that asks, a purpose, and where a field stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Table, Text, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.storage.port import Guarded
from gateway.storage.tables import metadata

dry_run = Table(
    "dry_run",
    metadata,
    Column("id", Text, primary_key=True),  # its act's
    Column("digest", Text, ForeignKey("rule_set.digest"), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("filed_in", BigInteger, nullable=False),
)

dry_run_count = Table(
    "dry_run_count",
    metadata,
    Column("run", Text, ForeignKey("dry_run.id"), primary_key=True),
    Column("department", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("what", Text, primary_key=True),  # same, differs, unknown, missed; opens or closes, with what follows
    Column("dataset", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
)

_KEY = [column.name for column in dry_run_count.primary_key.columns]


class Run(NamedTuple):
    """A dry run; its times are in microseconds."""

    id: str
    digest: str
    since: int
    until: int
    ended: int | None


class Counted(NamedTuple):
    """What decisions are counted by. `dataset` and what follows are empty where whole decisions are counted."""

    department: str
    purpose: str
    what: str
    dataset: str = ""
    field: str = ""
    reason: str = ""
    rule: str = ""


_RUN = [dry_run.c[name] for name in Run._fields]


def running(connection: Connection, now: int) -> Run | None:
    """The dry run that is on at a time."""
    on = select(*_RUN).where(dry_run.c.ended.is_(None), dry_run.c.until > now)
    row = connection.execute(on.order_by(dry_run.c.since.desc()).limit(1)).first()
    return None if row is None else Run(*row)


def latest(connection: Connection) -> Run | None:
    """The one that began last."""
    row = connection.execute(select(*_RUN).order_by(dry_run.c.since.desc(), dry_run.c.id).limit(1)).first()
    return None if row is None else Run(*row)


def ended(id_: str, at: int) -> Guarded:
    """The change that ends one; it holds only where nobody ended it before."""
    return Guarded(update(dry_run).where(dry_run.c.id == id_, dry_run.c.ended.is_(None)).values(ended=at))


def add(connection: Connection, id_: str, counts: Mapping[Counted, int]) -> None:
    """Add what a process counted."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(dry_run_count)
    more = dry_run_count.c.decisions + insert.excluded.decisions
    adding = insert.on_conflict_do_update(index_elements=_KEY, set_={"decisions": more})
    rows = [{"run": id_, **counted._asdict(), "decisions": times} for counted, times in sorted(counts.items())]
    connection.execute(adding, rows)


def counts(connection: Connection, id_: str) -> dict[Counted, int]:
    """What all processes counted in one."""
    names = [dry_run_count.c[name] for name in (*Counted._fields, "decisions")]
    rows = connection.execute(select(*names).where(dry_run_count.c.run == id_))
    return {Counted(*row[:-1]): row[-1] for row in rows}
