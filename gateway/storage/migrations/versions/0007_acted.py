"""The projection of who, of a requester's officials, asked. Entries from before are projected once a gateway runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
additive = True


def upgrade() -> None:
    """Make its table."""
    op.create_table(
        "acted",
        sa.Column("requester", sa.Integer, sa.ForeignKey("requester.id"), primary_key=True),
        sa.Column("official", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
