"""Sessions of people at the pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
additive = True


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "console_session",
        sa.Column("id", sa.LargeBinary(32), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
    )
    op.create_index("console_session_ends", "console_session", ["ends"])
