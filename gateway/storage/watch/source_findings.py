"""Findings about departments' systems, as rows: what does not fit, since when, and until when.

A row is made in the transaction of the entry `filed_in`, and is changed once: the entry `ended_in` says that it is
over. `finding` is the same each time that the same does not fit; at most one row of it is open. No row has an
identifier or a value of a record. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Index, Table, Text, select, tuple_

from gateway.storage.tables import metadata

BEGAN, ENDED = "source-found", "source-fits"
"""What the acts are called that begin a row, and that end one."""

source_finding = Table(
    "source_finding",
    metadata,
    Column("filed_in", BigInteger, primary_key=True, autoincrement=False),  # the entry that says so
    Column("finding", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("dataset", Text, nullable=False),  # empty: of the department as a whole
    Column("kind", Text, nullable=False),
    Column("what", Text, nullable=False),  # names of fields, keys and counts
    Column("at", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("ended_in", BigInteger),
    Index("source_finding_at", "at", "finding"),
)


class SourceFinding(NamedTuple):
    """A `source_finding` row, in the order of its columns."""

    filed_in: int
    finding: str
    department: str
    dataset: str
    kind: str
    what: str
    at: int
    ended: int | None
    ended_in: int | None


def findings(
    connection: Connection,
    departments: Collection[str] | None = None,
    *,
    over: bool = False,
    after: tuple[int, str] | None = None,
    first: int | None = None,
) -> list[SourceFinding]:
    """Those of these departments, or of all, the newest first; those that are `over` too where that is asked for.

    At most `first` of them, behind the row of this time and finding (`after`).
    """
    of = source_finding.c
    query = select(source_finding).order_by(of.at.desc(), of.finding.desc()).limit(first)
    if departments is not None:
        query = query.where(of.department.in_(sorted(departments)))
    if not over:
        query = query.where(of.ended.is_(None))
    if after is not None:
        query = query.where(tuple_(of.at, of.finding) < after)
    return [SourceFinding._make(row) for row in connection.execute(query)]
