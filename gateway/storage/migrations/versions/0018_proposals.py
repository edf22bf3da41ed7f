"""Proposals of rule sets, and who approved them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
additive = True


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "proposal",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, sa.ForeignKey("rule_set.digest"), nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("base_epoch", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("author", sa.LargeBinary, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("widens", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("lapses", sa.BigInteger, nullable=False),
        sa.Column("noted", sa.BigInteger),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("filed_in", sa.BigInteger, nullable=False),
        sa.Column("checked_in", sa.BigInteger),
        sa.Column("noted_in", sa.BigInteger),
        sa.Column("moved_in", sa.BigInteger),
    )
    waits = sa.text("state IN ('draft', 'checked', 'simulated')")
    op.create_index("proposal_waits", "proposal", ["at"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "approval",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("proposal", sa.Text, sa.ForeignKey("proposal.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("people", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("filed_in", sa.BigInteger, nullable=False),
    )
    op.create_index("approval_of", "approval", ["proposal"])
