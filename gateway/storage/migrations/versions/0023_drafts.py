"""Drafts of rule sets, and their simulations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
additive = True


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "draft",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("official", sa.Text, nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("files", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
    )
    op.create_index("draft_of", "draft", ["issuer", "official"])
    op.create_index("draft_used", "draft", ["used"])
    op.create_table(
        "draft_trial",
        sa.Column("draft", sa.Text, sa.ForeignKey("draft.id"), primary_key=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("told", sa.LargeBinary, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )
