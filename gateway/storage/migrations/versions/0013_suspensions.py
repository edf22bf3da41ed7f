"""What follows for a recall that nobody answers: when, and the suspension that rests on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
additive = True


def upgrade() -> None:
    """Add the columns, and the indexes of the inbox and of the clocks."""
    op.add_column("recall", sa.Column("later", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))
    op.add_column("recall", sa.Column("suspension", sa.Text))
    for name, columns, where in (
        ("recall_inbox", ["issuer", "client", "sequence"], "state IN ('open', 'overdue')"),
        ("recall_untold", ["due"], "state = 'open'"),
        ("recall_later", ["later"], "later IS NOT NULL"),
        ("recall_of_suspension", ["suspension"], "suspension IS NOT NULL"),
    ):
        only = sa.text(where)
        op.create_index(name, "recall", columns, sqlite_where=only, postgresql_where=only)
