"""What of shards is in an archive; the index of requesters outlives rows of entries that are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
additive = False

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table, and let the index do without rows of entries."""
    op.create_table(
        "archived",
        sa.Column("shard", sa.Integer, sa.ForeignKey("shard.id"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.BigInteger, nullable=False),
        sa.Column("manifest", sa.LargeBinary(32), nullable=False),
        sa.Column("place", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for key in sa.inspect(op.get_bind()).get_foreign_keys("entry_requester"):
            if key["referred_table"] == "entry":  # its name is not the same in every store
                op.drop_constraint(str(key["name"]), "entry_requester", type_="foreignkey")
        return
    op.rename_table("entry_requester", "entry_requester_before")
    op.create_table(
        "entry_requester",
        sa.Column("requester", sa.Integer, sa.ForeignKey("requester.id"), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("entry", _KEY, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO entry_requester SELECT * FROM entry_requester_before")
    op.drop_table("entry_requester_before")
