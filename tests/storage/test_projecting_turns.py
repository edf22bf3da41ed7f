"""The projections on both stores are taken further a turn at a time, by one gateway, and others are let in between."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import io
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, text
from sqlalchemy.exc import OperationalError

from gateway.ledger.projections import positions, projector
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.worker import run
from gateway.storage.port import Store
from gateway.storage.projections import counted as counts
from gateway.storage.projections import projecting as kept
from gateway.storage.projections.tables import NAMES
from gateway.telemetry.log import Log
from tests.ledger import projecting
from tests.ledger.projecting import (
    check,
    enter,
    enter_all,
    reached,
    whole,
)
from tests.ledger.support import AT, opened
from tests.storage.conftest import Place
from tests.storage.projected import LOG, turns
from tests.waiting import until_async


async def test_what_counts_no_more_is_removed_and_looked_for_again_a_while_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old(count: int) -> None:
        with store.engine.begin() as connection:
            made = [counts.Row(n, n % 3, 1, n, n, None, None, None)._asdict() for n in range(count)]
            connection.execute(insert(counts.counted), made)

    def left() -> int:
        with store.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(counts.counted)).scalar_one())

    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
    one = Projector(store)
    turns(one)
    own = left()
    old(10)
    turns(one)
    assert left() == own + 10, "all was looked through just now"
    monkeypatch.setattr(projector, "_ROUND", 0.0)
    monkeypatch.setattr(counts, "_SLICE", 4)
    for _ in range(10):
        one.turn()
    assert left() == own
    one.close()


@pytest.mark.parametrize("batch", [5, 100], ids=["more wait", "no more wait"])
async def test_a_turn_leaves_the_store_to_others_in_between(
    store: Store, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[Any, int, int]] = []
    advance = projector.kept.advance

    def noted(engine: Any, names: Any, shard: int, first: int, last: int, rows: Any) -> bool:
        written.append((names, first, last))
        return advance(engine, names, shard, first, last, rows)

    monkeypatch.setattr(projector.kept, "advance", noted)
    monkeypatch.setattr(projector, "MANY", 3)
    monkeypatch.setattr(projector, "FEW", 2)
    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
    one = Projector(store, batch)
    assert one.turn()
    most, end = (3, batch) if one.behind else (2, len(LOG))
    assert written == [
        (names, first, min(first + most, end)) for names in projector.TOGETHER for first in range(0, end, most)
    ]
    check(store)
    turns(one)
    assert whole(store)
    one.close()


def test_each_projection_is_taken_further_by_one_transaction() -> None:
    assert sorted(name for names in projector.TOGETHER for name in names) == sorted(NAMES)


@pytest.mark.parametrize("transactions", range(1, 9))
async def test_one_that_ends_between_two_transactions_is_gone_on_from(
    store: Store, transactions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What some projections have then and others have not yet is made by a turn of the next."""
    advance, left = projector.kept.advance, [*range(transactions)]

    def ended(*arguments: Any) -> bool:
        if not left:
            raise OperationalError("", {}, Exception("it was killed"))
        left.pop()
        return advance(*arguments)

    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
    one = Projector(store)
    with monkeypatch.context() as while_it_lasts:
        while_it_lasts.setattr(projector.kept, "advance", ended)
        while_it_lasts.setattr(projector, "FEW", 2)
        with pytest.raises(OperationalError, match="killed"):
            turns(one)
    assert len({*reached(store).values()}) > 1
    check(store)
    turns(Projector(store, 3))
    check(store)
    assert whole(store)
    one.close()


async def test_a_shard_with_few_entries_does_not_wait_for_one_that_gets_more_each_turn(store: Store) -> None:
    one = Projector(store, 4)
    async with opened(store) as busy, opened(store) as quiet:
        await enter_all(busy, LOG)
        await enter_all(quiet, LOG[:2])
        assert one.turn()
        assert one.waiting
        await enter_all(busy, LOG)
        assert one.turn()
        assert not one.waiting
        with contextlib.closing(store.reader()) as reader:
            of = positions.covered(reader, "looked")
        few, many = sorted(of.sizes, key=lambda shard: of.sizes[shard])
        assert (of.next[few], of.next[many]) == (2, 4)
    one.close()


async def test_of_two_that_project_one_goes_on(store: Store) -> None:
    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
    one, other = Projector(store, 3), Projector(store, 5)
    first, second = one.read(), other.read()
    assert first is not None
    assert second is not None
    assert one.write(*first)
    assert not other.write(*second)
    turns(other)
    check(store)
    assert whole(store)


async def test_a_damaged_entry_stops_its_shard_there_and_no_other(store: Store) -> None:
    async with opened(store) as ledger, opened(store) as other:
        await enter_all(ledger, LOG)
        await enter_all(other, LOG)
    with store.engine.begin() as connection:
        connection.execute(
            text("UPDATE entry SET told = :told WHERE id = :id"),
            {"told": bytes(90), "id": (1 << projecting.SHARD_BITS) + 4},
        )
    projector = Projector(store, 3)
    turns(projector)
    assert [each[:2] for each in projector.stopped.values()] == [("1", 4)]
    assert set(reached(store).items()) == {((name, shard), at) for name in NAMES for shard, at in ((1, 4), (2, 7))}
    with store.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM entry_requester WHERE entry = :id"), {"id": (2 << projecting.SHARD_BITS) + 3}
        )
        connection.execute(text("DELETE FROM entry WHERE id = :id"), {"id": (2 << projecting.SHARD_BITS) + 3})
    kept.start_over(store.engine, NAMES)
    again = Projector(store, 100)
    turns(again)
    assert sorted(each[:2] for each in again.stopped.values()) == [("1", 4), ("2", 3)]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
async def test_a_key_that_is_destroyed_while_a_position_is_made_waits(place: Place) -> None:
    """On PostgreSQL: on SQLite there is one writer at a time. An erasure keeps a position from being made beside it."""
    store = place.open()
    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
    waiting = place.open().engine
    event.listen(waiting, "begin", lambda connection: connection.execute(text("SET LOCAL lock_timeout = '50ms'")))
    with store.engine.connect() as connection:
        connection.execute(text("UPDATE projected SET next = next"))
        with pytest.raises(OperationalError, match="lock timeout"):
            kept.begin(waiting, [1])
        connection.commit()
        kept.begin(waiting, [1])
    assert set(reached(store).values()) == {0}


async def test_of_two_gateways_one_projects_and_the_other_takes_its_place(place: Place) -> None:
    """As the process of each runs it, on a store of its own; commits that need not be on the disk are still whole."""
    store, lines = place.open(), io.StringIO()
    async with opened(store) as ledger:
        await enter_all(ledger, LOG)
        stops = [asyncio.Event(), asyncio.Event()]
        async with asyncio.TaskGroup() as group:
            for stopping in stops:
                own = place.open()
                kept.unhurried(own.engine)
                group.create_task(run(own, Log(lines), stopping, rest=0.1))
            for number, stopping in enumerate(stops):
                await enter(ledger, LOG[1], 10 + number, AT + datetime.timedelta(hours=1 + number))
                await until_async("all to be projected", lambda: whole(store))
                stopping.set()
    check(store)
    assert lines.getvalue() == ""
