"""Which versions may serve the store: the oldest step whose code knows enough of its tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
additive = True


def upgrade() -> None:
    """Make its table."""
    op.create_table(
        "store_version",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("readable_from", sa.Text, nullable=False),
    )
