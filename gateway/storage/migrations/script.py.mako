"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
additive = False


def upgrade() -> None:
    """Do the step."""
    ${upgrades if upgrades else "pass"}
