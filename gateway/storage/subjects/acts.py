"""What people and systems did, as rows: acts, the matters that they move, and how much each did in a day.

An act is a row of `act`, made in the transaction of its entry, whose id it has. Acts happen one after the other:
`act_head` counts them, each reads the number before it looks at anything, and commits only where it is the same, or
where its own guards hold (`gateway.ledger.acting.writer`). So what an act saw still holds when it stands.

A *matter* is what somebody has to answer: a consent request, an objection, an application for restoration, a change.
Its id is random and opens nothing. A row has no free text: reasons, words and papers stand in the subject's part of the
entries that `filed_in`, `moved_in` and `decided_in` name. Once it is closed, the transaction that erases its subject
empties scheme and value.

Digests (`Digests` of `gateway.storage.projections.counted`, with the store's own key) stand where a row would name
somebody. All times are microseconds since the epoch, days are `YYYY-MM-DD`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Insert,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    desc,
    event,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.types import TypeEngine

from gateway.storage.port import Guarded
from gateway.storage.sealing.columns import Words
from gateway.storage.tables import RECORD, SUBJECT, VERSION, metadata

_number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
WAITING = ("open", "awaits-confirmation")
"""The states in which a matter waits for somebody."""
WAITS, UPHELD = text("state IN ('open', 'awaits-confirmation')"), text("second_due IS NOT NULL")
"""Conditions on `matter`, word for word as its indexes of days have them: else SQLite reads all of it."""
_BY_SYSTEM = text("event = 'withdrawn' AND filed_by IS NULL")

act_head = Table(
    "act_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("number", _number, nullable=False),  # how many acts there were
)
event.listen(act_head, "after_create", DDL("INSERT INTO act_head (id, number) VALUES (1, 0)"))  # type: ignore[no-untyped-call]

act = Table(
    "act",
    metadata,
    Column("id", Text, primary_key=True),  # as its entry says
    Column("number", _number, nullable=False, unique=True),
    Column("at", _number, nullable=False),
    Column("entry", _number, nullable=False),
    Column("matter", Text),  # the matter that it opened or moved, or the fact that it made or ended
    Column("repeat", LargeBinary, unique=True),  # digest of who, which act, and the caller's reference
    Column("arguments", LargeBinary),  # digest of what was asked under that reference
    Index("act_entry", "entry"),
)

matter = Table(
    "matter",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # consent-request, objection, restoration, change
    Column("state", Text, nullable=False),  # open, awaits-confirmation, decided, withdrawn, granted, declined
    Column("scheme", Text),
    Column("value", SUBJECT),
    Column("department", Text),  # whose stewards move it
    Column("dataset", Text),
    Column("record", RECORD),
    Column("version", VERSION),
    Column("access", Text),  # the look that an objection is to
    Column("issuer", Text),  # the client by which it was filed; of a consent request, who asks
    Column("client", Text),
    Column("purpose", Text),
    Column("fields", Text),  # JSON: dataset -> fields
    Column("until", Text),
    Column("event", Text),  # of a change: corrected, withdrawn, reinstated, restored
    Column("new_version", VERSION),
    Column("filed", _number, nullable=False),
    Column("filed_by", LargeBinary),  # digest of the person: nobody decides what they filed
    Column("due", Text),  # the last day to move it
    Column("provisional", Integer, nullable=False, server_default="0"),
    Column("calendar", Text),  # digest of what the day was counted by
    Column("second_due", Text),  # after an upheld objection, the last day of its correction, until that is confirmed
    Column("told", Integer, nullable=False, server_default="0"),  # how far the reminders of the clock that runs are
    Column("decided", _number),
    Column("decided_by", LargeBinary),  # digest of the first who decided: another has to confirm
    Column("outcome", Text),
    Column("fact", Text),  # the fact that it keeps in force
    Column("filed_in", _number, nullable=False),
    Column("moved_in", _number),
    Column("decided_in", _number),
    Index("matter_of_subject", "scheme", "value"),
    Index("matter_of_department", "department", "kind", "state", "filed"),
    Index("matter_of_requester", "issuer", "client", "kind", "filed"),
    Index("matter_due", "due", sqlite_where=WAITS, postgresql_where=WAITS),
    Index("matter_second_due", "second_due", sqlite_where=UPHELD, postgresql_where=UPHELD),
    Index("matter_of_systems", "department", "filed", sqlite_where=_BY_SYSTEM, postgresql_where=_BY_SYSTEM),
)

message = Table(
    "message",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # digest of the department and of its message's id
    Column("at", _number, nullable=False),
    Column("body", LargeBinary, nullable=False),  # digest of what it said
    Column(
        "refused", Words("message.refused"), nullable=False
    ),  # JSON: what was refused of it, by place, in the gateway's own words
    Index("message_at", "at"),
)

act_count = Table(
    "act_count",
    metadata,
    Column("whose", BigInteger, primary_key=True, autoincrement=False),  # digest of what is bounded, and of whom
    Column("day", Text, primary_key=True),
    Column("acts", Integer, nullable=False),
)


class Matter(NamedTuple):
    """A `matter` row, in the order of its columns."""

    id: str
    kind: str
    state: str
    scheme: str | None
    value: str | None
    department: str | None
    dataset: str | None
    record: str | None
    version: str | None
    access: str | None
    issuer: str | None
    client: str | None
    purpose: str | None
    fields: str | None
    until: str | None
    event: str | None
    new_version: str | None
    filed: int
    filed_by: bytes | None
    due: str | None
    provisional: int
    calendar: str | None
    second_due: str | None
    told: int
    decided: int | None
    decided_by: bytes | None
    outcome: str | None
    fact: str | None
    filed_in: int
    moved_in: int | None
    decided_in: int | None

    @property
    def waits(self) -> bool:
        """Whether somebody has to decide or confirm it."""
        return self.state in WAITING


class Act(NamedTuple):
    """An `act` row, in the order of its columns."""

    id: str
    number: int
    at: int
    entry: int
    matter: str | None
    repeat: bytes | None
    arguments: bytes | None


class Message(NamedTuple):
    """A `message` row, in the order of its columns: what a department's system was answered."""

    id: bytes
    at: int
    body: bytes
    refused: str


_REPEATED = select(act).where(act.c.repeat == bindparam("repeat_"))


def last(connection: Connection) -> int:
    """How many acts there were."""
    return int(connection.execute(select(act_head.c.number)).scalar_one())


def following(number: int, several: int) -> Guarded:
    """So many more acts, where there were `number`."""
    return Guarded(update(act_head).where(act_head.c.number == number).values(number=number + several))


def one_more() -> Guarded:
    """One more act, however many there were: whoever acts waits here until it is over. `numbered` is its row."""
    return Guarded(update(act_head).values(number=act_head.c.number + 1))


def numbered(values: Mapping[str, object], entry: int) -> Insert:
    """The row of that act, with the number that it has now."""
    return insert(act).values({**values, "number": select(act_head.c.number).scalar_subquery(), "entry": entry})


def repeated(connection: Connection, repeat: bytes) -> Act | None:
    """The act that was made under a reference."""
    row = connection.execute(_REPEATED, {"repeat_": repeat}).first()
    return None if row is None else Act._make(row)


def one(connection: Connection, id_: str) -> Matter | None:
    """The matter of that id."""
    row = connection.execute(select(matter).where(matter.c.id == id_)).first()
    return None if row is None else Matter._make(row)


def new(values: Mapping[str, Any]) -> Matter:
    """The matter of a row that is about to be inserted."""
    return Matter._make([values.get(name) for name in Matter._fields])


def matters(connection: Connection, *conditions: Any, first: int | None = None, last: bool = False) -> list[Matter]:
    """The matters that fit, oldest first, or the `last` of them first."""
    by = [matter.c.filed, matter.c.id]
    query = select(matter).where(*conditions).order_by(*(desc(each) if last else each for each in by)).limit(first)
    return [Matter._make(row) for row in connection.execute(query)]


def withdrawn_by_systems(connection: Connection, department: str, since: int, most: int) -> int:
    """How many records of a department are withdrawn since then on its systems' word alone; `most` for more."""
    of = (matter.c.department == department, matter.c.filed > since, matter.c.decided_by.is_(None))
    found = select(matter.c.id).where(_BY_SYSTEM, *of, matter.c.state == "decided").limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def after(filed: int, id_: str) -> ColumnElement[bool]:
    """The matters behind one, in the order of filing."""
    return tuple_(matter.c.filed, matter.c.id) > (filed, id_)


def counted(connection: Connection, whose: Sequence[int], day: datetime.date) -> dict[int, int]:
    """How many acts were counted for each of these digests on a day; nothing for one without."""
    query = select(act_count.c.whose, act_count.c.acts).where(
        act_count.c.whose.in_(whose), act_count.c.day == day.isoformat()
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def counts_before(day: datetime.date) -> Any:
    """What removes the counts of days before that one."""
    return delete(act_count).where(act_count.c.day < day.isoformat())


def message_of(connection: Connection, id_: bytes) -> Message | None:
    """The message of that digest."""
    row = connection.execute(select(message).where(message.c.id == id_)).first()
    return None if row is None else Message._make(row)


def keep_message(connection: Connection, row: Message, before: int) -> None:
    """Remember a message; those that are as old as `before` are forgotten."""
    connection.execute(delete(message).where(message.c.at <= before))
    connection.execute(message.insert().values(row))
