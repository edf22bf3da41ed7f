"""The tables of version 0.1: the ledger's, and the facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
additive = False

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
    )
    op.create_table(
        "period_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary(32)),
        sa.UniqueConstraint("shard", "period"),
    )
    op.create_table(
        "entry",
        sa.Column("id", _KEY, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.Column("period", sa.Integer, sa.ForeignKey("period_key.id"), nullable=False),
        sa.Column("told", sa.LargeBinary, nullable=False),
        sa.Column("oversight", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subtree",
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), primary_key=True),
        sa.Column("level", sa.Integer, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "requester",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.UniqueConstraint("issuer", "client"),
    )
    op.create_table(
        "entry_requester",
        sa.Column("requester", sa.Integer, sa.ForeignKey("requester.id"), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", _KEY, sa.ForeignKey("entry.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fact_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("change", _KEY, nullable=False),
    )
    op.execute("INSERT INTO fact_head (id, change) VALUES (1, 0)")
    kinds = "kind IN ('consent', 'objection', 'withdrawal', 'restoration', 'opt-out')"
    op.create_table(
        "fact",
        sa.Column("change", _KEY, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, sa.CheckConstraint(kinds), nullable=False),
        sa.Column("scheme", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text),
        sa.Column("record", sa.Text),
        sa.Column("issuer", sa.Text),
        sa.Column("client", sa.Text),
        sa.Column("purpose", sa.Text),
        sa.Column("fields", sa.Text),
        sa.Column("until", sa.Text),
        sa.Column("at", _KEY, nullable=False),
        sa.Column("ended", _KEY),
        sa.Column("ended_at", _KEY),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text),
    )
    in_force = sa.text("ended IS NULL")
    op.create_index("fact_in_force", "fact", ["scheme", "value"], sqlite_where=in_force, postgresql_where=in_force)
