"""What was published of each shard, and shards that nothing is entered in any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
additive = True


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "published",
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
    )
    op.create_table(
        "sealed",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("remembered", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("named_in", sa.Text),
    )
