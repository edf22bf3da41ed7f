"""Requests to erase what the ledger says of a subject, and the holds that keep it.

Invariants: a row names its subject only while it is open, so nothing of a subject is left here once it was erased; a
subject has at most one open request. A row changes in the transaction of the entry that says so
(`gateway.ledger.erasure.erase`, `gateway.ledger.erasure.hold`), so what must not be fails inside it: a column that may
not be NULL would become so.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Engine,
    Table,
    Text,
    UniqueConstraint,
    case,
    insert,
    select,
    update,
)
from sqlalchemy.sql import ClauseElement

from gateway.storage.tables import metadata

erasure = Table(
    "erasure",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scheme", Text),
    Column("value", Text),
    Column("at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("account", Text, nullable=False),  # the operating system's, of whoever requested it
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),  # requested, done, withdrawn
    Column("decided_at", BigInteger),
    Column("decided_by", Text),
    UniqueConstraint("scheme", "value"),
    CheckConstraint("(value IS NOT NULL) = (state = 'requested')"),
)

hold = Table(
    "hold",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scheme", Text),
    Column("value", Text),
    Column("at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", Text),
    CheckConstraint("(value IS NOT NULL) = (lifted_at IS NULL)"),
)


class Request(NamedTuple):
    """An `erasure` row."""

    id: str
    scheme: str | None
    value: str | None
    at: int
    by: str
    account: str
    reason: str
    state: str
    decided_at: int | None
    decided_by: str | None

    @property
    def subject(self) -> tuple[str, str] | None:
        """Scheme and value, while it is open."""
        return None if self.scheme is None or self.value is None else (self.scheme, self.value)


class Hold(NamedTuple):
    """A `hold` row."""

    id: str
    scheme: str | None
    value: str | None
    at: int
    by: str
    reason: str
    lifted_at: int | None
    lifted_by: str | None

    @property
    def subject(self) -> tuple[str, str] | None:
        """Scheme and value, while it is open."""
        return None if self.scheme is None or self.value is None else (self.scheme, self.value)


def requests(engine: Engine) -> list[Request]:
    """Every request, oldest first."""
    with engine.connect() as connection:
        return [Request._make(row) for row in connection.execute(select(erasure).order_by(erasure.c.at, erasure.c.id))]


def one_request(engine: Engine, id_: str) -> Request | None:
    """The one of that id."""
    with engine.connect() as connection:
        row = connection.execute(select(erasure).where(erasure.c.id == id_)).one_or_none()
    return None if row is None else Request._make(row)


def holds(engine: Engine) -> list[Hold]:
    """Every hold, oldest first."""
    with engine.connect() as connection:
        return [Hold._make(row) for row in connection.execute(select(hold).order_by(hold.c.at, hold.c.id))]


def one_hold(engine: Engine, id_: str) -> Hold | None:
    """The one of that id."""
    with engine.connect() as connection:
        row = connection.execute(select(hold).where(hold.c.id == id_)).one_or_none()
    return None if row is None else Hold._make(row)


def requesting(request: Request) -> ClauseElement:
    """Enter a request; a second open one of the subject fails."""
    return insert(erasure).values(request._asdict())


def withdrawing(id_: str, by: str, at: int) -> ClauseElement:
    """Take an open request back; any other fails."""
    state = case((erasure.c.state == "requested", "withdrawn"))
    done = {"state": state, "scheme": None, "value": None, "decided_at": at, "decided_by": by}
    return update(erasure).where(erasure.c.id == id_).values(done)


def placing(placed: Hold) -> ClauseElement:
    """Enter a hold."""
    return insert(hold).values(placed._asdict())


def lifting(id_: str, by: str, at: int) -> ClauseElement:
    """Lift an open hold; a lifted one fails."""
    lifted = {"at": case((hold.c.lifted_at.is_(None), hold.c.at)), "scheme": None, "value": None}
    return update(hold).where(hold.c.id == id_).values(lifted | {"lifted_at": at, "lifted_by": by})
