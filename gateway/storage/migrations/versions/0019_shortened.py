"""From when what was disclosed is displayed, how far shortened periods were noted, and jobs by that first day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
additive = False


def upgrade() -> None:
    """Make the projection `displayed` anew, which a gateway fills from all entries, a table, and the column of jobs."""
    op.drop_table("displayed")
    op.create_table(
        "displayed",
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("since", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("displayed_since", "displayed", ["dataset", "since", "subject", "day", "entry"])
    op.execute(
        "UPDATE projected SET next = 0, rebuilding ="
        " (SELECT NULLIF(shard.size, 0) FROM shard WHERE shard.id = projected.shard) WHERE projection = 'displayed'"
    )
    op.create_table(
        "display_period",
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("subject", sa.BigInteger, nullable=False),
    )
    op.add_column("recall_job", sa.Column("since", sa.Integer))
