"""Which answers did not leave, with the projection `acted`, which is made again: it also has who named no official."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
additive = False


def upgrade() -> None:
    """Make its table, and have `acted` begin anew once a gateway runs."""
    op.create_table(
        "not_released",
        sa.Column("entry", sa.BigInteger, primary_key=True),
        sa.Column("by", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    projected = sa.table("projected", sa.column("projection"), sa.column("next"))
    op.execute(sa.update(projected).where(projected.c.projection == "acted").values(next=-1))
