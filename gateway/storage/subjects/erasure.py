"""Requests to erase what the ledger has about a subject, and the holds that keep it.

Invariants: a row names its subject only while it is open, so nothing of a subject is left here once it was erased; a
subject has at most one open request. A row changes in the transaction of the entry that says so, and only where it is
still as it was read (`Guarded`): by an act of `gateway.ledger.erasure.erase` or `gateway.ledger.erasure.hold`.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.sql import ClauseElement, ColumnElement

from gateway.storage.port import Guarded
from gateway.storage.sealing.columns import Words
from gateway.storage.statement import inserted
from gateway.storage.tables import OFFICIAL, SUBJECT, metadata

erasure = Table(
    "erasure",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scheme", Text),
    Column("value", SUBJECT),
    Column("at", BigInteger, nullable=False),
    Column("by", OFFICIAL, nullable=False),
    Column("account", OFFICIAL, nullable=False),  # the operating system's, of whoever requested it
    Column("reason", Words("erasure.reason"), nullable=False),
    Column("state", Text, nullable=False),  # requested, done, withdrawn
    Column("decided_at", BigInteger),
    Column("decided_by", OFFICIAL),
    UniqueConstraint("scheme", "value"),
    CheckConstraint("(value IS NOT NULL) = (state = 'requested')"),
)

hold = Table(
    "hold",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scheme", Text),
    Column("value", SUBJECT),
    Column("at", BigInteger, nullable=False),
    Column("by", OFFICIAL, nullable=False),
    Column("reason", Words("hold.reason"), nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", OFFICIAL),
    CheckConstraint("(value IS NOT NULL) = (lifted_at IS NULL)"),
)


_REQUESTS = select(erasure).order_by(erasure.c.at, erasure.c.id)
_HOLDS = select(hold).order_by(hold.c.at, hold.c.id)


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
        return [Request._make(row) for row in connection.execute(_REQUESTS)]


def one_request(connection: Connection, id_: str) -> Request | None:
    """The one of that id."""
    row = connection.execute(_REQUESTS.where(erasure.c.id == id_)).first()
    return None if row is None else Request._make(row)


def waiting_request(connection: Connection, scheme: str, value: str) -> Request | None:
    """The open one of a subject."""
    row = connection.execute(_REQUESTS.where(erasure.c.scheme == scheme, erasure.c.value == value)).first()
    return None if row is None else Request._make(row)


def holds(engine: Engine) -> list[Hold]:
    """Every hold, oldest first."""
    with engine.connect() as connection:
        return [Hold._make(row) for row in connection.execute(_HOLDS)]


def one_hold(connection: Connection, id_: str) -> Hold | None:
    """The one of that id."""
    row = connection.execute(_HOLDS.where(hold.c.id == id_)).first()
    return None if row is None else Hold._make(row)


def requesting(request: Request) -> Guarded:
    """Enter a request; where its subject has an open one, its group is a `Conflict`."""
    other = select(erasure.c.id).where(erasure.c.scheme == request.scheme, erasure.c.value == request.value)
    return Guarded(inserted(erasure, request._asdict(), ~other.exists()))


def closing(id_: str, state: str, by: str, at: int, *free: ColumnElement[bool]) -> Guarded:
    """Close an open request as `state`, where it is `free`; otherwise its group is a `Conflict`."""
    done = {"state": state, "scheme": None, "value": None, "decided_at": at, "decided_by": by}
    return Guarded(update(erasure).where(erasure.c.id == id_, erasure.c.state == "requested", *free).values(done))


def placing(placed: Hold) -> ClauseElement:
    """Enter a hold."""
    return insert(hold).values(placed._asdict())


def lifting(id_: str, by: str, at: int) -> Guarded:
    """Lift an open hold; where it is not, its group is a `Conflict`."""
    lifted = {"scheme": None, "value": None, "lifted_at": at, "lifted_by": by}
    return Guarded(update(hold).where(hold.c.id == id_, hold.c.lifted_at.is_(None)).values(lifted))
