"""Who has to stop using what, as rows: what is still to be selected, recalls, and what is to be delivered (Art. 47).

An act that changes what may be used inserts one `recall_job`, in its own transaction, and nothing that depends on who
received it (`job`). Once every shard is projected past its size at that commit, whoever selects makes a `recall` of
each disclosure that it touches: an act of its own, in whose transaction the job moves on. A recall is of one answer
and dataset, once for each job. `recall_count` numbers the recalls of a recipient.

A recall that is refused stays open: nobody is rid of it by that. Once its term is over it is `overdue`, and some time
`later` its recipient's grant is suspended: a matter, in which `suspension` has its id.

`work` is what a process has to do once it is due, and again until it is done. A row is taken for a while (`lease`) and
with a new number (`fence`): whoever moves it names the number, so that two processes never finish the same attempt.

Rows name their subject until the transaction that erases it empties scheme, value and records.
All times are microseconds since the epoch.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    and_,
    event,
    or_,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from gateway.storage.sealing.columns import Words
from gateway.storage.tables import RECORD, SUBJECT, VERSION, metadata

Action = Literal["delete", "update", "mark-disputed", "clear-disputed"]
CAUSES: dict[str, Action] = {
    "corrected": "update",
    "unreported": "update",
    "withdrawn": "delete",
    "restored": "delete",
    "expired": "delete",
    "revoked": "delete",
    "opted-out": "delete",
    "erased": "delete",
    "disputed": "mark-disputed",
    "cleared": "clear-disputed",
}
"""Why a record is recalled, and what its recipients then have to do."""
FOUND_BY_ANSWERS = frozenset({"expired", "unreported"})
"""Causes that nobody reports: they are found by what somebody received, so that each says that somebody did."""

_number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
SELECTING = text("state = 'waits'")
OPEN, UNTOLD = text("state IN ('open', 'overdue')"), text("state = 'open'")
FOLLOWS, HOLDS = text("later IS NOT NULL"), text("suspension IS NOT NULL")
"""Conditions, word for word as the indexes have them: else SQLite reads all of the table."""

recall_job = Table(
    "recall_job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("cause", Text, nullable=False),  # of `CAUSES`
    Column("state", Text, nullable=False),  # waits, selected
    Column("scheme", Text),
    Column("value", SUBJECT),
    Column("dataset", Text),  # of an erasure nothing: all that is about the subject
    Column("record", RECORD),  # of an opt-out or a consent nothing: all records of what it is about
    Column("version", VERSION),  # the one that is recalled; nothing: any
    Column("new_version", VERSION),  # what is in force instead, and is not recalled
    Column("consent", Text),  # the fact that disclosures rested on
    Column("issuer", Text),  # with a client: that recipient alone
    Column("client", Text),
    Column("purpose", Text),
    Column("fields", Text),  # of a consent, JSON: dataset -> fields
    Column("change", _number),  # the number of the change of facts, where it is one
    Column("at", _number, nullable=False),
    Column("filed_in", _number, nullable=False),  # the entry of the act
    Column("sizes", Text),  # JSON: shard -> entries it had, read after the act stood
    Column("selected", _number),  # when its disclosures were selected; races are looked for until some time later
    Column("found", Integer, nullable=False, server_default="0"),
    Column("day", Integer),  # of what expired: the last day of display, in days since 1970-01-01
    Column(
        "since", Integer
    ),  # where a shortened period ended it, which was told a later day: the one that it counts from
    Index("recall_job_waits", "at", sqlite_where=SELECTING, postgresql_where=SELECTING),
    Index("recall_job_change", "change"),
    Index("recall_job_subject", "scheme", "value"),
    Index("recall_job_selected", "selected"),
)

recall = Table(
    "recall",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sequence", _number, nullable=False),  # of this recipient
    Column("job", Text, nullable=False),
    Column("issuer", Text, nullable=False),  # whose it is to answer: the recipient, or who followed it
    Column("client", Text, nullable=False),
    Column("received_by", Text),  # JSON [issuer, client] of who received it, where another follows
    Column("place", _number, nullable=False),  # the entry that disclosed it
    Column("inquiry", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("scheme", Text),
    Column("value", SUBJECT),
    Column("dataset", Text, nullable=False),
    Column("records", Words("recall.records")),  # JSON: [{record, version, fields}]
    Column("action", Text, nullable=False),
    Column("at", _number, nullable=False),
    Column("due", _number, nullable=False),
    Column("state", Text, nullable=False),  # open, overdue, acknowledged
    Column("outcome", Text),  # applied, passed-on, refused
    Column("delivered", _number),  # when its webhook was taken
    Column("answered", _number),
    Column("filed_in", _number, nullable=False),
    Column("moved_in", _number),  # the entry of the answer
    Column("later", _number),  # of one that is overdue: when its recipient's grant is to be suspended
    Column("suspension", Text),  # the matter that rests on it
    UniqueConstraint("job", "place", "dataset"),
    Index("recall_of_client", "issuer", "client", "sequence"),
    Index("recall_of_place", "place", "dataset"),
    Index("recall_of_subject", "scheme", "value"),
    Index("recall_due", "due", sqlite_where=OPEN, postgresql_where=OPEN),
    Index("recall_inbox", "issuer", "client", "sequence", sqlite_where=OPEN, postgresql_where=OPEN),
    Index("recall_untold", "due", sqlite_where=UNTOLD, postgresql_where=UNTOLD),
    Index("recall_later", "later", sqlite_where=FOLLOWS, postgresql_where=FOLLOWS),
    Index("recall_of_suspension", "suspension", sqlite_where=HOLDS, postgresql_where=HOLDS),
)

recall_count = Table(
    "recall_count",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("last", _number, nullable=False),
)

work = Table(
    "work",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # deliver
    Column("what", Text, nullable=False),  # the recall
    Column("lane", Text, nullable=False),  # whom it is for: what fails in one lane delays no other
    Column("due", _number, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("lease", _number, nullable=False, server_default="0"),  # until when somebody has it
    Column("fence", Integer, nullable=False, server_default="0"),
    Index("work_due", "due"),
    Index("work_lane", "lane", "due"),
)


expiry_head = Table(
    "expiry_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("day", Integer, nullable=False),  # what ended its display before is noted to be recalled,
    Column("dataset", Text, nullable=False),  # and of this day what is of a dataset before, or of that dataset
    Column("subject", BigInteger, nullable=False),  # and of a subject's key up to this one
)
event.listen(expiry_head, "after_create", DDL("INSERT INTO expiry_head VALUES (1, 0, '', -1)"))  # type: ignore[no-untyped-call]


display_period = Table(
    "display_period",  # how far it was noted what a dataset's period ends before the day that was told
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("epoch", _number, nullable=False),  # since the rule set of that epoch is active,
    Column("since", Integer, nullable=False),  # and of what counts from a day before, or from this one
    Column("subject", BigInteger, nullable=False),  # and is of a subject's key up to this one
)


class Job(NamedTuple):
    """A `recall_job` row, in the order of its columns."""

    id: str
    cause: str
    state: str
    scheme: str | None
    value: str | None
    dataset: str | None
    record: str | None
    version: str | None
    new_version: str | None
    consent: str | None
    issuer: str | None
    client: str | None
    purpose: str | None
    fields: str | None
    change: int | None
    at: int
    filed_in: int
    sizes: str | None
    selected: int | None
    found: int
    day: int | None
    since: int | None = None

    @property
    def action(self) -> Action:
        """What recipients then have to do."""
        return CAUSES[self.cause]


class Recalled(msgspec.Struct, frozen=True):
    """One of a recall's `records`, as its JSON has them: a version that was received, and which fields of it."""

    record: str
    version: str
    fields: tuple[str, ...]

    @property
    def named(self) -> tuple[str, str]:
        """Its id and version."""
        return self.record, self.version


class Recall(NamedTuple):
    """A `recall` row, in the order of its columns."""

    id: str
    sequence: int
    job: str
    issuer: str
    client: str
    received_by: str | None
    place: int
    inquiry: str
    purpose: str
    scheme: str | None
    value: str | None
    dataset: str
    records: str | None
    action: str
    at: int
    due: int
    state: str
    outcome: str | None
    delivered: int | None
    answered: int | None
    filed_in: int
    moved_in: int | None
    later: int | None = None
    suspension: str | None = None

    @property
    def waits(self) -> bool:
        """Whether its recipient has not confirmed that it did what it is to do: a refusal does not end it."""
        return self.state in ("open", "overdue")


class Work(NamedTuple):
    """A `work` row, in the order of its columns."""

    id: str
    kind: str
    what: str
    lane: str
    due: int
    attempt: int
    lease: int
    fence: int


def job(cause: str, subject: tuple[str, str], at: int, **columns: Any) -> dict[str, Any]:
    """The row of what is to be selected, but for `filed_in`; raises `KeyError` for a cause that there is not."""
    assert CAUSES[cause]
    made = {"id": secrets.token_hex(16), "cause": cause, "state": "waits", "scheme": subject[0], "value": subject[1]}
    return {**made, "at": at, "found": 0, **{name: each or None for name, each in columns.items()}}


def one(connection: Connection, id_: str) -> Recall | None:
    """The recall of that id."""
    row = connection.execute(select(recall).where(recall.c.id == id_)).first()
    return None if row is None else Recall._make(row)


def several(connection: Connection, *conditions: Any, first: int | None = None) -> list[Recall]:
    """The recalls that fit, by their number among a recipient's."""
    query = select(recall).where(*conditions).order_by(recall.c.sequence, recall.c.id).limit(first)
    return [Recall._make(row) for row in connection.execute(query)]


def of_clients(clients: Iterable[tuple[str, str]]) -> ColumnElement[bool]:
    """Those that one of these clients (issuer, client) has to answer."""
    return or_(*(and_(recall.c.issuer == issuer, recall.c.client == client) for issuer, client in sorted(clients)))
