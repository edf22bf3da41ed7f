"""Dry runs: which candidate is tried beside the active rule set, and what was counted of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
additive = True


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "dry_run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, sa.ForeignKey("rule_set.digest"), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("filed_in", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dry_run_count",
        sa.Column("run", sa.Text, sa.ForeignKey("dry_run.id"), primary_key=True),
        sa.Column("department", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("field", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("decisions", sa.BigInteger, nullable=False),
    )
