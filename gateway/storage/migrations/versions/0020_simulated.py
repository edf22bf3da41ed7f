"""Which entry records that a proposal was simulated, and which `sources.yaml` a process goes by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
additive = True


def upgrade() -> None:
    """Add their columns."""
    op.add_column("proposal", sa.Column("simulated_in", sa.BigInteger))
    op.add_column("replica", sa.Column("sources", sa.Text))
