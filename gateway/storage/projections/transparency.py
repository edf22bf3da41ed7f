"""The counts of the transparency report as stored, how far each shard was counted, and which months are closed.

What is held is of inquiries that were secret when they were made: it is told with its month, once that is closed, and
before then to nobody. Invariants: counts and the place up to which they were counted change together; a month that was
closed changes no more; a row names a department, a purpose and a month, and nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Engine, ForeignKey, Integer, Table, Text, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.storage.tables import metadata

transparency_count = Table(
    "transparency_count",
    metadata,
    Column("month", Text, primary_key=True),  # as `2026-11`; of what is held, `2026-11+`
    Column("department", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("many", BigInteger, nullable=False),
    Column("took", BigInteger, nullable=False),  # seconds, all together
)

transparency_place = Table(
    "transparency_place",
    metadata,
    Column("shard", Integer, ForeignKey("shard.id"), primary_key=True),
    Column("next", BigInteger, nullable=False),  # the index of the first entry that was not counted
    Column("at", BigInteger, nullable=False),  # the time of the last that was
)

transparency_month = Table(
    "transparency_month",
    metadata,
    Column("month", Text, primary_key=True),
    Column("made", BigInteger, nullable=False),
    Column("checkpoints", Text, nullable=False),  # JSON: [{shard, counted, checkpoint}]
)

Key = tuple[str, str, str, str, str]
"""Month, department, purpose, what and reason."""


class Place(NamedTuple):
    """How far a shard was counted; `at` is in microseconds."""

    next: int
    at: int


class Month(NamedTuple):
    """A closed month; `made` is in microseconds."""

    month: str
    made: int
    checkpoints: str


def places(engine: Engine) -> dict[int, Place]:
    """By the shard's id."""
    with engine.connect() as connection:
        rows = connection.execute(select(transparency_place))
        return {row.shard: Place(row.next, row.at) for row in rows}


def add(engine: Engine, shard: int, before: int, after: Place, counts: Mapping[Key, tuple[int, int]]) -> bool:
    """Add what the entries of a shard count, up to where it was counted now; False where another was first.

    What would be of a closed month is of the first that is open.
    """
    with engine.begin() as connection:
        insert = _insert(connection)
        if before == 0:
            made = insert(transparency_place).values(shard=shard, next=0, at=0).on_conflict_do_nothing()
            connection.execute(made)
        moved = connection.execute(
            update(transparency_place)
            .where(transparency_place.c.shard == shard, transparency_place.c.next == before)
            .values(next=after.next, at=after.at)
        )
        if moved.rowcount != 1:
            connection.rollback()
            return False
        closed = connection.execute(select(func.max(transparency_month.c.month))).scalar()
        rows: dict[Key, tuple[int, int]] = {}
        for key, (many, took) in counts.items():
            open_key = key if closed is None or key[0][:_MONTH] > closed else (_after(closed), *key[1:])
            had = rows.get(open_key, (0, 0))
            rows[open_key] = (had[0] + many, had[1] + took)
        if rows:
            made = insert(transparency_count)
            more = {name: transparency_count.c[name] + made.excluded[name] for name in ("many", "took")}
            adding = made.on_conflict_do_update(index_elements=_KEY, set_=more)
            names = [column.name for column in transparency_count.c]
            connection.execute(
                adding, [dict(zip(names, (*key, *value), strict=True)) for key, value in sorted(rows.items())]
            )
    return True


def close(engine: Engine, month: Month) -> None:
    """Close a month, once."""
    with engine.begin() as connection:
        made = _insert(connection)(transparency_month).values(**month._asdict())
        connection.execute(made.on_conflict_do_nothing())


def months(engine: Engine) -> Sequence[Month]:
    """The closed months, the latest first."""
    with engine.connect() as connection:
        rows = connection.execute(select(transparency_month).order_by(transparency_month.c.month.desc()))
        return [Month(*row) for row in rows]


def first(engine: Engine) -> str | None:
    """The first month of which anything was counted."""
    with engine.connect() as connection:
        found = connection.execute(select(func.min(transparency_count.c.month))).scalar()
        return None if found is None else str(found)[:_MONTH]


def held(month: str) -> str:
    """Where what is held of a month is counted."""
    return f"{month}+"


def counts(engine: Engine, month: str, *, whole: bool = True) -> dict[Key, tuple[int, int]]:
    """What was counted of a month: how many, and the seconds that they took; unless `whole`, without what is held."""
    wanted = [month, held(month)] if whole else [month]
    found: dict[Key, tuple[int, int]] = {}
    with engine.connect() as connection:
        for row in connection.execute(select(transparency_count).where(transparency_count.c.month.in_(wanted))):
            key, had = (month, *row[1:5]), found.get((month, *row[1:5]), (0, 0))
            found[key] = (had[0] + row[5], had[1] + row[6])
    return found


_MONTH = len("2026-11")
_KEY = [column.name for column in transparency_count.primary_key.columns]


def _after(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def _insert(connection: Connection):  # type: ignore[no-untyped-def]
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert
