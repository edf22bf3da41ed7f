"""Findings about departments' systems: what of them does not fit, since when, and until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
additive = True


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "source_finding",
        sa.Column("filed_in", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("finding", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("ended_in", sa.BigInteger),
    )
    op.create_index("source_finding_at", "source_finding", ["at", "finding"])
