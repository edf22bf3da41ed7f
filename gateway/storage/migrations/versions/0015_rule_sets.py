"""Rule sets: what stands in each, which was activated when, and which one each process serves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
additive = True


def upgrade() -> None:
    """Make their tables, and the column of the epoch that facts are read with."""
    op.create_table(
        "rule_set",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("files", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "activation",
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, sa.ForeignKey("rule_set.digest"), nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("proposal", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("filed_in", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "replica",
        sa.Column("shard", sa.Text, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("hindrance", sa.Text),
    )
    op.add_column("fact_head", sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"))
