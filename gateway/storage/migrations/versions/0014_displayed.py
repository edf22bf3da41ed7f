"""Until when what was disclosed may be displayed, as a projection, and how far that was noted; jobs by selection."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
additive = True


def upgrade() -> None:
    """Make its table, which a gateway fills from all entries, and the column and index of jobs."""
    op.create_table(
        "displayed",
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    head = op.create_table(
        "expiry_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("subject", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "day": 0, "dataset": "", "subject": -1}])
    op.add_column("recall_job", sa.Column("day", sa.Integer))
    op.create_index("recall_job_selected", "recall_job", ["selected"])
