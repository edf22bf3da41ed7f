"""The tables of the ledger's projections (`gateway.storage.projections.projecting` keeps them).

They record who looked at a subject, who received which records, who asked for what, which official it was, what counts
(`gateway.storage.projections.counted`), and until when what was disclosed may be displayed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, text

from gateway.storage.projections.counted import counted
from gateway.storage.sealing.columns import Secret
from gateway.storage.tables import OFFICIAL, metadata

NAMES = ("looked", "received", "asked", "acted", "counted", "displayed")
DROPPING = -1
WITHOUT_KEY = 0
"""Stands for every subject of the entries of version 1, which have no keys; they are opened to be told apart."""

NEVER = 1 << 62
"""Visible from: what its subject is not shown."""

UNENDING, UNKNOWN = (1 << 31) - 1, -(1 << 31)
"""Days of display: the last, where there is none; and the one that it counts from, where an entry does not tell."""

_LATER = text("visible IS NOT NULL")

projected = Table(
    "projected",
    metadata,
    Column("projection", Text, primary_key=True),
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),  # the index of the first entry that is not projected yet; or DROPPING
    Column("rebuilding", BigInteger),  # the index that it is built again up to; NULL once it is there
)

looked = Table(
    "looked",
    metadata,
    Column("subject", BigInteger, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    Column("visible", BigInteger),  # from when its subject is shown it; NULL: from `at`, as nearly all are; or NEVER
    Column("named", BigInteger),  # digest of the entry's id
    Index("looked_later", "subject", "visible", "entry", sqlite_where=_LATER, postgresql_where=_LATER),
    sqlite_with_rowid=False,
)

received = Table(
    "received",
    metadata,
    Column("subject", BigInteger, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    Column("requester", Integer, ForeignKey("requester.id"), nullable=False),
    Column("facts", BigInteger),  # the change number of the facts that it was decided from
    # JSON (`gateway.ledger.projections.extract`), of every dataset in one row.
    Column("shares", Secret("received.shares"), nullable=False),
)

asked = Table(
    "asked",
    metadata,
    Column("requester", Integer, ForeignKey("requester.id"), primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

acted = Table(
    "acted",
    metadata,
    Column("requester", Integer, ForeignKey("requester.id"), primary_key=True),
    Column("official", OFFICIAL, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

not_released = Table(
    "not_released",
    metadata,
    Column("entry", BigInteger, primary_key=True),  # whose answer did not leave
    Column("by", BigInteger, primary_key=True),  # the entry that says so
    sqlite_with_rowid=False,
)

raced = Table(
    "raced",
    metadata,
    Column("change", BigInteger, primary_key=True),  # a change of facts that came after those of the entry
    Column("entry", BigInteger, primary_key=True),
    Column("subject", BigInteger, primary_key=True),
    Column("dataset", Text, primary_key=True),
    sqlite_with_rowid=False,
)

displayed = Table(
    "displayed",
    metadata,
    Column("day", Integer, primary_key=True),  # the last day of display, in days since 1970-01-01; or UNENDING
    Column("dataset", Text, primary_key=True),
    Column("subject", BigInteger, primary_key=True),
    Column("since", Integer, primary_key=True),  # the day that it counts from; or UNKNOWN
    Index("displayed_since", "dataset", "since", "subject", "day"),
    sqlite_with_rowid=False,
)

TABLES: Mapping[str, tuple[Table, ...]] = {
    "looked": (looked,),
    "received": (received, raced),
    "asked": (asked,),
    "acted": (acted, not_released),
    "counted": (counted,),
    "displayed": (displayed,),
}
