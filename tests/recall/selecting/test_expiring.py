"""What may not be displayed any more is recalled from whoever received it, once its last day is over."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from sqlalchemy import select

from gateway.recall.selecting import expiring
from gateway.recall.selecting.expiring import Expiring, number_of
from gateway.storage.projections import projecting
from gateway.storage.projections.projecting import drop_some, start_over
from gateway.storage.recall.recalls import expiry_head
from tests.acts.desk import organisation
from tests.recall.room import WAIT, Room, named

NIGHT = datetime.datetime(2026, 11, 26, 22, 0, tzinfo=datetime.UTC)
"""The midnight in Sofia after the 26th."""
LAST = datetime.date(2026, 11, 26)
LATER = datetime.date(2027, 1, 1)


async def noted(room: Room, at: datetime.datetime) -> int:
    """How many acts note what ended, at a moment."""
    room.desk.now = at
    await asyncio.to_thread(room.project)
    acts, turns = Expiring(room.desk.office, WAIT), 0
    while await acts.turn():
        turns += 1
    return turns


async def test_a_record_is_recalled_after_its_last_day_and_not_before(room: Room) -> None:
    who = organisation()
    both = await room.answer(who, "N-1@1", "N-2@1", until=[LAST, LATER])
    await room.answer(who, "N-3@1", until=[LATER])
    await room.answer(who, "N-4@1", until=[None])
    await room.answer(who, "N-1@1", until=[LAST], own=True)
    assert room.desk.office.zone.key == "Europe/Sofia"
    assert await noted(room, NIGHT - datetime.timedelta(microseconds=1)) == 0
    assert await noted(room, NIGHT + WAIT - datetime.timedelta(microseconds=1)) == 0
    assert await noted(room, NIGHT + WAIT) == 1
    assert await noted(room, NIGHT + WAIT) == 0
    assert named(await room.select()) == [(both, "market-regulator", "delete", ["N-1@1"])]
    (job,) = room.jobs()
    assert (job.cause, job.day, job.found) == ("expired", number_of(LAST), 1)
    (told,) = [each for each in room.desk.acts() if each.what == "display-ended"]
    assert (told.due, told.scheme, told.value) == (LAST, None, None)


async def test_what_ended_while_nobody_looked_is_made_good_once(room: Room) -> None:
    who, days = organisation(), [LAST + datetime.timedelta(days=n) for n in range(4)]
    for day in days:
        await room.answer(who, "N-1@1", until=[day])
    assert await noted(room, NIGHT + datetime.timedelta(days=3)) == 3
    assert len(await room.select()) == 3
    assert await noted(room, NIGHT + datetime.timedelta(days=3, hours=1)) == 1
    assert len(await room.select()) == 4


async def test_many_are_noted_in_slices_and_by_one_of_two(room: Room, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(expiring, "SLICE", 2)
    for _ in range(5):
        await room.answer(organisation(), "N-1@1", until=[LAST])
    room.desk.now = NIGHT + WAIT
    await asyncio.to_thread(room.project)
    one, other = Expiring(room.desk.office, WAIT), Expiring(room.desk.office, WAIT)
    while any(await asyncio.gather(one.turn(), other.turn())):
        """There is more."""
    assert len(room.jobs()) == 5
    assert len(await room.select()) == 5
    with room.store.engine.connect() as connection:
        assert connection.execute(select(expiry_head.c.day)).scalar_one() == number_of(LAST)


async def test_an_answer_about_several_subjects_is_recalled_for_each(room: Room) -> None:
    first, second = organisation(), organisation()
    await room.answer(first, "N-1@1", until=[LAST], also=second)
    await noted(room, NIGHT + WAIT)
    rows = await room.select()
    assert sorted((row.scheme, row.value) for row in rows) == sorted([first[1:], second[1:]])


async def test_what_is_not_projected_yet_is_waited_for(room: Room) -> None:
    await room.answer(organisation(), "N-1@1", until=[LAST])
    room.desk.now = NIGHT
    await asyncio.to_thread(room.project)
    late = await room.answer(organisation(), "N-1@1", until=[LAST - datetime.timedelta(days=1)])
    room.desk.now = NIGHT + WAIT
    turn = Expiring(room.desk.office, WAIT)
    assert not await turn.turn(), "its projection is behind"
    await asyncio.to_thread(room.project)
    while await turn.turn():
        """There is more."""
    assert late in {row.inquiry for row in await room.select()}


async def test_nothing_is_passed_over_where_a_rebuild_begins_meanwhile(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [await room.answer(organisation(), "N-1@1", until=[LAST + datetime.timedelta(days=n)]) for n in range(2)]
    room.desk.now = NIGHT + datetime.timedelta(days=1) + WAIT
    await asyncio.to_thread(room.project)
    turn = Expiring(room.desk.office, WAIT)
    looked = turn._due

    def dropped_after() -> bool:
        due = looked()
        with monkeypatch.context() as each:
            each.setattr(projecting, "_SLICE", 1)
            start_over(room.store.engine, ("displayed",))
            drop_some(room.store.engine, "displayed")
        return due

    with monkeypatch.context() as patched:
        patched.setattr(turn, "_due", dropped_after)
        assert await turn.turn()
    await asyncio.to_thread(room.project)
    while await turn.turn():
        """There is more."""
    assert [row.inquiry for row in await room.select()] == both
