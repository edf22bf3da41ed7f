"""Subjects erased as commands do it, and every table of a store as text."""

from __future__ import annotations

import datetime

from sqlalchemy import inspect, text

from connectors.base import Subject
from gateway.ledger.erasure import erase
from gateway.ledger.erasure.blockers import BLOCKERS
from gateway.storage.port import Store
from tests.ledger.support import opened


async def erased(store: Store, subject: Subject) -> None:
    async with opened(store) as ledger:
        asked = await erase.request(ledger, subject[1:], "A. Clerk", "court order 7", "clerk")
    await approved(store, asked.id)


async def approved(store: Store, id_: str) -> None:
    async with opened(store) as ledger:
        await erase.approve(ledger, id_, "B. Judge", "judge", BLOCKERS, datetime.timedelta(days=35))


def dumped(store: Store) -> str:
    """Every row of every table."""
    found = []
    with store.engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for each in connection.execute(text(f'SELECT * FROM "{table}"')):
                found.append(f"{table}: {[bytes(part) if isinstance(part, memoryview) else part for part in each]}")
    return "\n".join(sorted(found))
