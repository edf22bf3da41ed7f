"""What is made of the ledger behind it: who looked at a subject, who received which records, who asked for what.

A subject stands here by the id of its key alone, so that nothing is left of it once its key was destroyed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text

from gateway.storage.tables import metadata

projected = Table(
    "projected",
    metadata,
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),  # the index of the first entry that is not projected yet
)

looked = Table(
    "looked",
    metadata,
    Column("subject", BigInteger, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

received = Table(
    "received",
    metadata,
    Column("subject", BigInteger, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    Column("requester", Integer, ForeignKey("requester.id"), nullable=False),
    Column("facts", BigInteger),  # the change number of the facts that it was decided from
    Column("fields", Text, nullable=False),  # a JSON list of the catalogue's names
    Column("records", Text, nullable=False),  # a JSON list of `<record id>@<version>`
    sqlite_with_rowid=False,
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

raced = Table(
    "raced",
    metadata,
    Column("change", BigInteger, primary_key=True),  # a change of facts that came after those of the entry
    Column("entry", BigInteger, primary_key=True),
    Column("subject", BigInteger, primary_key=True),
    Column("dataset", Text, primary_key=True),
    sqlite_with_rowid=False,
)
