"""What the watch keeps: how far it has read the ledger, and its findings with the entries behind them and a verdict.

Invariants: how far was read, and what was found on the way, change in one transaction; of two watchers on one store
one goes on, and the other learns that it is behind (`advance`). A finding's entries only grow, and not once a verdict
stands: a pattern that goes on after it is a finding of its own. A verdict is one row, which is never changed.

A finding names who asked, for what, and entries. No subject is in these tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql import ClauseElement, ColumnElement
from sqlalchemy.types import TypeEngine

from gateway.errors import StoreUnavailable
from gateway.storage.port import Guarded
from gateway.storage.sealing.columns import Words
from gateway.storage.tables import OFFICIAL, metadata

_number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

watch_head = Table(
    "watch_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("version", _number, nullable=False),  # raised by each advance
)
event.listen(watch_head, "after_create", DDL("INSERT INTO watch_head (id, version) VALUES (1, 0)"))  # type: ignore[no-untyped-call]

watch_cursor = Table(
    "watch_cursor",
    metadata,
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True, autoincrement=False),
    Column("next", _number, nullable=False),  # the index of the first entry not yet seen
)

finding = Table(
    "finding",
    metadata,
    Column("id", Text, primary_key=True),
    Column("pattern", Text, nullable=False),  # the detector's own id of it; several findings where it went on
    Column("part", Integer, nullable=False),  # from 1
    Column("detector", Text, nullable=False),
    Column("article", Text, nullable=False),
    Column("at", _number, nullable=False),  # of its last entry, in microseconds since the epoch
    Column("issuer", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("official", OFFICIAL),
    Column("purpose", Text, nullable=False),
    Column("words", Words("finding.words"), nullable=False),
    Column("department", Text),  # whose break-glass an overdue review suspends
    UniqueConstraint("pattern", "part"),
)

finding_entry = Table(
    "finding_entry",
    metadata,
    Column("finding", Text, ForeignKey("finding.id"), primary_key=True),
    Column("entry", _number, ForeignKey("entry.id"), primary_key=True, autoincrement=False),
)

verdict = Table(
    "verdict",
    metadata,
    Column("finding", Text, ForeignKey("finding.id"), primary_key=True),
    Column("at", _number, nullable=False),
    Column("by", OFFICIAL, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Words("verdict.reason"), nullable=False),
)


BREAK_GLASS = "break-glass"
"""The detector of emergencies: each use has a finding, which is opened in the transaction of its entry."""


class Glass(NamedTuple):
    """A use of break-glass, as its inquiry's entry has it. `at` is in microseconds."""

    inquiry: str
    at: int
    issuer: str
    client: str
    department: str | None
    official: str | None
    purpose: str

    @property
    def finding(self) -> str:
        """The id of its finding."""
        return f"{BREAK_GLASS}-{self.inquiry}"

    def opening(self, words: str) -> ClauseElement:
        """The statement that opens its review; a second one fails."""
        return finding.insert().values({**self._row, "id": self.finding, "words": words})

    @property
    def _row(self) -> dict[str, object]:
        named = {name: value for name, value in self._asdict().items() if name != "inquiry"}
        return {**named, "pattern": self.finding, "part": 1, "detector": BREAK_GLASS, "article": "28(1)"}


class Found(NamedTuple):
    """A finding to keep; times in microseconds, entries by id."""

    pattern: str
    detector: str
    article: str
    at: int
    issuer: str
    client: str
    official: str | None
    purpose: str
    words: str
    entries: tuple[int, ...]


class Kept(NamedTuple):
    """A finding as it stands, and its verdict where there is one."""

    id: str
    detector: str
    article: str
    at: int
    issuer: str
    client: str
    official: str | None
    purpose: str
    words: str
    entries: int
    decided_at: int | None
    by: str | None
    verdict: str | None
    reason: str | None


def read_cursors(engine: Engine) -> tuple[int, dict[int, int]]:
    """How far was read: the version, and per shard the index of the first entry not yet seen."""
    joined = watch_head.outerjoin(watch_cursor, watch_head.c.id == 1)
    with engine.connect() as connection:
        rows = connection.execute(select(watch_head.c.version, watch_cursor).select_from(joined)).all()
    return rows[0][0], {shard: next_ for _, shard, next_ in rows if shard is not None}


def advance(engine: Engine, version: int, cursors: Mapping[int, int], found: Iterable[Found]) -> bool:
    """Keep how far was read since `version`, and what was found; False, and nothing kept, where another was first."""
    with engine.begin() as connection:
        swapped = connection.execute(
            update(watch_head).where(watch_head.c.id == 1, watch_head.c.version == version).values(version=version + 1)
        )
        if swapped.rowcount != 1:
            connection.rollback()
            return False
        for shard, next_ in cursors.items():
            moved = connection.execute(update(watch_cursor).where(watch_cursor.c.shard == shard).values(next=next_))
            if not moved.rowcount:
                connection.execute(watch_cursor.insert().values(shard=shard, next=next_))
        for each in found:
            _keep(connection, each)
    return True


def _keep(connection: Connection, found: Found) -> None:
    parts = connection.execute(
        select(finding.c.id, finding.c.part, verdict.c.finding)
        .outerjoin(verdict, verdict.c.finding == finding.c.id)
        .where(finding.c.pattern == found.pattern)
        .order_by(finding.c.part)
    ).all()
    named = select(finding_entry.c.entry).join(finding).where(finding.c.pattern == found.pattern)
    known = set(connection.execute(named).scalars()) if parts else set()
    fresh = [entry for entry in found.entries if entry not in known]
    if not fresh:
        return
    if parts and parts[-1][2] is None:
        id_ = parts[-1][0]
        connection.execute(update(finding).where(finding.c.id == id_).values(at=found.at, words=found.words))
    else:
        part = len(parts) + 1
        id_ = found.pattern if part == 1 else f"{found.pattern}-part-{part}"
        columns = {name: value for name, value in found._asdict().items() if name != "entries"}
        connection.execute(finding.insert().values(id=id_, part=part, **columns))
    connection.execute(finding_entry.insert(), [{"finding": id_, "entry": entry} for entry in fresh])


def open_again(engine: Engine, use: Glass, entry: int, words: str) -> bool:
    """Have a use's finding as its entry records it, with that entry behind it; False where all of it is there."""
    with engine.begin() as connection:
        mine = finding.c.id == use.finding
        there = connection.execute(select(finding.c.id).where(mine)).first() is not None
        behind = finding_entry.c.finding == use.finding
        linked = list(connection.execute(select(finding_entry.c.entry).where(behind)).scalars())
        right = there and _says(connection, mine, use._row)
        if right and linked == [entry]:
            return False
        if not there:
            connection.execute(use.opening(words))  # type: ignore[call-overload]
        elif not right:
            connection.execute(update(finding).where(mine).values(**use._row, words=words))
        if linked != [entry]:
            connection.execute(finding_entry.delete().where(behind))
            connection.execute(finding_entry.insert().values(finding=use.finding, entry=entry))
    return True


def _says(connection: Connection, mine: ColumnElement[bool], values: Mapping[str, object]) -> bool:
    try:
        row = connection.execute(select(finding).where(mine)).mappings().one()
    except StoreUnavailable:  # a value that does not open was altered
        return False
    return all(row[name] == value for name, value in values.items())


_COUNT = (
    select(func.count()).select_from(finding_entry).where(finding_entry.c.finding == finding.c.id).scalar_subquery()
)
_KEPT = select(
    *(finding.c[name] for name in ("id", "detector", "article", "at", "issuer", "client", "official", "purpose")),
    finding.c.words,
    _COUNT,
    *(verdict.c[name] for name in ("at", "by", "verdict", "reason")),
).outerjoin(verdict, verdict.c.finding == finding.c.id)


def findings(
    engine: Engine,
    *,
    decided: bool | None = None,
    detector: str | None = None,
    after: tuple[int, str] | None = None,
    first: int | None = None,
) -> list[Kept]:
    """The findings, oldest first: those that wait for a verdict, those that have one, or all.

    Those of one detector, those behind a time and id, `after`, and so many of them, where these are given.
    """
    query = _KEPT.order_by(finding.c.at, finding.c.id)
    if decided is not None:
        query = query.where(verdict.c.finding.is_not(None) if decided else verdict.c.finding.is_(None))
    if detector is not None:
        query = query.where(finding.c.detector == detector)
    if after is not None:
        query = query.where(tuple_(finding.c.at, finding.c.id) > after)
    with engine.connect() as connection:
        return [Kept._make(row) for row in connection.execute(query.limit(first))]


def one_finding(engine: Engine, id_: str) -> tuple[Kept, list[int]]:
    """A finding, and the ids of its entries in order; raises `LookupError` where there is none of that id."""
    with engine.connect() as connection:
        row = connection.execute(_KEPT.where(finding.c.id == id_)).one_or_none()
        if row is None:
            raise LookupError(f"there is no finding `{id_}`")
        behind = select(finding_entry.c.entry).where(finding_entry.c.finding == id_).order_by(finding_entry.c.entry)
        return Kept._make(row), list(connection.execute(behind).scalars())


def findings_of(connection: Connection, entry: int) -> list[tuple[str, str | None]]:
    """The findings that an entry is behind, by id, each with its verdict where there is one."""
    query = select(finding_entry.c.finding, verdict.c.verdict).select_from(
        finding_entry.outerjoin(verdict, verdict.c.finding == finding_entry.c.finding)
    )
    found = connection.execute(query.where(finding_entry.c.entry == entry).order_by(finding_entry.c.finding))
    return [(id_, said) for id_, said in found]


def undecided(connection: Connection, id_: str) -> Guarded:
    """What holds only while a finding has no verdict, and nothing else was put behind one since this snapshot."""
    version = connection.execute(select(watch_head.c.version)).scalar_one()
    free = ~select(verdict.c.finding).where(verdict.c.finding == id_).exists()
    return Guarded(update(watch_head).where(watch_head.c.version == version, free).values(version=version))


def deciding(id_: str, by: str, said: str, reason: str, at: int) -> ClauseElement:
    """The statement that gives a finding its verdict, to commit with the entry about it; a second one fails."""
    return verdict.insert().values(finding=id_, at=at, by=by, verdict=said, reason=reason)
