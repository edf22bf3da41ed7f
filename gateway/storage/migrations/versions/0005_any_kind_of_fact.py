"""A fact may be of any kind: `gateway.storage.subjects.kinds` defines which kinds there are."""

from __future__ import annotations

import re

from alembic import op

revision = "0005"
down_revision = "0004"
additive = False


def upgrade() -> None:
    """Drop the check of the kind. SQLite drops none, so there the table is written anew without it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE fact DROP CONSTRAINT IF EXISTS fact_kind_check")
        return
    execute = op.get_bind().exec_driver_sql
    made, *indexes = execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'fact' AND sql IS NOT NULL ORDER BY type DESC"
    ).scalars()
    execute("ALTER TABLE fact RENAME TO fact_before")
    execute(re.sub(r" CHECK \(kind IN \([^)]*\)\)", "", made))
    execute("INSERT INTO fact SELECT * FROM fact_before")
    execute("DROP TABLE fact_before")
    for index in indexes:
        execute(index)
