"""A proposal is marked as simulated by an act that says what came of it; the base may demand that before approvals."""

from __future__ import annotations

import datetime

import msgspec
import pytest
from sqlalchemy import insert

from gateway.ledger.log.operator import ActRefused
from gateway.proposals.judging import UNSIMULATED
from gateway.simulation import marking
from gateway.simulation.result import Result
from gateway.storage.projections.tables import looked
from tests.proposals.room import CLOSED, NARROWED, Edit, Room, refused, room_on, why
from tests.storage.conftest import Place

SINCE = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
UNTIL = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)
_AGREED = "        agreed_by: Data exchange agreement 2025/114\n"
FAILING: Edit = {"requesters.yaml": (_AGREED, f"{_AGREED}        suspended: true\n")}
DEMANDING: Edit = {"officers.yaml": ("expires: P14D", "expires: P14D\nsimulation: required")}


def result(room: Room, id_: str, changed: int) -> Result:
    row = room.looking.proposal(id_)
    return Result(row["digest"], row["base"], SINCE, UNTIL, 9, 8, 7, changed, 0, {"erased": 1}, [])


async def simulated(room: Room, id_: str, changed: int = 2) -> None:
    await marking.marked(room.desk.ledger, id_, "P. Officer", "proposal 7", result(room, id_, changed))


async def test_the_act_says_who_when_and_what_came_of_it(room: Room) -> None:
    id_ = await room.propose()
    assert room.looking.proposal(id_)["simulated"] is None
    await simulated(room, id_)
    told = room.looking.proposal(id_)
    assert (told["state"], told["simulated"]["by"], told["simulated"]["reason"]) == (
        "simulated", "P. Officer", "proposal 7"
    )  # fmt: skip
    counts = ("inquiries", "decisions", "changed", "notReplayable")
    assert [told["simulated"][each] for each in counts] == [8, 7, 2, 1]
    assert (told["simulated"]["since"], told["simulated"]["until"]) == (SINCE, UNTIL)
    assert [each["state"] for each in room.looking.proposals().items] == ["simulated"]
    await simulated(room, id_, 3)
    assert room.looking.proposal(id_)["simulated"]["changed"] == 3, "the last one counts"
    await room.approve(id_, "costa")
    await room.approve(id_, "ilves")
    assert room.state(id_) == "approved"
    room.verify()
    await room.activate(id_)
    assert room.state(id_) == "active"
    assert room.looking.proposal(id_)["simulated"]["changed"] == 3
    room.verify()


async def test_only_what_waits_and_passed_its_tests_is_marked(room: Room) -> None:
    over = await room.propose()
    of_over = result(room, over, 0)
    await room.proposals.refuse(room.officer("costa"), over, "Not now.")
    draft = await room.propose(FAILING)
    assert room.state(draft) == "draft"
    for id_, came in ((over, of_over), (draft, result(room, draft, 0))):
        with pytest.raises(ActRefused, match="was settled meanwhile"):
            await marking.marked(room.desk.ledger, id_, "P. Officer", "x", came)
    stale = await room.propose(NARROWED)
    passed = await room.passed()
    await room.activate(passed)
    with pytest.raises(ActRefused, match="was settled meanwhile"):
        await simulated(room, stale)
    room.verify()


async def test_a_period_in_which_nobody_asked_marks_nothing_where_others_have_inquiries(room: Room) -> None:
    id_ = await room.propose()
    empty = msgspec.structs.replace(result(room, id_, 0), entries=0, inquiries=0, decisions=0)
    await marking.marked(room.desk.ledger, id_, "P. Officer", "a new region", empty)
    assert room.state(id_) == "simulated", "nobody ever asked: there is nothing to choose"
    other = await room.propose(NARROWED)
    with room.desk.store.engine.begin() as connection:
        connection.execute(insert(looked).values(subject=1, at=1, entry=1))
    empty = msgspec.structs.replace(result(room, other, 0), entries=0, inquiries=0, decisions=0)
    with pytest.raises(ActRefused, match="nobody asked anything"):
        await marking.marked(room.desk.ledger, other, "P. Officer", "to be quick", empty)
    assert room.state(other) == "checked"
    await simulated(room, other)
    assert room.state(other) == "simulated"


async def test_where_the_base_demands_it_nobody_approves_before(place: Place) -> None:
    async with room_on(place.open(), DEMANDING) as room:
        id_ = await room.propose({**CLOSED, **DEMANDING})
        assert UNSIMULATED in room.looking.proposal(id_)["lacks"]
        refusal = await refused(room.approve(id_, "costa"))
        assert (why(refusal), refusal.message) == ("STATE", UNSIMULATED)
        await simulated(room, id_)
        assert UNSIMULATED not in room.looking.proposal(id_)["lacks"]
        await room.approve(id_, "costa")
        await room.approve(id_, "ilves")
        await room.activate(id_)
        assert room.state(id_) == "active"
        room.verify()
