"""What a shortened period ends before the day that was told is recalled, once, and nothing else."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from connectors.base import Subject
from gateway.ledger.projections import positions
from gateway.ledger.verify.store import verify_store
from gateway.recall.selecting import shortening
from gateway.recall.selecting.expiring import Expiring, number_of
from gateway.recall.selecting.shortening import Shortening
from gateway.storage.port import Reader
from gateway.storage.projections.projecting import drop_some, start_over
from gateway.storage.projections.tables import received
from gateway.storage.recall.recalls import recall
from tests.acts.desk import organisation
from tests.ledger.support import VERIFIERS
from tests.recall.periods import activated, displayed, forgotten
from tests.recall.room import ARREARS, WAIT, Room, named

SINCE = datetime.date(2025, 3, 31)
TOLD = datetime.date(2028, 3, 31)
"""Three years later."""
FIRST = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)


def active(room: Room, longest: str | None, at: datetime.datetime | None = None) -> None:
    room.desk.now = at or room.desk.now
    room.desk.rules = displayed(room.desk.rules, ARREARS, longest)
    activated(room.store, room.desk.rules, room.desk.now)


async def noted(room: Room, wait: datetime.timedelta = WAIT) -> int:
    """How many acts note what ended, some time later."""
    room.desk.now += wait
    await asyncio.to_thread(room.project)
    before, turn = len(of(room)), Shortening(room.desk.office, WAIT)
    while await turn.turn():
        """There is more."""
    return len(of(room)) - before


def of(room: Room) -> list[tuple[str, datetime.date | None, datetime.date | None]]:
    acts = [each for each in room.desk.acts() if each.what == "display-shortened"]
    return [(each.dataset, each.since, each.due) for each in acts]


async def test_what_ended_by_the_new_period_is_recalled_and_nothing_else(room: Room) -> None:
    active(room, "P3Y", FIRST)
    who, later = organisation(), SINCE + datetime.timedelta(days=600)
    both = await room.answer(who, "N-1@1", "N-2@1", since=[SINCE, later], until=[TOLD, datetime.date(2029, 11, 21)])
    await room.answer(who, "N-2@1", since=[later], until=[datetime.date(2029, 11, 21)])
    await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD], own=True)
    await room.answer(who, "N-1@1", until=[TOLD])  # from before the first day was kept
    await room.answer(who, "P-1@1", dataset="environmental-penalties", since=[SINCE], until=[TOLD])
    assert await noted(room) == 0
    active(room, "P18M")
    assert await noted(room, WAIT - datetime.timedelta(microseconds=1)) == 0, "an inquiry of before may go on"
    assert await noted(room) == 1
    assert await noted(room) == 0
    assert named(await room.select()) == [(both, "market-regulator", "delete", ["N-1@1"])]
    assert of(room) == [(ARREARS, SINCE, datetime.date(2026, 9, 30))]
    (job,) = room.jobs()
    assert (job.cause, job.since, job.day) == ("expired", number_of(SINCE), number_of(datetime.date(2026, 9, 30)))
    forgotten(room.store)
    verify_store(room.store, VERIFIERS)


async def test_it_ends_at_the_midnight_of_the_new_last_day(room: Room) -> None:
    active(room, "P3Y", FIRST)
    since = datetime.date(2025, 5, 26)
    mine = await room.answer(organisation(), "N-1@1", since=[since], until=[datetime.date(2028, 5, 26)])
    active(room, "P18M")
    assert await noted(room) == 0, "its last day is today"
    room.desk.now = datetime.datetime(2026, 11, 26, 22, tzinfo=datetime.UTC)
    assert await noted(room, datetime.timedelta()) == 0
    assert await noted(room) == 1
    assert [row.inquiry for row in await room.select()] == [mine]


async def test_a_period_that_had_no_end_is_shortened_too(room: Room) -> None:
    active(room, None, FIRST)
    mine = await room.answer(organisation(), "N-1@1", "N-2@1", since=[SINCE, None])
    active(room, "P1Y")
    assert await noted(room) == 1
    assert named(await room.select()) == [(mine, "market-regulator", "delete", ["N-1@1"])]


async def recalled_once(room: Room) -> tuple[Subject, str]:
    """An organisation, and the one answer about it: to be shown for three years, and recalled when that became one."""
    active(room, "P3Y", FIRST)
    who = organisation()
    first = await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD])
    active(room, "P1Y")
    assert await noted(room) == 1
    assert [row.inquiry for row in await room.select()] == [first]
    return who, first


async def test_shorter_longer_and_shorter_again_tells_each_answer_once(room: Room) -> None:
    who, first = await recalled_once(room)
    with room.store.engine.begin() as connection:
        connection.execute(recall.update().values(outcome="refused"))
    active(room, "P3Y")  # a rollback: it is displayed again, to whoever asks now
    assert await noted(room) == 0
    second = await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD])
    assert await noted(room) == 0
    active(room, "P2Y")
    assert await noted(room) == 0
    active(room, "P18M")
    active(room, "P1Y")
    assert await noted(room) == 1
    assert [row.inquiry for row in await room.select()] == [first, second]


async def test_what_was_noted_by_a_shorter_period_is_not_noted_by_each_rule_set_that_follows(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    active(room, "P3Y", FIRST)
    who, own, new = organisation(), organisation(), SINCE + datetime.timedelta(days=500)
    day = datetime.date(2027, 8, 13)
    await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD])
    await room.answer(own, "N-1@1", since=[SINCE], until=[TOLD], delete_by=FIRST.date())
    active(room, "P1Y")
    assert await noted(room, datetime.timedelta(days=3)) == 1
    assert (len(room.jobs()), len(await room.select())) == (2, 1), "one need not keep it by then"
    for turn in range(3):  # it goes on being asked about, and what counts from that day is not shown any more
        await room.answer(who, "N-2@1", since=[new], until=[day])
        active(room, "P1Y", room.desk.now + datetime.timedelta(days=turn))
        assert await noted(room) == 0
    monkeypatch.setattr(shortening, "MOST_RECEIVED", 3)
    active(room, "P1Y")
    assert await noted(room) == 1, "too many to look through: it is noted, and nobody is found"
    assert len(room.jobs()) == 3
    assert len(await room.select()) == 1


async def test_what_was_received_is_waited_for_too(room: Room) -> None:
    """Who received it by the longer period in between is known from `received`, so that has to be there."""
    active(room, "P3Y", FIRST)
    who = organisation()
    await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD])
    active(room, "P1Y")
    assert await noted(room) == 1
    assert len(await room.select()) == 1
    active(room, "P3Y")
    assert await noted(room) == 0
    late = await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD])
    await asyncio.to_thread(room.project)
    active(room, "P1Y")
    start_over(room.store.engine, ["received"])
    room.desk.now += WAIT
    turn = Shortening(room.desk.office, WAIT)
    assert not await turn.turn(), "it is being built again"
    await asyncio.to_thread(room.project)
    while await turn.turn():
        """There is more."""
    assert [row.inquiry for row in await room.select()][1:] == [late]


async def test_nobody_looked_at_the_longer_period_in_between(room: Room) -> None:
    active(room, "P1Y", FIRST)
    assert await noted(room) == 0
    active(room, "P3Y")
    mine = await room.answer(organisation(), "N-1@1", since=[SINCE], until=[TOLD])
    active(room, "P1Y")
    assert await noted(room) == 1
    assert [row.inquiry for row in await room.select()] == [mine]


async def test_many_are_noted_in_slices_and_by_one_of_two(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortening, "SLICE", 2)
    monkeypatch.setattr(shortening, "LOOKED_AT", 3)
    active(room, "P3Y", FIRST)
    for number in range(10):
        since = SINCE + datetime.timedelta(days=number // 4)
        await room.answer(organisation(), "N-1@1", since=[since], until=[TOLD + datetime.timedelta(days=number // 4)])
    old = datetime.date(2020, 1, 1)
    for _ in range(5):  # what ended long ago is passed over
        await room.answer(organisation(), "N-1@1", since=[old], until=[old.replace(year=2023)])
    active(room, "P1Y")
    room.desk.now += WAIT
    await asyncio.to_thread(room.project)
    one, other = Shortening(room.desk.office, WAIT), Shortening(room.desk.office, WAIT)
    for _ in range(3):  # then both end, and one goes on
        await asyncio.gather(one.turn(), other.turn())
    again = Shortening(room.desk.office, WAIT)
    while await again.turn():
        """There is more."""
    assert len(room.jobs()) == len({(job.scheme, job.value) for job in room.jobs()}) == 10
    assert len(await room.select()) == 10


async def test_what_is_not_projected_yet_is_waited_for(room: Room) -> None:
    active(room, "P3Y", FIRST)
    await asyncio.to_thread(room.project)
    active(room, "P1Y")
    late = await room.answer(organisation(), "N-1@1", since=[SINCE], until=[TOLD])
    room.desk.now += WAIT
    turn = Shortening(room.desk.office, WAIT)
    assert not await turn.turn(), "its projection is behind"
    await asyncio.to_thread(room.project)
    while await turn.turn():
        """There is more."""
    assert [row.inquiry for row in await room.select()] == [late]


async def test_a_rule_set_that_is_not_the_active_one_shortens_nothing(room: Room) -> None:
    active(room, "P3Y", FIRST)
    await room.answer(organisation(), "N-1@1", since=[SINCE], until=[TOLD])
    room.desk.rules = displayed(room.desk.rules, ARREARS, "P1Y")
    assert await noted(room) == 0


async def test_the_day_that_was_told_tells_nobody_again(room: Room) -> None:
    active(room, "P3Y", FIRST)
    told = datetime.date(2026, 11, 27)
    await room.answer(organisation(), "N-1@1", since=[told.replace(year=2023)], until=[told])
    active(room, "P1Y")
    assert await noted(room) == 1
    assert len(await room.select()) == 1
    room.desk.now += datetime.timedelta(days=3)
    ending = Expiring(room.desk.office, WAIT)
    await asyncio.to_thread(room.project)
    while await ending.turn():
        """There is more."""
    assert len(await room.select()) == 1


@pytest.mark.parametrize("name", ["displayed", "received"])
async def test_nothing_is_passed_over_where_a_rebuild_begins_meanwhile(
    room: Room, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    who, first = await recalled_once(room)
    active(room, "P3Y")
    second = await room.answer(who, "N-1@1", since=[SINCE], until=[TOLD])
    active(room, "P1Y")
    room.desk.now += WAIT
    await asyncio.to_thread(room.project)
    turn = Shortening(room.desk.office, WAIT)
    covered = positions.covered

    def dropped_after(reader: Reader, of: str) -> positions.Covered:
        found = covered(reader, of)
        if of == received.name:  # the last that is looked at
            start_over(room.store.engine, (name,))
            drop_some(room.store.engine, name)
        return found

    while await asyncio.to_thread(turn._due) is not None and not (await asyncio.to_thread(turn._due)).subjects:
        await turn.turn()
    with monkeypatch.context() as patched:
        patched.setattr(positions, "covered", dropped_after)
        await turn.turn()
    assert await noted(room, datetime.timedelta()) == 1
    assert [row.inquiry for row in await room.select()] == [first, second]
