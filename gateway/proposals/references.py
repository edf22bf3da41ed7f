"""What in the store a rule set would leave behind: purposes and datasets that people's matters still refer to.

An open matter, a consent in force, a suspension or an open recall names a purpose or a dataset; a rule set without it
would leave nobody to answer. So it is refused, in the transaction that would activate it.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, func, or_, select, text

from gateway.storage.recall.recalls import OPEN, recall
from gateway.storage.subjects.acts import WAITS, matter
from gateway.storage.subjects.facts import fact

_IN_FORCE = text("ended IS NULL")
_CONSENT, _SUSPENSION = "consent", "suspension"


def broken(
    connection: Connection, purposes: Collection[str], published: Collection[str], today: datetime.date
) -> list[str]:
    """What refers to a purpose, or a dataset, that would be there no more, in words; nothing where all are there."""
    return [
        *_purposes(connection, purposes, today),
        *_datasets(connection, published),
    ]


def _purposes(connection: Connection, there: Collection[str], today: datetime.date) -> Iterator[str]:
    waiting = (
        select(matter.c.purpose, func.count()).where(WAITS, matter.c.purpose.is_not(None)).group_by(matter.c.purpose)
    )
    yield from _told(connection.execute(waiting), there, "purpose", "open matter")
    over = or_(fact.c.until.is_(None), fact.c.until >= today.isoformat())
    holding = select(fact.c.purpose, func.count()).where(_IN_FORCE, over, fact.c.kind.in_((_CONSENT, _SUSPENSION)))
    yield from _told(
        connection.execute(holding.group_by(fact.c.purpose)),
        there,
        "purpose",
        "consent or suspension in force",
    )


def _datasets(connection: Connection, there: Collection[str]) -> Iterator[str]:
    recalled = (
        select(recall.c.dataset, func.count()).where(OPEN, recall.c.dataset.is_not(None)).group_by(recall.c.dataset)
    )
    yield from _told(connection.execute(recalled), there, "dataset", "open recall")
    waiting = (
        select(matter.c.dataset, func.count()).where(WAITS, matter.c.dataset.is_not(None)).group_by(matter.c.dataset)
    )
    yield from _told(connection.execute(waiting), there, "dataset", "open matter")


def _told(rows: Iterable[Any], there: Collection[str], what: str, by: str) -> Iterator[str]:
    for name, count in sorted((name, count) for name, count in rows if name is not None and name not in there):
        many = "s" if count > 1 and not by.endswith("force") else ""
        verb = "refer" if count > 1 else "refers"
        yield f"{what} `{name}` would be gone, and {count:,} {by}{many} {verb} to it; keep it until that is over"
