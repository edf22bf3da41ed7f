"""What is known of subjects, as plain rows: consents, objections, withdrawals, restorations and opt-outs.

Arts. 23-25, 41(2), 42, 45-47. Each function writes one fact, or ends one, in one transaction. A row is in force until
`ended` is set and is otherwise never changed, so what was in force at any change number can be told afterwards.

Invariants: every write takes the next change number from the one row of `fact_head`, inside its own transaction; the
row's lock makes the order of numbers the order of commits, on any database, which a sequence would not. `FactSource`
answers from one statement, hence one snapshot, which holds the change number too.

Left to others: who may write which fact (`gateway.rights`), what facts mean for an inquiry (`gateway.inquiry.facts`).
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    Text,
    and_,
    event,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from connectors.base import Subject
from gateway.storage.tables import metadata, micros

Kind = Literal["consent", "objection", "withdrawal", "restoration", "opt-out"]

FactRow = tuple[int, str | None, str, str, str, str, str, str, str, str, str, str]
"""Change number; then one fact in force: kind, id, scheme, value, dataset, record, issuer, client, purpose, fields,
until. Without any fact there is one row, its kind `None`. What a kind has no use for is `None`."""

_number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

fact_head = Table(
    "fact_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("change", _number, nullable=False),  # the number of the last change committed
)
event.listen(fact_head, "after_create", DDL("INSERT INTO fact_head (id, change) VALUES (1, 0)"))  # type: ignore[no-untyped-call]

_IN_FORCE, _ENDED = text("ended IS NULL"), text("ended IS NOT NULL")

fact = Table(
    "fact",
    metadata,
    Column("change", _number, primary_key=True, autoincrement=False),  # the number of the change that made it
    Column("id", Text, nullable=False, unique=True),
    Column(
        "kind",
        Text,
        CheckConstraint("kind IN ('consent', 'objection', 'withdrawal', 'restoration', 'opt-out')"),
        nullable=False,
    ),
    Column("scheme", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("dataset", Text),
    Column("record", Text),  # the record's id within the dataset
    Column("issuer", Text),
    Column("client", Text),
    Column("purpose", Text),
    Column("fields", Text),  # of a consent, as JSON: dataset -> list of fields, or null for all
    Column("until", Text),  # `YYYY-MM-DD`: a consent's last day, the day an objection is to be decided by
    Column("at", _number, nullable=False),  # when it came into force, in microseconds since the epoch
    Column("ended", _number),  # the number of the change that ended it; NULL while in force
    Column("ended_at", _number),
    Column("outcome", Text),  # of an objection: upheld or refused
    Column("reason", Text),
    Index("fact_in_force", "scheme", "value", sqlite_where=_IN_FORCE, postgresql_where=_IN_FORCE),
    Index("fact_ended", "scheme", "value", sqlite_where=_ENDED, postgresql_where=_ENDED),
)


class Written(NamedTuple):
    """A fact that was written or ended: its id, and the number of the change."""

    id: str
    change: int


def grant_consent(
    engine: Engine,
    subject: Subject,
    *,
    issuer: str,
    client: str,
    purpose: str,
    datasets: Mapping[str, Iterable[str] | None],
    until: datetime.date,
    now: datetime.datetime,
) -> Written:
    """Record a consent to one requester and purpose; per dataset its fields, or `None` for all; `until` is included.

    Raises `ValueError` for a consent to nothing, which would otherwise read as one.
    """
    terms = {dataset: None if names is None else sorted(set(names)) for dataset, names in datasets.items()}
    if not terms or any(names == [] for names in terms.values()):
        raise ValueError("a consent names at least one dataset, and at least one field of each (or all)")
    return _add(
        engine,
        "consent",
        subject,
        now,
        issuer=issuer,
        client=client,
        purpose=purpose,
        fields=msgspec.json.encode(terms, order="sorted").decode(),
        until=until.isoformat(),
    )


def revoke_consent(engine: Engine, subject: Subject, consent: str, now: datetime.datetime) -> Written:
    """End the subject's own consent; raises `LookupError` where it has none of that id in force."""
    with engine.begin() as connection:
        return _end(connection, "consent", consent, now, subject=subject)


def open_objection(
    engine: Engine, subject: Subject, dataset: str, record: str, due: datetime.date, now: datetime.datetime
) -> Written:
    """Open an objection to one record; it is overdue from the day after `due` on."""
    return _add(engine, "objection", subject, now, dataset=dataset, record=record, until=due.isoformat())


def decide_objection(
    engine: Engine, objection: str, outcome: Literal["upheld", "refused"], reason: str, now: datetime.datetime
) -> Written:
    """Close an objection with its reason (Art. 45); raises `LookupError` where none of that id is open.

    What an upheld objection leads to, a correction or a withdrawal, is a change of its own.
    """
    if not reason.strip():
        raise ValueError("a decided objection states its reason")
    with engine.begin() as connection:
        return _end(connection, "objection", objection, now, outcome=outcome, reason=reason)


def withdraw(
    engine: Engine, subject: Subject, dataset: str, record: str, now: datetime.datetime, reason: str | None = None
) -> Written:
    """The department takes a record back (Art. 47(2)); it is withheld from then on."""
    return _add(engine, "withdrawal", subject, now, dataset=dataset, record=record, reason=reason)


def restore(
    engine: Engine, subject: Subject, dataset: str, record: str, now: datetime.datetime, reason: str | None = None
) -> Written:
    """The subject's restoration is granted for a record (Art. 46); it is withheld from then on."""
    return _add(engine, "restoration", subject, now, dataset=dataset, record=record, reason=reason)


def set_opt_out(
    engine: Engine, subject: Subject, dataset: str, opted_out: bool, now: datetime.datetime
) -> Written | None:
    """Say whether the subject's favourable records of a dataset are held back; `None` where it is so already."""
    in_force = (
        select(fact.c.id)
        .where(fact.c.kind == "opt-out", fact.c.dataset == dataset, fact.c.ended.is_(None))
        .where(fact.c.scheme == subject.scheme, fact.c.value == subject.value)
    )
    with engine.begin() as connection:
        change = _next(connection)
        found = connection.execute(in_force).scalar_one_or_none()
        if (found is not None) is opted_out:
            connection.rollback()  # nothing changed, so the number is not used up
            return None
        if found is not None:
            return _end(connection, "opt-out", found, now, change=change)
        return _insert(connection, "opt-out", subject, now, change, dataset=dataset)


def _next(connection: Connection) -> int:
    # First in its transaction: it takes the lock that every writer of facts waits for.
    statement = update(fact_head).where(fact_head.c.id == 1).values(change=fact_head.c.change + 1)
    return int(connection.execute(statement.returning(fact_head.c.change)).scalar_one())


def _add(engine: Engine, kind: Kind, subject: Subject, now: datetime.datetime, **columns: str | None) -> Written:
    with engine.begin() as connection:
        return _insert(connection, kind, subject, now, _next(connection), **columns)


def _insert(
    connection: Connection, kind: Kind, subject: Subject, now: datetime.datetime, change: int, **columns: str | None
) -> Written:
    written = Written(secrets.token_hex(16), change)
    row = {"change": change, "id": written.id, "kind": kind, "scheme": subject.scheme, "value": subject.value}
    connection.execute(fact.insert().values(**row, at=micros(now), **columns))
    return written


def _end(
    connection: Connection,
    kind: Kind,
    id: str,
    now: datetime.datetime,
    *,
    subject: Subject | None = None,
    change: int | None = None,
    **columns: str,
) -> Written:
    change = _next(connection) if change is None else change
    mine = and_(fact.c.id == id, fact.c.kind == kind, fact.c.ended.is_(None))
    if subject is not None:
        mine = and_(mine, fact.c.scheme == subject.scheme, fact.c.value == subject.value)
    done = connection.execute(update(fact).where(mine).values(ended=change, ended_at=micros(now), **columns))
    if done.rowcount != 1:
        raise LookupError(f"there is no {kind} `{id}` in force")
    return Written(id, change)


class FactSource:
    """Reads the facts in force by one statement on a connection of its own, straight through the driver.

    The statement is Core's, compiled once per power of two of subjects: Core's own execution costs ten times the
    query. A read takes microseconds (a look-up in an index, in memory) and never waits for a writer (WAL), so it runs
    where it is called. `connect` is `Store.connect`. Not for use by two threads at once.
    """

    BUSY_MS = 200

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._statements: dict[int, str] = {}

    def read(self, subjects: Iterable[tuple[str, str]]) -> list[FactRow]:
        """All facts in force of the named (scheme, value) pairs, each row with the change number of the snapshot.

        Raises `sqlite3.Error` where the store cannot be read; the next read begins on a new connection.
        """
        parameters: list[str] = []
        for pair in subjects:
            parameters += pair
        count = max(1, len(parameters) // 2)
        size = 1 << (count - 1).bit_length()
        parameters += (parameters[-2:] or ["", ""]) * (size - len(parameters) // 2)
        statement = self._statements.get(size) or self._compile(size)
        try:
            connection = self._connection or self._open()
            rows: list[FactRow] = connection.execute(statement, parameters).fetchall()
        except BaseException:
            self.close()
            raise
        return rows

    def close(self) -> None:
        """Release the connection; a later read opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = self._connection = self._connect()
        connection.execute(f"PRAGMA busy_timeout = {self.BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _compile(self, size: int) -> str:
        statement = self._statements[size] = _statement(size)
        return statement


def _statement(size: int) -> str:
    names = ["kind", "id", "scheme", "value", "dataset", "record", "issuer", "client", "purpose", "fields", "until"]
    mine: Any = tuple_(fact.c.scheme, fact.c.value).in_([("", "")] * size)
    joined = fact_head.outerjoin(fact, and_(fact.c.ended.is_(None), mine))
    query = select(fact_head.c.change, *(fact.c[name] for name in names)).select_from(joined)
    dialect = sqlite.dialect(paramstyle="qmark")
    return str(query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))
