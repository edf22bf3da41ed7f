"""The projection that inquiries are counted by. Entries from before are projected once a gateway runs."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
additive = True


def upgrade() -> None:
    """Make its table, and the one row of what it is made with."""
    op.create_table(
        "counted",
        sa.Column("subject", sa.BigInteger, primary_key=True),
        sa.Column("requester", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("inquiry", sa.BigInteger, nullable=False),
        sa.Column("official", sa.BigInteger),
        sa.Column("about_case", sa.BigInteger),
        sa.Column("retry", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("counted_requester", "counted", ["requester", "at"])
    op.create_index("counted_official", "counted", ["official", "at"])
    counting = op.create_table(
        "counting",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counting, [{"id": 1, "secret": secrets.token_bytes(32), "days": 1, "generation": 0}])
