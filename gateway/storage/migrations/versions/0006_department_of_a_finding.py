"""A finding has the department of its requester: the review of an emergency is the department's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
additive = True


def upgrade() -> None:
    """Make the column. Findings from before have none: an overdue review suspends the client that it is of."""
    op.add_column("finding", sa.Column("department", sa.Text))
