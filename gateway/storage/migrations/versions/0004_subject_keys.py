"""Keys that belong to subjects, erasures and holds, and the projections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
additive = True

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their tables, and the columns that the entries have of them."""
    op.add_column("shard", sa.Column("erasures", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("entry", sa.Column("subjects", sa.LargeBinary))
    op.create_table(
        "subject_key",
        sa.Column("id", _KEY, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), nullable=False),
        sa.Column("scheme", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("secret", sa.LargeBinary(32)),
        sa.UniqueConstraint("scheme", "value", "shard"),
    )
    _erasures()
    _projections()


def _erasures() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scheme", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("decided_by", sa.Text),
        sa.UniqueConstraint("scheme", "value"),
        sa.CheckConstraint("(value IS NOT NULL) = (state = 'requested')"),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scheme", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", sa.Text),
        sa.CheckConstraint("(value IS NOT NULL) = (lifted_at IS NULL)"),
    )


def _projections() -> None:
    ended = sa.text("ended IS NOT NULL")
    op.create_index("fact_ended", "fact", ["scheme", "value"], sqlite_where=ended, postgresql_where=ended)
    op.create_table(
        "projected",
        sa.Column("projection", sa.Text, primary_key=True),
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("rebuilding", sa.BigInteger),
    )
    op.create_table(
        "looked",
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "received",
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("requester", sa.Integer, sa.ForeignKey("requester.id"), nullable=False),
        sa.Column("facts", sa.BigInteger),
        sa.Column("shares", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "asked",
        sa.Column("requester", sa.Integer, sa.ForeignKey("requester.id"), primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "raced",
        sa.Column("change", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("dataset", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
