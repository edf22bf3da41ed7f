"""`displayed` is a set that several entries give: what a projector need not send again, and what is found missing."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from sqlalchemy import delete, update

from gateway.errors import VerificationFailed
from gateway.ledger.projections.projector import Projector
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.projections import projecting as kept
from gateway.storage.projections.tables import displayed
from gateway.storage.recall.recalls import expiry_head
from tests.ledger.pair import erase
from tests.ledger.projecting import Asked, enter, enter_all, rows
from tests.ledger.support import AT, SUBJECT, VERIFIERS, disclosed, opened

ENDS = datetime.date(2029, 3, 31)


def project(store: Store, with_: Projector | None = None) -> None:
    projector = with_ or Projector(store)
    while projector.turn():
        """There is more."""
    if with_ is None:
        projector.close()


def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each transaction of the projection is given from now on."""
    found: list[int] = []
    advance = kept.advance

    def noted(engine: Any, names: Any, shard: int, first: int, last: int, rows: Any) -> bool:
        if "displayed" in names:
            found.append(len(rows.displayed))
        return advance(engine, names, shard, first, last, rows)

    monkeypatch.setattr(kept, "advance", noted)
    return found


async def test_what_was_shown_before_is_not_sent_again_and_stands_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, projector = sent(monkeypatch), Projector(store)
    async with opened(store) as ledger:
        await enter_all(ledger, [Asked(), Asked(1)])
        project(store, projector)
        await enter_all(ledger, [Asked(), Asked(2, records=((1, 1), (2, 1)))])
        project(store, projector)
    assert found == [1, 2]
    assert [(day, dataset, since) for day, dataset, _, since in sorted(rows(store)["displayed"])] == [
        (20_001, "tax-arrears", 18_906), (20_002, "tax-arrears", 18_907)
    ]  # fmt: skip
    projector.close()


@pytest.mark.parametrize("by_itself", [True, False])
async def test_what_was_dropped_is_sent_again(store: Store, by_itself: bool) -> None:
    """Whoever makes it again: a projector that remembers what was there, or another before it goes on."""
    projector = Projector(store)
    async with opened(store) as ledger:
        await enter_all(ledger, [Asked(subjects=(0, 1)), Asked(1, datasets=(1,))])
        project(store, projector)
        before = rows(store)["displayed"]
        kept.start_over(store.engine, ["displayed"])
        project(store, projector if by_itself else None)
        assert rows(store)["displayed"] == before
        await enter(ledger, Asked(2, datasets=(1,)), 3, AT + datetime.timedelta(hours=1))
        project(store, projector)
    assert rows(store)["displayed"] == before
    projector.close()


async def test_of_a_subject_that_was_erased_no_row_is_left_and_none_comes_again(store: Store) -> None:
    projector = Projector(store)
    async with opened(store) as ledger:
        await disclosed(ledger, 1, until=ENDS)
        project(store, projector)
        assert len(rows(store)["displayed"]) == 1
        await disclosed(ledger, 2, until=ENDS + datetime.timedelta(days=1))
        taken = projector.read()
        assert taken is not None
        await erase(store, ledger, SUBJECT)
        with store.engine.begin() as connection:
            connection.execute(delete(displayed))  # as an erasure's own transaction does
        assert projector.write(*taken), "read before, written after"
        project(store, projector)
    assert not rows(store)["displayed"]
    projector.close()


async def test_a_day_of_display_that_is_missing_is_found_until_it_is_over_and_noted(store: Store) -> None:
    async with opened(store) as ledger:
        await enter_all(ledger, [Asked(), Asked()])
    project(store)
    [(day, *_)] = rows(store)["displayed"]
    assert isinstance(day, int)
    verify_store(store, VERIFIERS)
    with store.engine.begin() as connection:
        connection.execute(delete(displayed))
        connection.execute(update(expiry_head).values(day=day))
    with pytest.raises(VerificationFailed, match="entry 0: it is missing from the projection `displayed`"):
        verify_store(store, VERIFIERS)
    with store.engine.begin() as connection:
        connection.execute(update(expiry_head).values(day=day + 1))
    verify_store(store, VERIFIERS)
