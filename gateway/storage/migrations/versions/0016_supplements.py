"""Supplements of the catalogue: definitions of datasets, and the steps by which each was consulted on and published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
additive = True


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "definition",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "supplement_step",
        sa.Column("filed_in", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("supplement", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, sa.ForeignKey("definition.digest"), nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("days", sa.Integer, nullable=False, server_default="0"),
        sa.Column("until", sa.Text),
        sa.Column("by", sa.LargeBinary),
    )
    op.create_index("supplement_step_of_dataset", "supplement_step", ["dataset"])
