"""What the transparency report counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
additive = True


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "transparency_count",
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("department", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("many", sa.BigInteger, nullable=False),
        sa.Column("took", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "transparency_place",
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "transparency_month",
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("checkpoints", sa.Text, nullable=False),
    )
