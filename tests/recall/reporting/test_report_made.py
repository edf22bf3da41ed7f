"""The report says of recalls as they are made, delivered and found what their rows say."""

from __future__ import annotations

import asyncio
import collections
import datetime

from sqlalchemy import insert

from gateway.recall.delivering.telling import Telling
from gateway.storage.recall.recalls import work
from gateway.storage.recall.work import lane_of, take, to_deliver
from gateway.storage.tables import micros
from tests.acts.desk import organisation
from tests.acts.matters.cases import objected
from tests.acts.matters.test_clocks import Clock, at
from tests.acts.test_changes import report, system
from tests.recall.reporting.histories import reported
from tests.recall.reporting.test_report import ALL
from tests.recall.room import Room


async def test_what_is_recalled_is_counted_for_who_has_to_answer(room: Room) -> None:
    desk, who = room.desk, organisation()
    for client, purpose in (
        ("market-regulator", "TENDER_QUALIFICATION"),
        ("market-regulator", "TENDER_QUALIFICATION"),
        ("civil-court", "COURT_ENFORCEMENT"),
        ("long-gone", "COURT_ENFORCEMENT"),
    ):
        await room.answer(who, "N-1@1", client=client, purpose=purpose)
    await desk.ask(system(desk), "reportChange", **report(who))
    rows = await room.select()
    assert len(rows) == 4
    found = reported(room.store, ALL)
    expected = collections.Counter(row.client for row in rows)
    assert {name: found.of(name).sent for name in found.departments} == {
        "market": expected["market-regulator"], "courts": expected["civil-court"], "long-gone": 1,
    }  # fmt: skip
    assert found.of(None).unanswered == 4
    assert found.of(None).overdue == 0
    desk.now += datetime.timedelta(days=60)
    await room.answer(organisation(), "N-9@1")
    assert reported(room.store, ALL).of(None).overdue == 4, "their terms are over, whoever tells so"


async def test_what_is_delivered_and_what_is_late_is_counted(room: Room) -> None:
    desk, who = room.desk, organisation()
    await room.answer(who, "N-1@1")
    await room.answer(who, "N-1@1")
    await desk.ask(system(desk), "reportChange", **report(who))
    rows = await room.select()
    lane = lane_of(rows[0].issuer, rows[0].client)
    with room.store.engine.begin() as connection:
        for row in rows:
            connection.execute(insert(work).values(to_deliver(row.id, row.issuer, row.client, 1)))
    now = micros(desk.now)
    (taken,) = await asyncio.to_thread(take, room.store.engine, lane, now, now + 1_000_000, 1)
    (row,) = [each for each in rows if each.id == taken.what]
    assert await Telling(desk.office).delivered(taken, row)
    await objected(desk, desk.subject(organisation()))
    at(desk, "2026-12-22")
    assert [what for _, _, what in await Clock(desk).turn()] == ["objection-overdue"]
    found = reported(room.store, ALL)
    assert (found.of("market").sent, found.of("market").delivered) == (2, 1)
    assert found.of("tax").late_objections == 1
    assert found.periods == ("2026-11", "2026-12")
