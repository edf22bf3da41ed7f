"""What somebody is told of proposals and activations: what they can do, and each list page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.proposals.allowed import HINDRANCES
from tests.proposals.room import CLOSED, NARROWED, NOTHING, OTHERS, Room, refused, room_on
from tests.proposals.test_widening import BEFORE
from tests.storage.conftest import Place


@pytest.fixture
async def room(place: Place) -> AsyncIterator[Room]:
    async with room_on(place.open(), BEFORE) as made:
        yield made


def told(room: Room, id_: str, who: Requester) -> dict[str, Any]:
    you: dict[str, Any] = room.looking.proposal(id_, who)["you"]
    (listed,) = [each["you"] for each in room.looking.proposals(who).items if each["id"] == id_]
    assert listed == you
    return you


async def test_each_is_told_what_they_can_do_and_the_acts_say_the_same(room: Room) -> None:
    id_ = await room.propose(NOTHING)
    people = {
        "author": room.officer(), "colleague": room.officer("costa"), "another": room.officer("ilves"),
        "steward": room.steward("tax", "t.weber"), "elsewhere": room.steward("courts", "c.santos"),
        "oversight": room.desk.who("oversight", "oversight", official="o.keller"),
        "nobody": room.officer("fontaine"), "second": room.steward("tax", "t.nowak"),
    }  # fmt: skip

    def hindered() -> dict[str, str | None]:
        return {name: told(room, id_, who)["hindered"] for name, who in people.items()}

    seen = {
        "author": "author", "colleague": None, "another": None, "steward": None, "elsewhere": "department",
        "oversight": "officer", "nobody": "officer", "second": None,
    }  # fmt: skip
    assert hindered() == seen
    for name in ("author", "elsewhere", "oversight", "nobody"):
        await refused(room.approve(id_, people[name]))
    assert {name for name, who in people.items() if told(room, id_, who)["mayRefuse"]} == {
        "author", "colleague", "another", "steward", "oversight", "second"
    }  # fmt: skip
    assert [told(room, id_, people[name])["as"] for name in ("colleague", "steward", "elsewhere")] == [
        "officer", "steward", None
    ]  # fmt: skip
    for name in ("colleague", "another", "steward"):
        assert told(room, id_, people[name])["needed"]
        assert not told(room, id_, people["author"])["mayActivate"]
        await room.approve(id_, people[name])
        seen[name] = "approved"
        assert hindered() == seen
    assert not told(room, id_, people["second"])["needed"], "one steward of a department is enough"
    assert room.looking.proposal(id_)["missing"] == {
        "officers": 0, "stewards": [], "simulation": False, "notice": True
    }  # fmt: skip
    assert not told(room, id_, people["author"])["mayActivate"], "oversight's day is not over"
    room.wait(hours=24)
    assert not any(room.looking.proposal(id_)["missing"].values())
    assert {name for name, who in people.items() if told(room, id_, who)["mayActivate"]} == {
        "author", "colleague", "another"
    }  # fmt: skip
    await room.activate(id_)
    assert set(hindered().values()) == {"over"}
    assert {*seen.values(), "over"} - {None} < set(HINDRANCES)


async def test_lists_go_on_where_they_ended(place: Place) -> None:
    async with room_on(place.open()) as room:
        await _listed(room)


async def _listed(room: Room) -> None:
    made = [await room.propose(edit) for edit in (CLOSED, NARROWED, OTHERS)]
    seen, after = list[str](), ""
    while True:
        page = room.looking.proposals(after=after, first=2)
        seen += [each["id"] for each in page.items]
        if page.next is None:
            break
        after = page.next
    assert sorted(seen) == sorted(made)
    assert {each["reason"] for each in page.items} == {"The Building Act was amended."}
    with pytest.raises(Refusal) as raised:
        room.looking.proposals(after="0" * 32)
    assert raised.value.code is Code.MATTER_NOT_FOUND
    await room.approve(made[0], "costa")
    await room.approve(made[0], "ilves")
    await room.activate(made[0])
    assert room.looking.proposals(waiting=True).items == [], "the others are stale"
    first = room.looking.activations(first=1)
    (last,) = first.items
    assert (last["epoch"], last["by"], last["approvedBy"], first.next) == (2, "olsen", ["costa", "ilves"], "2")
    assert last["reason"] == "The Building Act was amended."
    rest = room.looking.activations(after=2)
    assert ([each["epoch"] for each in rest.items], rest.next) == ([1], None)


async def test_what_a_rollback_would_do_is_told_before(room: Room) -> None:
    await refused(room.enacting.back(2))
    assert "nothing to roll back" in (await refused(room.enacting.back(1))).message
    id_ = await room.passed(NOTHING)
    await room.approve(id_, room.steward("tax", "t.weber"))
    room.wait(hours=24)
    await room.activate(id_)
    target, found, hindrance = await room.enacting.back(1)
    assert (target.epoch, found.widens, hindrance) == (1, (), None)
    assert next(each.heading for each in found.differences) == "Closes"
    await room.roll_back(1)
    _, found, hindrance = await room.enacting.back(2)
    assert (found.widens, hindrance) == (("tax",), None)
    assert [each for each in found.differences if each.effect == "widens" and each.moved and each.people]
    room.wait(days=8)
    hindrance = (await room.enacting.back(2))[2]
    assert hindrance is not None
    assert hindrance.extensions["reason"] == "SECOND_PERSON"
    assert "was not active within 7 days" in hindrance.message


async def test_all_that_differs_is_told_as_a_table(room: Room) -> None:
    id_ = await room.propose(NOTHING)
    files, base = room.looking.archives(id_)
    lines = (await room.enacting._examiner.table(files, base)).splitlines()
    assert lines[0].startswith("effect,part,")
    opened = [line for line in lines if line.startswith("widens,") and "taxableIncome" in line]
    assert opened
    assert not [line for line in lines if line.startswith(("=", "+", "-", "@"))]


async def test_the_words_of_an_approval_are_those_that_are_signed(room: Room) -> None:
    id_ = await room.propose(NOTHING)
    wanted, who = room.approving(id_), room.officer("costa")
    words = room.proposals.statement(who, id_, wanted.until, wanted.reason)
    assert f"rule set {wanted.digest}\nbase {wanted.base}\n" in words
    for until, reason, says in (
        (room.desk.now, "x", "over within an hour"), (wanted.until, " ", "give a reason"),
        (wanted.until.replace(year=2099), "x", "too long"),
    ):  # fmt: skip
        with pytest.raises(Refusal) as raised:
            room.proposals.statement(who, id_, until, reason)
        assert says in raised.value.message
