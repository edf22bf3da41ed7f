"""What is known of subjects, as plain rows: consents, objections, withdrawals, restorations and opt-outs.

Arts. 23-25, 41(2), 42, 45-47. Each function writes one fact, or ends one, in one transaction. A row is in force until
`ended` is set and is otherwise never changed, so what was in force at any change number can be told afterwards.

Invariants: every write takes the next change number from the one row of `fact_head`, inside its own transaction; the
row's lock makes the order of numbers the order of commits, on any database, which a sequence would not. A fact has the
columns of its kind, and no others (`gateway.storage.subjects.kinds`). A record stands in it as `connectors.base.named`
gives its id, as in what departments answer; no version wrote one otherwise, since acts always kept ids so.

Left to others: who may write which fact (`gateway.acts`), what facts mean for an inquiry (`gateway.inquiry.facts`).
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.types import TypeEngine

from connectors.base import Subject, named
from gateway.storage.port import FactRow
from gateway.storage.sealing.columns import Words, places
from gateway.storage.subjects.kinds import KINDS
from gateway.storage.tables import RECORD, SUBJECT, metadata, micros

_number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

fact_head = Table(
    "fact_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("change", _number, nullable=False),  # the number of the last change committed
    Column("epoch", BigInteger, nullable=False, server_default="0"),  # of the active rule set
)
event.listen(fact_head, "after_create", DDL("INSERT INTO fact_head (id, change) VALUES (1, 0)"))  # type: ignore[no-untyped-call]

_IN_FORCE, _ENDED = text("ended IS NULL"), text("ended IS NOT NULL")

fact = Table(
    "fact",
    metadata,
    Column("change", _number, primary_key=True, autoincrement=False),  # the number of the change that made it
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # of `KINDS`
    Column("scheme", Text, nullable=False),
    Column("value", SUBJECT, nullable=False),
    Column("dataset", Text),
    Column("record", RECORD),  # the record's id within the dataset
    Column("issuer", Text),
    Column("client", Text),
    Column("purpose", Text),
    Column("fields", Text),  # of a consent, as JSON: dataset -> list of fields, or null for all
    Column("until", Text),  # `YYYY-MM-DD`: a consent's last day, the day an objection is to be decided by
    Column("at", _number, nullable=False),  # when it came into force, in microseconds since the epoch
    Column("ended", _number),  # the number of the change that ended it; NULL while in force
    Column("ended_at", _number),
    Column("outcome", Text),  # of an objection: upheld or refused
    Column("reason", Words("fact.reason")),
    Index("fact_in_force", "scheme", "value", sqlite_where=_IN_FORCE, postgresql_where=_IN_FORCE),
    Index("fact_ended", "scheme", "value", sqlite_where=_ENDED, postgresql_where=_ENDED),
)

_ENTER = insert(fact)
_NEXT = update(fact_head).where(fact_head.c.id == 1).values(change=fact_head.c.change + 1).returning(fact_head.c.change)
_OPTED_OUT = select(fact.c.id).where(
    fact.c.kind == "opt-out", fact.c.dataset == bindparam("dataset"), fact.c.ended.is_(None),
    fact.c.scheme == bindparam("scheme"), fact.c.value == bindparam("value"),
)  # fmt: skip

ASKED = places([fact.c.scheme.type, fact.c.value.type])
READ = places([(fact_head if name in fact_head.c else fact).c[name].type for name in FactRow._fields])
"""What is sealed of a subject that facts are asked for, and of a `FactRow`."""


class Written(NamedTuple):
    """A fact that was written or ended: its id, and the number of the change."""

    id: str
    change: int


def enter(
    engine: Engine, kind: str, subject: Subject, now: datetime.datetime, *, reason: str | None = None, **values: str
) -> Written:
    """Record a fact of a kind (of `KINDS`), with a value for each of its columns; raises `ValueError` for any other."""
    with engine.begin() as connection:
        return _insert(connection, kind, subject, now, _next(connection), reason=reason, **values)


def end(
    engine: Engine, kind: str, id: str, now: datetime.datetime, subject: Subject | None = None, **values: str
) -> Written:
    """End a fact of a kind (and of a subject); raises `LookupError` where none of that id is in force."""
    with engine.begin() as connection:
        return _end(connection, kind, id, now, _next(connection), subject, **values)


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
    return enter(
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
    return end(engine, "consent", consent, now, subject)


def open_objection(
    engine: Engine, subject: Subject, dataset: str, record: str, due: datetime.date, now: datetime.datetime
) -> Written:
    """Open an objection to one record; it is overdue from the day after `due` on."""
    return enter(engine, "objection", subject, now, dataset=dataset, record=record, until=due.isoformat())


def decide_objection(
    engine: Engine, objection: str, outcome: Literal["upheld", "refused"], reason: str, now: datetime.datetime
) -> Written:
    """Close an objection with its reason (Art. 45); raises `LookupError` where none of that id is open.

    What an upheld objection leads to, a correction or a withdrawal, is a change of its own.
    """
    if not reason.strip():
        raise ValueError("a decided objection states its reason")
    return end(engine, "objection", objection, now, outcome=outcome, reason=reason)


def withdraw(
    engine: Engine, subject: Subject, dataset: str, record: str, now: datetime.datetime, reason: str | None = None
) -> Written:
    """The department takes a record back (Art. 47(2)); it is withheld from then on."""
    return enter(engine, "withdrawal", subject, now, dataset=dataset, record=record, reason=reason)


def withdrawn(connection: Connection, dataset: str, records: Sequence[str]) -> set[tuple[str, str, str]]:
    """Which of the records are withdrawn: scheme and value of the subject, and the record's id."""
    mine = and_(fact.c.kind == "withdrawal", fact.c.dataset == dataset, fact.c.ended.is_(None))
    found = connection.execute(
        select(fact.c.scheme, fact.c.value, fact.c.record).where(mine, fact.c.record.in_(records))
    )
    return {(row.scheme, row.value, row.record) for row in found}


def restore(
    engine: Engine, subject: Subject, dataset: str, record: str, now: datetime.datetime, reason: str | None = None
) -> Written:
    """The subject's restoration is granted for a record (Art. 46); it is withheld from then on."""
    return enter(engine, "restoration", subject, now, dataset=dataset, record=record, reason=reason)


def set_opt_out(
    engine: Engine, subject: Subject, dataset: str, opted_out: bool, now: datetime.datetime
) -> Written | None:
    """Record whether the subject's favourable records of a dataset are held back; `None` where it is so already."""
    asked = {"dataset": dataset, "scheme": subject.scheme, "value": subject.value}
    with engine.begin() as connection:
        change = _next(connection)
        found = connection.execute(_OPTED_OUT, asked).scalar_one_or_none()
        if (found is not None) is opted_out:
            connection.rollback()  # nothing changed, so the number is not used up
            return None
        if found is not None:
            return _end(connection, "opt-out", found, now, change)
        return _insert(connection, "opt-out", subject, now, change, dataset=dataset)


def row(
    kind: str, subject: tuple[str, str], now: datetime.datetime, change: int, **columns: str | None
) -> dict[str, object]:
    """The row of a fact that begins with a change; raises `ValueError` for columns that are not its kind's, or a record
    that no department's would be found by."""
    if columns.keys() - {"reason"} != (known := KINDS[kind].columns):
        raise ValueError(f"a {kind} has the columns {', '.join(sorted(known))}; not {', '.join(columns)}")
    if (record := columns.get("record")) is not None and named(record) != record:
        raise ValueError("a record's id is not as `connectors.base.named` gives it")
    made = {"change": change, "id": secrets.token_hex(16), "kind": kind, "scheme": subject[0], "value": subject[1]}
    return {**made, "at": micros(now), **columns}


def over(
    kind: str, subject: tuple[str, str], now: datetime.datetime, change: int, **columns: str | None
) -> dict[str, object]:
    """As `row`, of a fact that is over as it begins; its end has the number after, so that it takes two."""
    return {**row(kind, subject, now, change, **columns), "ended": change + 1, "ended_at": micros(now)}


def ending(id: str, kind: str, now: datetime.datetime, change: int, **columns: str) -> Update:
    """What ends the fact of that id and kind, where it is in force."""
    mine = and_(fact.c.id == id, fact.c.kind == kind, fact.c.ended.is_(None))
    return update(fact).where(mine).values(ended=change, ended_at=micros(now), **columns)


def _next(connection: Connection) -> int:
    # First in its transaction: it takes the lock that every writer of facts waits for.
    return int(connection.execute(_NEXT).scalar_one())


def _insert(
    connection: Connection, kind: str, subject: Subject, now: datetime.datetime, change: int, **columns: str | None
) -> Written:
    values = row(kind, (subject.scheme, subject.value), now, change, **columns)
    connection.execute(_ENTER, values)
    return Written(str(values["id"]), change)


def _end(
    connection: Connection,
    kind: str,
    id: str,
    now: datetime.datetime,
    change: int,
    subject: Subject | None = None,
    **columns: str,
) -> Written:
    statement = ending(id, kind, now, change, **columns)
    if subject is not None:
        statement = statement.where(fact.c.scheme == subject.scheme, fact.c.value == subject.value)
    done = connection.execute(statement)
    if done.rowcount != 1:
        raise LookupError(f"there is no {kind} `{id}` in force")
    return Written(id, change)
