"""Work that processes take, each row by one of them at a time: what is to be delivered, and what was stopped or
notified.

Whoever takes a row moves its lease and its fence, in one statement (`take`), and finishes or puts it off by that fence.
So two processes never finish the same attempt; and what a killed one had is due again when its lease runs out.
Invariant: while somebody has a row its `due` is the end of the lease, so that who looks for what is due finds neither.

A lane is whom work is for. `delivery_stop` has those to whom nothing is sent until a person says so; `alerted` what an
operator was told of, so that nobody is told twice. All times are microseconds since the epoch.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Delete,
    Engine,
    Integer,
    Table,
    Text,
    Update,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.types import TypeEngine

from gateway.storage.recall.recalls import Work, work
from gateway.storage.statement import Statement
from gateway.storage.tables import metadata

_number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

DELIVER = "deliver"
"""The kind of work that tells a recipient of a recall (`what`)."""

delivery_stop = Table(
    "delivery_stop",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("at", _number, nullable=False),
    Column("filed_in", _number, nullable=False),  # the entry that says why
)

alerted = Table(
    "alerted",
    metadata,
    Column("id", Text, primary_key=True),  # what it was, and of which id
    Column("at", _number, nullable=False),
)


class Lane(NamedTuple):
    """A lane that has work, and when the first of it is due."""

    lane: str
    due: int


# A step from each lane to the next, by the index: however much waits in one, it is one look.
_LANES = text(
    "WITH RECURSIVE step(lane) AS (SELECT min(lane) FROM work"
    " UNION ALL SELECT (SELECT min(lane) FROM work WHERE work.lane > step.lane) FROM step WHERE step.lane IS NOT NULL)"
    " SELECT lane, (SELECT min(due) FROM work WHERE work.lane = step.lane) FROM step WHERE lane IS NOT NULL"
)


def lane_of(issuer: str, client: str) -> str:
    """The lane of a recipient."""
    return json.dumps([issuer, client])


def recipient_of(lane: str) -> tuple[str, str]:
    """Issuer and client of a recipient's lane."""
    issuer, client = json.loads(lane)
    return issuer, client


def to_deliver(recall: str, issuer: str, client: str, due: int) -> dict[str, Any]:
    """The row of work that notifies a recipient of a recall; it commits with the recall."""
    return {
        "id": recall, "kind": DELIVER, "what": recall, "lane": lane_of(issuer, client), "due": due,
        "attempt": 0, "lease": 0, "fence": 0,
    }  # fmt: skip


def not_to_deliver(recall: str) -> Delete:
    """The statement that takes a recipient's work away, as with its acknowledgement; whoever has it then loses it."""
    return delete(work).where(work.c.id == recall)


def lanes(engine: Engine) -> list[Lane]:
    """Every lane that has work."""
    with engine.connect() as connection:
        return [Lane._make(row) for row in connection.execute(_LANES)]


def stopped(connection: Connection) -> set[str]:
    """The lanes to which nothing is sent."""
    return set(connection.execute(select(delivery_stop.c.lane)).scalars())


def take(engine: Engine, lane: str, now: int, lease: int, most: int) -> list[Work]:
    """Take what is due of a lane, at most so many rows, the first first; they are the caller's until `lease`.

    Each row as it is now: its `fence` is what finishes it, its `attempt` says the how manyth this is.
    """
    due = select(work.c.id).where(work.c.lane == lane, work.c.due <= now).order_by(work.c.due, work.c.id).limit(most)
    # The condition appears twice: a row that another took meanwhile is looked at again before it is moved.
    taking = (
        update(work)
        .where(work.c.id.in_(due.scalar_subquery()), work.c.due <= now)
        .values(due=lease, lease=lease, fence=work.c.fence + 1, attempt=work.c.attempt + 1)
        .returning(*work.c)
    )
    with engine.begin() as connection:
        return sorted((Work._make(row) for row in connection.execute(taking)), key=lambda each: each.id)


def finishing(taken: Work) -> Delete:
    """The statement that ends work; it changes no row where somebody else has it by now."""
    return delete(work).where(work.c.id == taken.id, work.c.fence == taken.fence)


def putting_off(taken: Work, due: int) -> Update:
    """The statement that gives work back, to be done again at `due`; it changes no row where somebody else has it."""
    return update(work).where(work.c.id == taken.id, work.c.fence == taken.fence).values(due=due, lease=0)


def finish(engine: Engine, taken: Work) -> bool:
    """End work; false where somebody else has it by now."""
    return _moved(engine, finishing(taken))


def put_off(engine: Engine, taken: Work, due: int) -> bool:
    """Give work back, to be done again at `due`; false where somebody else has it by now."""
    return _moved(engine, putting_off(taken, due))


def hurry(engine: Engine, lane: str, now: int) -> None:
    """Have all of a lane that was put off done now: whom it is for can be reached again."""
    with engine.begin() as connection:
        connection.execute(update(work).where(work.c.lane == lane, work.c.due > now, work.c.lease == 0).values(due=now))


def drop(engine: Engine, lane: str, most: int = 500) -> int:
    """Take away work of a lane that nobody is to be notified of, at most so much; returns how much it was."""
    some = select(work.c.id).where(work.c.lane == lane).limit(most)
    with engine.begin() as connection:
        return connection.execute(delete(work).where(work.c.id.in_(some.scalar_subquery()))).rowcount


_WAITING = select(func.count(), func.min(work.c.due)).select_from(work)
WAITING = Statement(_WAITING)
"""How much work there is, and when the first of it is or was due."""


def waiting(engine: Engine) -> tuple[int, int | None]:
    """As `WAITING`."""
    with engine.connect() as connection:
        return tuple(connection.execute(_WAITING).one())


def _moved(engine: Engine, statement: Delete | Update) -> bool:
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1
