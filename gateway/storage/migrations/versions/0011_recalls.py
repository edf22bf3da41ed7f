"""Recalls: what is to be selected, who has to answer, and what is to be delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
additive = True

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their tables."""
    named = ("scheme", "value", "dataset", "record", "version", "new_version", "consent", "issuer", "client", "purpose")
    op.create_table(
        "recall_job",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in (*named, "fields")),
        sa.Column("change", _number),
        sa.Column("at", _number, nullable=False),
        sa.Column("filed_in", _number, nullable=False),
        sa.Column("sizes", sa.Text),
        sa.Column("selected", _number),
        sa.Column("found", sa.Integer, nullable=False, server_default="0"),
    )
    waits = sa.text("state = 'waits'")
    op.create_index("recall_job_waits", "recall_job", ["at"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("recall_job_change", "recall_job", ["change"])
    op.create_index("recall_job_subject", "recall_job", ["scheme", "value"])
    op.create_table(
        "recall",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sequence", _number, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("job", "issuer", "client")),
        sa.Column("received_by", sa.Text),
        sa.Column("place", _number, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("inquiry", "purpose")),
        *(sa.Column(name, sa.Text) for name in ("scheme", "value")),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("records", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        *(sa.Column(name, _number, nullable=False) for name in ("at", "due")),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        *(sa.Column(name, _number) for name in ("delivered", "answered")),
        sa.Column("filed_in", _number, nullable=False),
        sa.Column("moved_in", _number),
        sa.UniqueConstraint("job", "place", "dataset"),
    )
    op.create_index("recall_of_client", "recall", ["issuer", "client", "sequence"])
    op.create_index("recall_of_place", "recall", ["place", "dataset"])
    op.create_index("recall_of_subject", "recall", ["scheme", "value"])
    still = sa.text("state IN ('open', 'overdue')")
    op.create_index("recall_due", "recall", ["due"], sqlite_where=still, postgresql_where=still)
    op.create_table(
        "recall_count",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("last", _number, nullable=False),
    )
    op.create_table(
        "work",
        *(
            sa.Column(name, sa.Text, primary_key=name == "id", nullable=False)
            for name in ("id", "kind", "what", "lane")
        ),
        sa.Column("due", _number, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease", _number, nullable=False, server_default="0"),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("work_due", "work", ["due"])
    op.create_index("work_lane", "work", ["lane", "due"])
