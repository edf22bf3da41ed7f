"""Projections are kept: entries are taken into them shard by shard, and they are dropped and built again.

Each projection has a position in each shard: all entries before it are in its rows, and none from it on. Invariants:
rows and position change in one transaction, which swaps the position, so of two that project one learns that it is
behind; a subject stands here by the id of its key alone, and by that of no key that was destroyed before the
transaction, so that nothing is left of it once its key was: whoever destroys keys (`gateway.storage.destruction`) locks
the positions first, and deletes the rows. In `counted` it stands by a digest, and by that of no such key either.
Whether any key was destroyed since the entries were read is seen by `erasures`: whoever destroys one raises that of
every shard, or of every shard but the one that its own entry is in.

While a projection is dropped to be built again its positions are `DROPPING`, and its rows count for nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    bindparam,
    case,
    delete,
    event,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import DataError, DBAPIError

from gateway.errors import RowsRefused
from gateway.storage.projections import counted as counts
from gateway.storage.projections.counted import counted
from gateway.storage.projections.tables import DROPPING, NAMES, TABLES, WITHOUT_KEY, displayed, projected
from gateway.storage.sealing.columns import vault_of
from gateway.storage.statement import Statement
from gateway.storage.subjects.facts import fact, fact_head
from gateway.storage.tables import requester, shard, subject_key

_SLICE = 500
_AT_ONCE = 200
_KEYS_AT_ONCE = 64
_CACHE_KIB = 32 * 1024

_INSERT = {
    table.name: Statement(insert(table), *table.c.keys()) for tables in TABLES.values() for table in tables
}  # Core's own execution would cost more than the rows
_INSERT[displayed.name] = Statement(  # other entries may have shown the same
    text("INSERT INTO displayed VALUES (:day, :dataset, :subject, :since) ON CONFLICT DO NOTHING"),
    *displayed.c.keys(),
)


class Position(NamedTuple):
    """A `projected` row."""

    projection: str
    shard: int
    next: int
    rebuilding: int | None


class Rows(NamedTuple):
    """What a batch of entries gives, in the order of the tables' columns.

    `unreleased` are (subject, entry) of what earlier entries, or others of the batch, say was received and was not;
    `counted_under` are the subjects' keys of what is counted, row by row. `erasures` are those of all shards, with
    their ids, in the snapshot in which the keys of all these subjects were there; without it they are looked up again.
    """

    looked: Sequence[tuple[int, int, int, int | None, int | None]] = ()
    received: Sequence[tuple[int, int, int, int, int | None, bytes]] = ()
    asked: Sequence[tuple[int, str, int, int]] = ()
    raced: Sequence[tuple[int, int, int, str]] = ()
    acted: Sequence[tuple[int, str, int, int]] = ()
    unreleased: Sequence[tuple[int, int]] = ()
    counted: Sequence[counts.Row] = ()
    counted_under: Sequence[int] = ()
    not_released: Sequence[tuple[int, int]] = ()
    displayed: Sequence[tuple[int, str, int, int]] = ()
    erasures: Sequence[tuple[int, int]] = ()


class Changed(NamedTuple):
    """A fact that changed: numbers of its changes, and what it is about (a consent's `fields` name datasets)."""

    change: int
    ended: int | None
    scheme: str
    value: str
    dataset: str | None
    record: str | None
    fields: str | None


def unhurried(engine: Engine) -> None:
    """For an engine that writes nothing but projections: a commit need not be on the disk, since it can be made again.

    A lost one is lost with its position. On SQLite the write lock is then held for a fraction of the time; and what a
    transaction changes has room in memory, where it would else be written out and read again within it.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _unhurried_sqlite)
    else:
        event.listen(engine, "begin", lambda connection: connection.execute(text("SET LOCAL synchronous_commit = off")))
    engine.dispose()  # connections from before are not of this kind


def _unhurried_sqlite(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def positions(engine: Engine) -> list[Position]:
    """Every position."""
    with engine.connect() as connection:
        return [Position._make(row) for row in connection.execute(select(projected))]


def begin(engine: Engine, shards: Collection[int]) -> None:
    """Give each of these shards a position in every projection, where it has none yet."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(update(projected).values(next=projected.c.next))  # a write: nobody else's comes between
        else:
            # An erasure that found no position to lock has locked the table: what it destroys is seen after this.
            connection.execute(text("LOCK TABLE projected IN SHARE ROW EXCLUSIVE MODE"))
        there = [Position._make(row) for row in connection.execute(select(projected))]
        known = {(each.projection, each.shard) for each in there}
        dropping = {each.projection for each in there if each.next == DROPPING}
        made = [
            {"projection": name, "shard": number, "next": DROPPING if name in dropping else 0}
            for name in NAMES
            for number in shards
            if (name, number) not in known
        ]
        if made:
            connection.execute(insert(projected), made)


_TOO_LARGE = "54"
"""SQLSTATE's class for a limit of PostgreSQL's own, that of an index's row for one."""


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Tells what a store refuses for what it is, which it will refuse again, from a store that is out of reach."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, DataError) or str(getattr(error.orig, "sqlstate", None)).startswith(_TOO_LARGE):
            raise RowsRefused(f"the store refuses what is built from it ({type(error.orig).__name__})") from error
        raise


def requester_id(engine: Engine, issuer: str, client: str) -> int:
    """The id of a requester, made where the store has none; raises `RowsRefused`."""
    mine = select(requester.c.id).where(requester.c.issuer == issuer, requester.c.client == client)
    new = text("INSERT INTO requester (issuer, client) VALUES (:issuer, :client) ON CONFLICT DO NOTHING")
    with _refusals():
        with engine.connect() as connection:
            found = connection.execute(mine).scalar_one_or_none()
        if found is None:
            with engine.begin() as connection:
                connection.execute(new, {"issuer": issuer, "client": client})
                found = connection.execute(mine).scalar_one()
    return int(found)


def changes_since(engine: Engine, low: int, subjects: Iterable[tuple[str, str]]) -> list[Changed]:
    """Facts about these subjects that changed after change `low`, now."""
    with engine.connect() as connection:
        if connection.execute(select(fact_head.c.change)).scalar_one() <= low:
            return []
        found: list[Changed] = []
        named = sorted(set(subjects))
        about = [fact.c[name] for name in ("change", "ended", "scheme", "value", "dataset", "record", "fields")]
        for start in range(0, len(named), _AT_ONCE):
            mine = tuple_(fact.c.scheme, fact.c.value).in_(named[start : start + _AT_ONCE])
            # In two, by the index of each: those in force, and those that ended.
            for late in (
                and_(fact.c.ended.is_(None), fact.c.change > low),
                and_(fact.c.ended.is_not(None), or_(fact.c.change > low, fact.c.ended > low)),
            ):
                found += [Changed._make(row) for row in connection.execute(select(*about).where(mine, late))]
    return found


_NAMED = [f"name{number}" for number in range(len(NAMES))]
_SWAP = Statement(
    update(projected)
    .where(
        projected.c.projection.in_(map(bindparam, _NAMED)),
        projected.c.shard == bindparam("number"),
        projected.c.next == bindparam("first"),
    )
    .values(
        next=bindparam("last"), rebuilding=case((projected.c.rebuilding > bindparam("last"), projected.c.rebuilding))
    ),
    *("last", "last", *_NAMED, "number", "first"),
)  # by Core it would take a tenth of the transaction


def _sql(connection: Connection, statement: Statement) -> str:
    return statement.sqlite if connection.dialect.name == "sqlite" else statement.psycopg


def advance(engine: Engine, names: Sequence[str], number: int, first: int, last: int, rows: Rows) -> bool:
    """Take the entries from `first` up to `last` of a shard into these projections; False where another was first.

    Rows of subjects whose keys were destroyed meanwhile are left out. Raises `RowsRefused`, and nothing is kept.
    """
    with _refusals(), engine.begin() as connection:
        named = [*names, *[names[0]] * (len(NAMES) - len(names))]
        swapped = connection.exec_driver_sql(_sql(connection, _SWAP), (last, last, *named, number, first))
        if swapped.rowcount != len(names):
            connection.rollback()
            return False
        gone = set() if _none_destroyed(connection, rows.erasures) else _gone(connection, rows)
        for name in names:
            for table in TABLES[name]:
                of: Sequence[tuple[Any, ...]] = getattr(rows, table.name)
                place = next((n for n, column in enumerate(table.c) if column.name == "subject"), None)
                kept = of
                if gone and table is counted:
                    kept = [row for row, key in zip(of, rows.counted_under, strict=True) if key not in gone]
                elif gone and place is not None:
                    kept = [row for row in of if row[place] not in gone]
                if kept:
                    made = _INSERT[table.name]
                    if (vault := vault_of(connection.dialect)) is not None:
                        kept = [tuple(made.given(vault, row)) for row in kept]
                    connection.exec_driver_sql(_sql(connection, made), list(kept))
        if "received" in names:
            for subject, entry in rows.unreleased:
                for table in TABLES["received"]:
                    connection.execute(delete(table).where(table.c.subject == subject, table.c.entry == entry))
    return True


_ERASURES = Statement(select(shard.c.id, shard.c.erasures).order_by(shard.c.id))


def _none_destroyed(connection: Connection, erasures: Sequence[tuple[int, int]]) -> bool:
    """Whether no key was destroyed since a snapshot in which the shards had these `erasures`.

    Of one shard alone that is not seen: an erasure that is entered in it does not raise them.
    """
    if len(erasures) < 2:
        return False
    return [tuple(row) for row in connection.exec_driver_sql(_sql(connection, _ERASURES))] == list(erasures)


def _gone(connection: Connection, rows: Rows) -> set[int]:
    """The subjects among these rows whose keys are no more."""
    named = {row[0] for row in rows.looked} | {row[0] for row in rows.received} | {row[2] for row in rows.raced}
    named.update(rows.counted_under)
    named.update(row[2] for row in rows.displayed)
    return named - {WITHOUT_KEY} - there(connection, named)


_KEYS = [f"key{number}" for number in range(_KEYS_AT_ONCE)]
_THERE = Statement(
    select(subject_key.c.id).where(subject_key.c.id.in_(map(bindparam, _KEYS)), subject_key.c.secret.is_not(None)),
    *_KEYS,
)


def there(connection: Connection, keys: Iterable[int]) -> set[int]:
    """Those of these keys that are not destroyed."""
    found: set[int] = set()
    ids = sorted(keys)
    sql = _sql(connection, _THERE)
    for start in range(0, len(ids), _KEYS_AT_ONCE):
        some = ids[start : start + _KEYS_AT_ONCE]
        some += [some[0]] * (_KEYS_AT_ONCE - len(some))
        found.update(connection.exec_driver_sql(sql, tuple(some)).scalars())
    return found


def start_over(engine: Engine, names: Collection[str]) -> None:
    """Have these projections dropped and built again, up to where each shard is now. They count for nothing at once."""
    size = select(shard.c.size).where(shard.c.id == projected.c.shard).scalar_subquery()
    with engine.begin() as connection:
        mine = update(projected).where(projected.c.projection.in_(names))
        connection.execute(mine.values(next=DROPPING, rebuilding=size))
        of_counted = select(projected.c.shard).where(projected.c.projection == "counted").limit(1)
        if "counted" in names and connection.execute(of_counted).first() is not None:
            counts.dropping(connection)  # without a position there is nothing yet, and nobody would drop it


def drop_some(engine: Engine, name: str) -> bool:
    """Drop some rows of a projection that is `DROPPING`; once none is left it begins at 0. False where it is not."""
    with engine.begin() as connection:
        mine = and_(projected.c.projection == name, projected.c.next == DROPPING)
        if not connection.execute(update(projected).where(mine).values(next=DROPPING)).rowcount:
            return False
        for table in TABLES[name]:
            key = tuple(table.primary_key.columns)
            some = select(*key).order_by(*key).limit(_SLICE)
            if connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount:
                return True
        done = case((projected.c.rebuilding > 0, projected.c.rebuilding))
        connection.execute(update(projected).where(mine).values(next=0, rebuilding=done))
        if name == "counted":
            counts.dropped(connection)
    return True


def count_for(engine: Engine, days: int) -> None:
    """Keep rows of `counted` for so many days; where it was for fewer, they are made again from the entries."""
    if counts.lasting(engine, days) and any(each.projection == "counted" and each.next for each in positions(engine)):
        start_over(engine, ("counted",))


def pass_over(engine: Engine, number: int, first: int) -> None:
    """Begin `counted` of a shard at an entry: what is before it would not be kept."""
    mine = and_(projected.c.projection == "counted", projected.c.shard == number, projected.c.next == 0)
    left = case((projected.c.rebuilding > first, projected.c.rebuilding))
    with engine.begin() as connection:
        connection.execute(update(projected).where(mine).values(next=first, rebuilding=left))


def settle(engine: Engine, names: Collection[str]) -> None:
    """Note that these projections have all that there is: a shard may have come back with less than was to be built."""
    with engine.begin() as connection:
        mine = and_(projected.c.projection.in_(names), projected.c.next != DROPPING)
        connection.execute(update(projected).where(mine).values(rebuilding=None))
