"""What may be displayed until when as a set, and the days of what was received beside it; `received` with row ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
additive = False


def upgrade() -> None:
    """Make the projections `displayed` and `received` anew, which a gateway fills from all entries."""
    op.drop_table("displayed")
    op.create_table(
        "displayed",
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("since", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("displayed_since", "displayed", ["dataset", "since", "subject", "day"])
    op.drop_table("received")
    op.create_table(
        "received",
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("requester", sa.Integer, sa.ForeignKey("requester.id"), nullable=False),
        sa.Column("facts", sa.BigInteger),
        sa.Column("shares", sa.LargeBinary, nullable=False),
    )
    op.execute("DELETE FROM raced")
    op.execute(
        "UPDATE projected SET next = 0, rebuilding ="
        " (SELECT NULLIF(shard.size, 0) FROM shard WHERE shard.id = projected.shard)"
        " WHERE projection IN ('displayed', 'received')"
    )
