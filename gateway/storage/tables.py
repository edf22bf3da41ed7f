"""The tables of the ledger, and the `metadata` that every table of the project is declared on.

Invariants: an `entry` row is never changed once committed, and only goes once an archive has it (`archived`); a `shard`
row changes only by compare-and-swap of its head. Readable payloads stand encrypted beside their leaf. What they have
of a subject opens with a key of `subject_key`, one per subject and shard, the rest with one of `period_key`; a key can
be destroyed (its row emptied, the id kept) without touching a proof. Whoever destroys a subject's key raises `erasures`
of that shard in the same transaction, and every swap of the head names it: so nothing is ever entered under a key that
is gone. `entry_requester` is an index that can be rebuilt from the entries. A shard with a row in `sealed` never gets
another entry.

An entry's id is `shard << 40 | index`, so a shard's entries are one range of the primary key, in order.
All times are whole microseconds since 1970-01-01T00:00Z.
"""

from __future__ import annotations

import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint
from sqlalchemy.types import TypeEngine

from gateway.storage.sealing.columns import Name, Secret

metadata = MetaData()

_key: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite makes a primary key its row id only when the type is INTEGER."""

SUBJECT = Name("subject")
"""The type of every column that holds the identifier of a subject."""

OFFICIAL = Name("official")
"""The type of every column that names an official, or another person, as those are looked for."""

RECORD, VERSION = Name("record"), Name("version")
"""The types of every column that holds a record's id or version, as a department has them: they may be made of what the
record says."""

SHARD_BITS = 40

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def micros(at: datetime.datetime) -> int:
    """An aware time as whole microseconds since the epoch."""
    return (at - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime.datetime:
    """The inverse of `micros`, in UTC."""
    return _EPOCH + value * _MICROSECOND


shard = Table(
    "shard",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),  # the checkpoint's first line: `<ledger origin>/<name>`
    Column("verifier", Text, nullable=False),  # the signed-note verifier key of whoever signs now
    Column("epoch", BigInteger, nullable=False),  # raised by each process that takes the shard
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("floor", BigInteger, nullable=False),  # the highest time of any entry
    Column("checkpoint", Text, nullable=False),  # the signed note for exactly this size and root
    Column("erasures", BigInteger, nullable=False, server_default="0"),  # raised when a subject's key is destroyed
)

entry = Table(
    "entry",
    metadata,
    Column("id", _key, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),  # the shard's floor after this entry: never falls along the index
    Column("leaf", LargeBinary(32), nullable=False),
    Column("period", Integer, ForeignKey("period_key.id"), nullable=False),
    Column("told", LargeBinary, nullable=False),  # sealed: see `gateway.ledger.stored.encryption`
    Column("oversight", LargeBinary, nullable=False),
    Column("subjects", LargeBinary),  # what it says of each subject, sealed; NULL in an entry of version 1
)

subtree = Table(
    "subtree",
    metadata,
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True),
    Column("level", Integer, primary_key=True),  # of tlog-tiles, from 1: the hash of a full tile one level below
    Column("position", BigInteger, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

published = Table(
    "published",
    metadata,
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),  # renewed even while nothing is entered
    Column("size", BigInteger, nullable=False),  # never falls
    Column("checkpoint", Text, nullable=False),  # the signed note as readers and witnesses see it, with cosignatures
)

sealed = Table(
    "sealed",
    metadata,
    Column("name", Text, primary_key=True),  # a shard's, whether the store still has it or not
    Column("at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # what the store had of it
    Column("root", LargeBinary(32), nullable=False),
    Column("remembered", Text, nullable=False),  # the signed checkpoint that the store should have had
    Column("by", Text, nullable=False),  # who remembered it
    Column("named_in", Text),  # the shard whose entry names the gap; NULL until it does
)

archived = Table(
    "archived",
    metadata,
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # entries that the archive has, from the first on
    Column("removed", BigInteger, nullable=False),  # of these, rows may be gone below this index
    Column("manifest", LargeBinary(32), nullable=False),  # SHA-256 of what says what the archive has
    Column("place", Text, nullable=False),  # where it was put
)

period_key = Table(
    "period_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("shard", Integer, ForeignKey("shard.id"), nullable=False),
    Column("period", Text, nullable=False),  # the UTC day that it seals, `YYYY-MM-DD`; see also `verify.stretch`
    Column("secret", Secret("period_key.secret")),  # 32 bytes; NULL once destroyed
    UniqueConstraint("shard", "period"),
)

subject_key = Table(
    "subject_key",
    metadata,
    Column("id", _key, primary_key=True, autoincrement=False),  # random: it stands for the subject in its entries
    Column("shard", Integer, ForeignKey("shard.id"), nullable=False),
    Column("scheme", Text),  # this and what follows is NULL once destroyed
    Column("value", SUBJECT),
    Column("secret", Secret("subject_key.secret")),
    UniqueConstraint("scheme", "value", "shard"),
)

requester = Table(
    "requester",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("client", Text, nullable=False),
    UniqueConstraint("issuer", "client"),
)

entry_requester = Table(
    "entry_requester",
    metadata,
    Column("requester", Integer, ForeignKey("requester.id"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", _key, primary_key=True),  # whether its row is there or in the archive
    sqlite_with_rowid=False,
)

store_version = Table(
    "store_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("readable_from", Text, nullable=False),  # the oldest step whose code may serve the store
)

store_secret = Table(
    "store_secret",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("state", Text, nullable=False),  # sealing, sealed, renaming: `gateway.storage.keys.secret`
    Column("name", Text, nullable=False),  # what the key that wraps `root` is called
    Column("root", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
