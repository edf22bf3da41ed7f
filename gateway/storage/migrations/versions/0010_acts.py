"""Acts, the matters that they move, and how much each did in a day; and when a subject is shown that somebody looked.

For that the projection `looked` is made again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
additive = False

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their tables, and the one row that counts acts."""
    head = op.create_table(
        "act_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", _number, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0}])
    op.create_table(
        "act",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", _number, nullable=False, unique=True),
        sa.Column("at", _number, nullable=False),
        sa.Column("entry", _number, nullable=False),
        sa.Column("matter", sa.Text),
        sa.Column("repeat", sa.LargeBinary, unique=True),
        sa.Column("arguments", sa.LargeBinary),
    )
    op.create_index("act_entry", "act", ["entry"])
    words = ("scheme", "value", "department", "dataset", "record", "version", "access", "issuer", "client", "purpose")
    op.create_table(
        "matter",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in (*words, "fields", "until", "event", "new_version")),
        sa.Column("filed", _number, nullable=False),
        sa.Column("filed_by", sa.LargeBinary),
        sa.Column("due", sa.Text),
        sa.Column("provisional", sa.Integer, nullable=False, server_default="0"),
        sa.Column("calendar", sa.Text),
        sa.Column("second_due", sa.Text),
        sa.Column("told", sa.Integer, nullable=False, server_default="0"),
        sa.Column("decided", _number),
        sa.Column("decided_by", sa.LargeBinary),
        sa.Column("outcome", sa.Text),
        sa.Column("fact", sa.Text),
        sa.Column("filed_in", _number, nullable=False),
        sa.Column("moved_in", _number),
        sa.Column("decided_in", _number),
    )
    op.create_index("matter_of_subject", "matter", ["scheme", "value"])
    op.create_index("matter_of_department", "matter", ["department", "kind", "state", "filed"])
    op.create_index("matter_of_requester", "matter", ["issuer", "client", "kind", "filed"])
    still = sa.text("state IN ('open', 'awaits-confirmation')")
    op.create_index("matter_due", "matter", ["due"], sqlite_where=still, postgresql_where=still)
    systems = sa.text("event = 'withdrawn' AND filed_by IS NULL")
    op.create_index(
        "matter_of_systems", "matter", ["department", "filed"], sqlite_where=systems, postgresql_where=systems
    )
    op.create_table(
        "message",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("at", _number, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("refused", sa.Text, nullable=False),
    )
    op.create_index("message_at", "message", ["at"])
    upheld = sa.text("second_due IS NOT NULL")
    op.create_index("matter_second_due", "matter", ["second_due"], sqlite_where=upheld, postgresql_where=upheld)
    op.create_table(
        "act_count",
        sa.Column("whose", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("acts", sa.Integer, nullable=False),
    )
    op.add_column("looked", sa.Column("visible", sa.BigInteger))
    op.add_column("looked", sa.Column("named", sa.BigInteger))
    later = sa.text("visible IS NOT NULL")
    columns = ["subject", "visible", "entry"]
    op.create_index("looked_later", "looked", columns, sqlite_where=later, postgresql_where=later)
    projected = sa.table("projected", sa.column("projection"), sa.column("next"))
    op.execute(sa.update(projected).where(projected.c.projection == "looked").values(next=-1))
