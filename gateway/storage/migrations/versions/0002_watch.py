"""What the watch for improper inquiry keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
additive = False

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "watch_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", _KEY, nullable=False),
    )
    op.execute("INSERT INTO watch_head (id, version) VALUES (1, 0)")
    op.create_table(
        "watch_cursor",
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), primary_key=True, autoincrement=False),
        sa.Column("next", _KEY, nullable=False),
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("detector", sa.Text, nullable=False),
        sa.Column("article", sa.Text, nullable=False),
        sa.Column("at", _KEY, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("official", sa.Text),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.UniqueConstraint("pattern", "part"),
    )
    op.create_table(
        "finding_entry",
        sa.Column("finding", sa.Text, sa.ForeignKey("finding.id"), primary_key=True),
        sa.Column("entry", _KEY, sa.ForeignKey("entry.id"), primary_key=True, autoincrement=False),
    )
    op.create_table(
        "verdict",
        sa.Column("finding", sa.Text, sa.ForeignKey("finding.id"), primary_key=True),
        sa.Column("at", _KEY, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
