"""Requests to erase what the ledger says of a subject, and the holds that keep it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from gateway.storage.tables import metadata

erasure = Table(
    "erasure",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scheme", Text),  # NULL once it was carried out
    Column("value", Text),
    Column("at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),  # requested, done, withdrawn
    Column("decided_at", BigInteger),
    Column("decided_by", Text),
)

hold = Table(
    "hold",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scheme", Text),
    Column("value", Text),
    Column("at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", Text),
)
