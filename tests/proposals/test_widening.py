"""What opens data of people, or not public: a steward of its department agrees too, and oversight has a day before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.errors import Code
from tests.proposals.room import NOTHING, REASON, Edit, Room, archive, refused, room_on, why
from tests.storage.conftest import Place

_SHIPPED = "income-statements: {names: [year, taxableIncome, currency]}"
BEFORE: Edit = {"purposes.yaml": (_SHIPPED, "income-statements: {names: [year, currency]}")}
"""One field less of a department's non-public data; the shipped policies open it."""


@pytest.fixture
async def room(place: Place) -> AsyncIterator[Room]:
    async with room_on(place.open(), BEFORE) as made:
        yield made


async def test_a_steward_agrees_and_oversight_is_told_a_day_before(room: Room) -> None:
    id_ = await room.passed(NOTHING)
    told = room.looking.proposal(id_)
    assert (told["state"], told["widensFor"], told["oversightTold"]) == ("checked", ["tax"], None)
    assert told["lacks"] == ["a steward of `tax` must approve: it opens data of people, or not public"]
    assert why(await refused(room.activate(id_))) == "STATE"
    assert why(await refused(room.approve(id_, room.steward("courts", "c.santos")))) == "FORBIDDEN"
    late = room.steward("tax", "t.weber", auth_time=room.desk.now.timestamp() - 601)
    assert why(await refused(room.approve(id_, late))) == "SIGN_IN"

    await room.approve(id_, room.steward("tax", "t.weber"))
    told = room.looking.proposal(id_)
    assert (told["state"], told["oversightTold"]) == ("approved", room.desk.now)
    (noticed,) = [each for each in room.desk.acts() if each.what == "rules-noticed"]
    assert (noticed.proposal, noticed.widens) == (id_, ("tax",))
    for hours in (0, 23):
        room.wait(hours=hours)
        found = await refused(room.activate(id_))
        assert "oversight is notified of what it opens 24 hours before" in found.message
    room.wait(hours=1)
    await room.activate(id_)
    (said,) = [each for each in room.desk.acts() if each.what == "rules-activated" and each.epoch == 2]
    assert (said.approvers, said.widens) == (("costa", "ilves", "tax"), ("tax",))
    room.verify()

    await room.roll_back(1)
    await room.roll_back(2)
    await room.roll_back(1)
    room.wait(days=8)
    again = await refused(room.roll_back(2))
    assert (again.code, why(again)) == (Code.MATTER_INVALID, "SECOND_PERSON")


async def test_the_author_is_no_steward_of_it_and_an_officer_is_one_or_the_other(room: Room) -> None:
    both = room.desk.who(
        "tax-stewards", "steward", "officer", official="t.weber", auth_time=room.desk.now.timestamp()
    )  # fmt: skip
    id_, _ = await room.proposals.propose(both, archive(), REASON)
    for name in ("costa", "ilves"):
        await room.approve(id_, name)
    assert why(await refused(room.approve(id_, both))) == "SECOND_PERSON"
    await room.approve(id_, room.steward("tax", "t.nowak"))
    assert room.state(id_) == "approved"
