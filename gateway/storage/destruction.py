"""Destroying a subject's keys: what of them there is, the transaction that does it, and what it leaves in the files.

The transaction goes in this order: the number of acts (`gateway.ledger.acting.writer`), under which holds, matters and
verdicts are made; the locks under which facts and findings are written and entries projected; then `erasures` of every
other shard, so that no group sealed before commits after; and only then what forbids it is looked at, and the keys are
emptied. So nothing that would forbid it comes in between, and no new key of the subject.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Boolean, Engine, Select, Update, and_, delete, exists, false, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from gateway.saying import in_words
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.port import Change, Guarded, Store
from gateway.storage.projections import counted
from gateway.storage.projections.projecting import there
from gateway.storage.projections.tables import displayed, looked, projected, raced, received
from gateway.storage.recall.recalls import recall, recall_job
from gateway.storage.statement import inserted
from gateway.storage.subjects.acts import WAITING, act, act_count, matter
from gateway.storage.subjects.erasure import Request, closing, erasure, hold
from gateway.storage.subjects.facts import fact, fact_head
from gateway.storage.tables import SHARD_BITS, entry, shard, subject_key
from gateway.storage.watch.findings import watch_head

_NAMING = (subject_key, erasure, hold, matter, fact, recall_job, recall)
"""What names subjects."""
_RECALLS = (
    (recall_job, dict.fromkeys(("scheme", "value", "record", "version", "new_version", "consent", "fields"))),
    (recall, dict.fromkeys(("scheme", "value", "records"))),
)
"""What is emptied of recalls, and of what was selected by."""
MOST_ANEW = 200_000
"""Keys: some seconds of holding the lock of writers, whom SQLite has wait five."""
_BY_KEY = (looked, received, raced, displayed)
"""What is made of entries, and names subjects by the ids of their keys."""


def keys_of(engine: Engine, scheme: str, value: str) -> list[int]:
    """The ids of a subject's keys in every shard."""
    mine = select(subject_key.c.id).where(subject_key.c.scheme == scheme, subject_key.c.value == value)
    with engine.connect() as connection:
        return sorted(connection.execute(mine).scalars())


def still_there(engine: Engine, keys: Sequence[int]) -> list[int]:
    """Those of the keys that are not destroyed."""
    with engine.connect() as connection:
        return sorted(there(connection, keys))


def in_force(engine: Engine, scheme: str, value: str) -> dict[str, int]:
    """How many facts about a subject are in force, by their kind."""
    query = select(fact.c.kind, func.count()).where(fact.c.scheme == scheme, fact.c.value == value)
    with engine.connect() as connection:
        rows = connection.execute(query.where(fact.c.ended.is_(None)).group_by(fact.c.kind).order_by(fact.c.kind))
        return {row[0]: row[1] for row in rows}


def entries_under(engine: Engine, keys: Sequence[int]) -> int:
    """How many entries have contents under these keys; reads through their shards."""
    shards = select(subject_key.c.shard).where(subject_key.c.id.in_(keys)).distinct()
    with engine.connect() as connection:
        found = 0
        for (number,) in connection.execute(shards).all():
            base = number << SHARD_BITS
            among = entry.c.id.between(base, base + (1 << SHARD_BITS) - 1)
            found += connection.execute(select(func.count()).where(among, names_any(keys))).scalar_one()
        return found


def names_any(keys: Sequence[int]) -> ColumnElement[bool]:
    """Whether an `entry` row is sealed by one of these keys: by the ids, random and 8 bytes, that stand in it."""
    return or_(false(), *(_Holds(entry.c.subjects, key.to_bytes(8, "big")) for key in keys))


class _Holds(FunctionElement[bool]):
    """Whether bytes stand within bytes."""

    type = Boolean()
    inherit_cache = True


@compiles(_Holds)
def _on_sqlite(element: _Holds, compiler: SQLCompiler, **options: object) -> str:
    whole, part = (compiler.process(each, **options) for each in element.clauses)
    return f"(instr({whole}, {part}) > 0)"


@compiles(_Holds, "postgresql")
def _on_postgresql(element: _Holds, compiler: SQLCompiler, **options: object) -> str:
    whole, part = (compiler.process(each, **options) for each in element.clauses)
    return f"(position({part} IN {whole}) > 0)"


def destroying(engine: Engine, own: str, keys: Sequence[int], decided: Change) -> tuple[Change, ...]:
    """What destroys keys, to commit with the entry that lists them, in the shard named `own`.

    `decided` is what does not hold where that may not be, and notes that it is done.
    """
    found: list[Change] = [
        update(fact_head).values(change=fact_head.c.change),
        update(watch_head).values(version=watch_head.c.version),
        update(projected).values(next=projected.c.next),
        update(shard).where(shard.c.name != own).values(erasures=shard.c.erasures + 1),
        decided,
        update(subject_key).where(subject_key.c.id.in_(keys)).values(scheme=None, value=None, secret=None),
    ]
    found += [delete(table).where(table.c.subject.in_(keys)) for table in _BY_KEY]
    # Whose a count of acts is nobody can say of its row, so that all go: those of a day that is over are of no use, and
    # the rare day of an erasure begins anew for everybody.
    found.append(delete(act_count))
    named = select(subject_key.c.scheme, subject_key.c.value).where(
        subject_key.c.id.in_(keys), subject_key.c.secret.is_not(None)
    )
    with engine.connect() as connection:
        subjects = {(scheme, value) for scheme, value in connection.execute(named)}
    for each in sorted(subjects):
        found += _emptying(*each)
    return (*found, counted.erasing(engine, subjects))


def _emptying(scheme: str, value: str) -> Sequence[Update]:
    """What takes a subject out of what is over: matters, facts, and the references under which it acted.

    Facts in force stay, since they keep their effect; so does what is still open where that does not forbid it, but
    for consents that were only asked for.
    """
    closed = and_(matter.c.state.not_in(WAITING), matter.c.second_due.is_(None))
    of = or_(closed, matter.c.kind == "consent-request")
    matters = and_(matter.c.scheme == scheme, matter.c.value == value, of)
    over = and_(fact.c.scheme == scheme, fact.c.value == value, fact.c.ended.is_not(None))
    moved = or_(
        act.c.matter.in_(select(matter.c.id).where(matters)),
        act.c.matter.in_(select(fact.c.id).where(fact.c.scheme == scheme, fact.c.value == value)),
        act.c.matter.in_(select(recall.c.id).where(recall.c.scheme == scheme, recall.c.value == value)),
    )
    nothing = dict.fromkeys(("scheme", "value", "record", "version", "new_version", "access", "filed_by"))
    asked = (matter.c.kind == "consent-request", matter.c.state == "open")
    return (
        update(act).where(moved).values(repeat=None, arguments=None),
        update(matter).where(matters, *asked).values(state="declined"),
        update(matter).where(matters).values(nothing),
        update(fact).where(over).values(scheme="", value="", record=None, fields=None, reason=None),
        *(
            update(table).where(table.c.scheme == scheme, table.c.value == value).values(gone)
            for table, gone in _RECALLS
        ),
    )


def deciding(
    request: Request, keys: Sequence[int], blocking: Iterable[Select[tuple[Any]]], by: str, at: int
) -> Guarded:
    """Note that a request is carried out; a `Conflict` where it is not open, something blocks it, or a key is new."""
    unlisted = select(subject_key.c.id).where(
        subject_key.c.scheme == request.scheme, subject_key.c.value == request.value, subject_key.c.id.not_in(keys)
    )
    return closing(request.id, "done", by, at, *(~exists(query) for query in (unlisted, *blocking)))


def noting(request: Request, known: Request | None) -> Guarded:
    """Note that a request was carried out before, in a store that came back with less; `known` is the row it has.

    Where that is another by now, its group is a `Conflict`.
    """
    row, mine = request._asdict(), erasure.c.id == request.id
    if known is None:
        return Guarded(inserted(erasure, row, ~select(erasure.c.id).where(mine).exists()))
    same = (erasure.c.state == known.state, erasure.c.decided_at.is_not_distinct_from(known.decided_at))
    return Guarded(update(erasure).where(mine, *same).values(row))


def scrub(store: Store) -> str | None:
    """After keys were destroyed: leave no copy of their rows in the store's files; gives why there may be one.

    SQLite zeroes what is deleted (`secure_delete`), but where a page was split a piece of a row may be left. So these
    tables are written anew, under the lock of writers, and what was written ahead is put in its place and cut off.
    Where that would hold up those who serve (`MOST_ANEW`), it is left to the operator.
    PostgreSQL: dead rows go with a VACUUM, unless a transaction from before still sees them.
    """
    try:
        if isinstance(store, SqliteStore):
            return _scrub_file(store)
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            names = ", ".join(table.name for table in (*_NAMING, *_BY_KEY))
            connection.exec_driver_sql(f"VACUUM {names}")
    except (sqlite3.Error, SQLAlchemyError) as error:
        return (str(getattr(error, "orig", None) or error).splitlines() or [in_words(error)])[0]
    return None


def _scrub_file(store: SqliteStore) -> str | None:
    with contextlib.closing(store.connect()) as file:
        rows = max(file.execute(f"SELECT count(*) FROM {each.name}").fetchone()[0] for each in _NAMING)  # noqa: S608
        if rows <= MOST_ANEW:
            file.execute("BEGIN IMMEDIATE")
            for table in _NAMING:
                _write_anew(file, table.name)
            file.execute("COMMIT")
        if file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            return "its write-ahead log is in use, and keeps what was written before until it is not"
    if rows > MOST_ANEW:
        return (
            f"a piece of a row, in a page that was split; run sqlite3's `VACUUM` on `{store.path}` when nothing serves"
        )
    return None


def _write_anew(file: sqlite3.Connection, name: str) -> None:
    (made,) = file.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
    indexes = file.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (name,)
    ).fetchall()
    file.execute(f"ALTER TABLE {name} RENAME TO {name}_before")
    file.execute(made)
    file.execute(f"INSERT INTO {name} SELECT * FROM {name}_before ORDER BY 1")  # noqa: S608 - a table's name
    file.execute(f"DROP TABLE {name}_before")
    for (index,) in indexes:
        file.execute(index)
