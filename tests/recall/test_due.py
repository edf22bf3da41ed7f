"""One look says what there is for turns to do, on both stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import insert, update

from gateway.errors import Code, Refusal
from gateway.recall.due import Due, Looks
from gateway.storage.recall.recalls import recall, recall_job, work
from gateway.storage.recall.work import alerted
from gateway.storage.rules import rulesets
from gateway.storage.tables import micros
from tests.acts.conftest import bare, desk, place, server, store
from tests.acts.desk import Desk, days
from tests.recall.delivering.test_alerts import broken
from tests.recall.receiving import recalled

__all__ = ["bare", "desk", "place", "server", "store"]

NOTHING = Due(False, False, False, False, False, None)


@pytest.fixture
def looks(desk: Desk) -> Iterator[Looks]:
    made = Looks(desk.office)
    yield made
    made.close()


async def test_recalls_are_due_at_their_moments(desk: Desk, looks: Looks) -> None:
    assert looks.due() == NOTHING
    due = micros(desk.now + days(1))
    recalled(desk.store.engine, "tender-office", at=due - 10**12)
    with desk.store.engine.begin() as connection:
        connection.execute(update(work).values(due=due))
    assert looks.due() == NOTHING
    desk.now += days(1)
    assert looks.due() == NOTHING._replace(overdue=True, work=True)
    with desk.store.engine.begin() as connection:
        connection.execute(update(recall).values(state="overdue", later=due + 1))
        connection.execute(update(work).values(due=due + 1))
    assert looks.due() == NOTHING
    desk.now += days(1)
    assert looks.due() == NOTHING._replace(suspending=True, work=True)


async def test_a_job_is_due_while_it_waits(desk: Desk, looks: Looks) -> None:
    job = {"id": "1", "cause": "corrected", "state": "waits", "at": 1, "filed_in": 1}
    with desk.store.engine.begin() as connection:
        connection.execute(insert(recall_job).values(**job))
    assert looks.due() == NOTHING._replace(jobs=True)
    with desk.store.engine.begin() as connection:
        connection.execute(update(recall_job).values(state="selected", selected=1))
    assert looks.due() == NOTHING


async def test_a_use_of_break_glass_is_due_until_it_was_told(desk: Desk, looks: Looks) -> None:
    id_ = broken(desk, "i-1")
    assert looks.due() == NOTHING._replace(glass=True)
    with desk.store.engine.begin() as connection:
        connection.execute(insert(alerted).values(id=f"break-glass.used:{id_}", at=1))
    assert looks.due() == NOTHING


async def test_it_names_the_rule_set_that_is_active(desk: Desk, looks: Looks) -> None:
    with desk.store.engine.begin() as connection:
        for epoch, digest in enumerate(("b" * 64, "a" * 64), 1):
            connection.execute(insert(rulesets.rule_set).values(digest=digest, files=b"", at=epoch))
            activation = {"epoch": epoch, "digest": digest, "how": "files", "at": epoch, "filed_in": epoch}
            connection.execute(insert(rulesets.activation).values(**activation))
    assert looks.due() == NOTHING._replace(active="a" * 64)


async def test_all_may_be_due_where_it_is_not_known(desk: Desk, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Due(True, True, True, True, True, None)

    def doubted() -> None:
        raise Refusal(Code.LEDGER_UNAVAILABLE, "the time is in doubt")

    with monkeypatch.context() as patch:
        patch.setattr(desk.office, "now", doubted)
        assert looks.due() == everything
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE work RENAME TO elsewhere")
    assert looks.due() == everything
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO work")
    assert looks.due() == NOTHING
