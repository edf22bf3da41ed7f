"""Delivery: to whom nothing is sent any more, and what an operator was notified of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
additive = True

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "delivery_stop",
        sa.Column("lane", sa.Text, primary_key=True),
        sa.Column("at", _number, nullable=False),
        sa.Column("filed_in", _number, nullable=False),
    )
    op.create_table(
        "alerted",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", _number, nullable=False),
    )
