"""Sessions of people at the pages: a sealed row each.

A row's id is the digest of what the browser holds, and its content opens with that alone: whoever reads the store can
neither take a session over nor see whose it is. Rows are not part of the ledger and may go at any time; whoever's goes
signs in again. All times are microseconds since the epoch.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Engine, Index, LargeBinary, Table, delete, insert, or_, select, update

from gateway.storage.tables import metadata

console_session = Table(
    "console_session",
    metadata,
    Column("id", LargeBinary(32), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Index("console_session_ends", "ends"),
)


class Row(NamedTuple):
    """A session as it is stored: `seen` is about when it was last used, `ends` when it is over whatever is done."""

    sealed: bytes
    seen: int
    ends: int


def add(engine: Engine, id_: bytes, row: Row, idle_before: int, now: int) -> None:
    """Add one, and delete those that are over: not seen since `idle_before`, or past their end."""
    over = or_(console_session.c.ends <= now, console_session.c.seen <= idle_before)
    with engine.begin() as connection:
        connection.execute(delete(console_session).where(over))
        connection.execute(insert(console_session).values(id=id_, **row._asdict()))


def one(engine: Engine, id_: bytes) -> Row | None:
    """The session of that id."""
    with engine.connect() as connection:
        columns = [console_session.c[name] for name in Row._fields]
        row = connection.execute(select(*columns).where(console_session.c.id == id_)).first()
    return None if row is None else Row._make(row)


def change(engine: Engine, id_: bytes, sealed: bytes, seen: int, ends: int | None = None) -> None:
    """Keep what a session has now, that it was used, and where given when it ends; one that is gone stays gone."""
    with engine.begin() as connection:
        values = {"sealed": sealed, "seen": seen} | ({} if ends is None else {"ends": ends})
        connection.execute(update(console_session).where(console_session.c.id == id_).values(**values))


def swap(engine: Engine, id_: bytes, before: bytes, sealed: bytes, seen: int) -> bool:
    """Keep what a session has now where it still had what was there `before`; gives whether it had."""
    with engine.begin() as connection:
        same = (console_session.c.id == id_) & (console_session.c.sealed == before)
        values = {"sealed": sealed, "seen": seen}
        return connection.execute(update(console_session).where(same).values(**values)).rowcount == 1


def remove(engine: Engine, id_: bytes) -> None:
    """End one."""
    with engine.begin() as connection:
        connection.execute(delete(console_session).where(console_session.c.id == id_))
