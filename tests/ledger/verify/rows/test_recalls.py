"""Recalls against their entries: whatever is removed, altered, made up or set back is named."""

from __future__ import annotations

import datetime

import pytest
from sqlalchemy import delete, insert, select, text

from gateway.errors import VerificationFailed
from gateway.ledger.verify.store import verify_store
from gateway.storage.recall.recalls import recall, recall_job
from tests.ledger.support import VERIFIERS
from tests.recall.conftest import bare, place, region, server
from tests.recall.telling import ENVIRONMENT, Telling

__all__ = ["bare", "place", "region", "server"]

HOUR = datetime.timedelta(hours=1)
KEPT = (recall, recall_job)
ONE = "(SELECT id FROM recall WHERE {} ORDER BY id LIMIT 1)"
OPEN, LATE, DONE, REFUSED, FOLLOWS, RESTS = (
    ONE.format(f"state = '{state}' AND {more}")
    for state, more in (
        ("open", "outcome IS NULL"),
        ("overdue", "1 = 1"),
        ("acknowledged", "1 = 1"),
        ("open", "outcome = 'refused'"),
        ("overdue", "later IS NOT NULL"),
        ("overdue", "suspension IS NOT NULL"),
    )
)
ALTERED = {
    "a recall that was removed": (f"DELETE FROM recall WHERE id = {OPEN}", "is about it, and its row is gone"),
    "a recall of another record": (
        f"UPDATE recall SET records = replace(records, 'record', 'recorb') WHERE id = {OPEN}",
        "is about something else",
    ),
    "a recall of another recipient": (f"UPDATE recall SET client = 'x' WHERE id = {OPEN}", "records otherwise"),
    "a recall of another dataset": (f"UPDATE recall SET dataset = 'x' WHERE id = {OPEN}", "is about something else"),
    "a recall to do something else": (
        f"UPDATE recall SET action = 'clear-disputed' WHERE id = {OPEN}",
        "records otherwise",
    ),
    "a recall of another number": (f"UPDATE recall SET sequence = 99 WHERE id = {OPEN}", "records otherwise"),
    "a recall that is due later": (f"UPDATE recall SET due = due + 1 WHERE id = {OPEN}", "has another term"),
    "a recall of nobody": (
        f"UPDATE recall SET scheme = NULL, value = NULL, records = NULL WHERE id = {OPEN}",
        "none was erased",
    ),
    "a recall that nobody answered": (
        f"UPDATE recall SET state = 'acknowledged', outcome = 'applied', answered = at WHERE id = {OPEN}",
        "was not answered so",
    ),
    "a recall that another's answer is of": (
        "UPDATE recall SET state = 'acknowledged', outcome = 'applied', answered = at,"
        f" moved_in = (SELECT moved_in FROM recall WHERE id = {DONE}) WHERE id = {OPEN}",
        "no entry is of its answer",
    ),
    "a refusal that was taken for an answer": (
        f"UPDATE recall SET state = 'acknowledged', outcome = 'applied' WHERE id = {REFUSED}",
        "its last answer records otherwise",
    ),
    "a refusal that is the end of it": (
        f"UPDATE recall SET state = 'acknowledged' WHERE id = {REFUSED}",
        "was not answered so",
    ),
    "an answer that was taken back": (
        f"UPDATE recall SET state = 'open', outcome = NULL, answered = NULL, moved_in = NULL WHERE id = {DONE}",
        "it was set back",
    ),
    "one that is not overdue any more": (
        f"UPDATE recall SET state = 'open' WHERE id = {LATE}",
        "an entry records that it is overdue",
    ),
    "one that is overdue already": (
        f"UPDATE recall SET state = 'overdue' WHERE id = {OPEN}",
        "no entry records that it is overdue",
    ),
    "a recall of another job": (f"UPDATE recall SET job = 'x' WHERE id = {OPEN}", "its job `x` is gone"),
    "a job that was removed": (
        f"DELETE FROM recall_job WHERE id = (SELECT job FROM recall WHERE id = {OPEN})",
        "is gone",
    ),
    "one of other fields": (f"UPDATE recall SET records = replace(records, 'status', 'x') WHERE id = {OPEN}", "else"),
    "one that was delivered": (
        f"UPDATE recall SET delivered = at WHERE id = {OPEN}",
        "no entry records that it was del",
    ),
    "one that suspends later": (
        f"UPDATE recall SET later = later * 2 WHERE id = {FOLLOWS}",
        "suspension follows",
    ),
    "one that suspends never": (f"UPDATE recall SET later = NULL WHERE id = {FOLLOWS}", "suspension follows"),
    "one that suspends early": (f"UPDATE recall SET later = due + 1 WHERE id = {OPEN}", "suspension follows"),
    "one that a suspension rests on": (f"UPDATE recall SET suspension = 'x' WHERE id = {OPEN}", "suspension rests on"),
    "a suspension that rests on nothing": (
        f"UPDATE recall SET suspension = NULL WHERE id = {RESTS}",
        "suspension rests on",
    ),
    "one that suspends again": (
        f"UPDATE recall SET later = due + 1 WHERE id = {RESTS}",
        "suspension follows",
    ),
    "a job of another subject": ("UPDATE recall_job SET value = 'x' WHERE cause = 'unreported'", "no act records it"),
    "a job of another record": ("UPDATE recall_job SET record = 'x' WHERE cause = 'unreported'", "no act records it"),
    "a job of nobody": ("UPDATE recall_job SET scheme = NULL, value = NULL", "no act records it"),
    "a job of another version": (
        "UPDATE recall_job SET new_version = 'x' WHERE cause = 'unreported'",
        "no act records it",
    ),
    "a job of another day": ("UPDATE recall_job SET day = day + 1 WHERE cause = 'expired'", "no act records it"),
    "a job of another cause": (
        "UPDATE recall_job SET cause = 'cleared' WHERE cause = 'unreported'",
        "no act records it",
    ),
    "a job that found more": ("UPDATE recall_job SET found = found + 1", "does not have the 2 recalls"),
}


async def everything(region: Telling) -> None:
    """A recall in each state: suspended, overdue, applied, refused and open."""
    await region.suspended(ENVIRONMENT)
    await region.told(await region.received(region.firm()), term=HOUR)
    await region.later(HOUR)
    await region.answered(await region.recalled())
    await region.answered(await region.recalled(), "REFUSED", reason="A law keeps it.")
    await region.recalled("update")


def test_what_is_altered_is_named(region: Telling) -> None:
    async def go() -> None:
        await everything(region)
        store = region.replica.store
        verify_store(store, VERIFIERS)
        with store.engine.connect() as connection:
            right = {table: [dict(row._mapping) for row in connection.execute(select(table))] for table in KEPT}
        for statement, why in ALTERED.values():
            with store.engine.begin() as connection:
                assert connection.execute(text(statement)).rowcount > 0, statement
            with pytest.raises(VerificationFailed, match=why):
                verify_store(store, VERIFIERS)
            with store.engine.begin() as connection:
                for table, rows in right.items():
                    connection.execute(delete(table))
                    connection.execute(insert(table), rows)
        verify_store(store, VERIFIERS)

    region.world.run(go())


def test_rows_are_looked_at_where_that_is_asked_for(region: Telling) -> None:
    async def go() -> None:
        await everything(region)
        with region.replica.store.engine.begin() as connection:
            connection.execute(delete(recall))
        verify_store(region.replica.store, VERIFIERS, rows=False)

    region.world.run(go())


def test_a_recall_that_was_made_up_is_named(region: Telling) -> None:
    async def go() -> None:
        await everything(region)
        store = region.replica.store
        with store.engine.begin() as connection:
            names = [row[0] for row in connection.execute(text("SELECT * FROM recall")).cursor.description]
            others = ", ".join("'x'" if name in ("id", "dataset") else name for name in names)
            connection.execute(text(f"INSERT INTO recall SELECT {others} FROM recall WHERE id = {OPEN}"))
        with pytest.raises(VerificationFailed, match="6 have rows, and 5 have entries"):
            verify_store(store, VERIFIERS)

    region.world.run(go())
