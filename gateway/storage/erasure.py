"""Requests to erase what the ledger says of a subject, and the holds that keep it.

Invariants: a row names its subject only while it is open, so nothing of a subject is left here once it was erased; a
subject has at most one open request. A row changes in the transaction of the entry that says so
(`gateway.ledger.erasure.erase`, `gateway.ledger.erasure.hold`), so what must not be fails inside it: a column that may
not be NULL would become so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Engine,
    Row,
    Table,
    Text,
    UniqueConstraint,
    and_,
    case,
    insert,
    select,
    update,
)
from sqlalchemy.sql import ClauseElement, ColumnElement

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
    return [Request._make(row) for row in _rows(engine, erasure)]


def one_request(engine: Engine, id_: str) -> Request | None:
    """The one of that id."""
    return next((Request._make(row) for row in _rows(engine, erasure, id_)), None)


def holds(engine: Engine) -> list[Hold]:
    """Every hold, oldest first."""
    return [Hold._make(row) for row in _rows(engine, hold)]


def one_hold(engine: Engine, id_: str) -> Hold | None:
    """The one of that id."""
    return next((Hold._make(row) for row in _rows(engine, hold, id_)), None)


def _rows(engine: Engine, table: Table, id_: str | None = None) -> Sequence[Row[Any]]:
    query = select(table).order_by(table.c.at, table.c.id)
    with engine.connect() as connection:
        return connection.execute(query if id_ is None else query.where(table.c.id == id_)).all()


def requesting(request: Request) -> ClauseElement:
    """Enter a request; a second open one of the subject fails."""
    return insert(erasure).values(request._asdict())


def withdrawing(id_: str, by: str, at: int) -> ClauseElement:
    """Take an open request back; any other fails."""
    return closing(id_, "withdrawn", by, at)


def closing(id_: str, state: str, by: str, at: int, *free: ColumnElement[bool]) -> ClauseElement:
    """Close an open request as `state`; any other fails, and so does one that is not `free`."""
    closed = case((and_(erasure.c.state == "requested", *free), state))
    done = {"state": closed, "scheme": None, "value": None, "decided_at": at, "decided_by": by}
    return update(erasure).where(erasure.c.id == id_).values(done)


def placing(placed: Hold) -> ClauseElement:
    """Enter a hold."""
    return insert(hold).values(placed._asdict())


def lifting(id_: str, by: str, at: int) -> ClauseElement:
    """Lift an open hold; a lifted one fails."""
    lifted = {"at": case((hold.c.lifted_at.is_(None), hold.c.at)), "scheme": None, "value": None}
    return update(hold).where(hold.c.id == id_).values(lifted | {"lifted_at": at, "lifted_by": by})
