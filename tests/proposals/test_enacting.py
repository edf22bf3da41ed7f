"""Activation and rollback: everything is looked at again, one of two at once stands, and nothing is reopened."""

from __future__ import annotations

import asyncio
import datetime

from sqlalchemy import update

from gateway.errors import Code, Refusal
from gateway.storage.recall.recalls import recall
from gateway.storage.subjects import facts
from tests.acts.desk import desk_on, person
from tests.proposals.room import CLOSED, NARROWED, OTHERS, REASON, Edit, Room, refused, room_on, why
from tests.proposals.test_acts import unchanged
from tests.rules.policies import SHIPPED
from tests.storage.conftest import Place


def _retiring(dataset: str) -> tuple[str, str]:
    text = (SHIPPED / "catalogue" / "tax.yaml").read_text("utf-8")
    start = text.index(f"  {dataset}:")
    said = text[start : text.index("status: published", start) + len("status: published")]
    return said, said.replace("status: published", "status: retired")


RETIRED: Edit = {"catalogue/tax.yaml": _retiring("tax-awards"), "tests/": ("", "")}


async def test_a_rollback_is_one_step_and_has_its_entry(room: Room) -> None:
    first = room.active
    await room.activate(await room.passed())
    await room.roll_back(1, by="ilves")
    assert room.active == first
    (*_, said) = [each for each in room.desk.acts() if each.what == "rules-activated"]
    assert (said.how, said.epoch, said.approvers, said.reason) == ("rollback", 3, ("ilves",), REASON)
    assert why(await unchanged(room, room.roll_back(1))) == "STATE"
    for epoch in (0, -1, 9):
        assert why(await unchanged(room, room.roll_back(epoch))) == "MATTER_NOT_FOUND"
    await room.roll_back(2)
    room.verify()


async def test_who_may_activate_and_roll_back(room: Room) -> None:
    id_ = await room.passed()
    late = room.officer(auth_time=room.desk.now.timestamp() - 601)
    assert why(await unchanged(room, room.enacting.activate(late, id_))) == "SIGN_IN"
    assert why(await unchanged(room, room.enacting.activate(room.officer("nobody"), id_))) == "FORBIDDEN"
    await room.activate(id_)
    assert why(await unchanged(room, room.enacting.roll_back(late, 1, REASON))) == "SIGN_IN"
    assert why(await unchanged(room, room.enacting.roll_back(room.officer("nobody"), 1, REASON))) == "FORBIDDEN"


async def test_of_two_activations_at_once_one_stands(room: Room) -> None:
    first, second = await room.passed(CLOSED), await room.passed(NARROWED)
    tried = (room.enacting.activate(room.officer(), first), room.enacting.activate(room.officer("costa"), second))
    done = await asyncio.gather(*tried, return_exceptions=True)
    (lost,) = [each for each in done if isinstance(each, Refusal)]
    assert lost.code is Code.CONFLICT
    room.serve()
    assert sorted([room.state(first), room.state(second)]) == ["active", "stale"]
    room.verify()


async def test_of_two_processes_at_once_one_stands(place: Place) -> None:
    async with room_on(place.open()) as one:
        id_ = await one.passed()
        async with desk_on(place.open(), one.desk.rules) as desk:
            two = Room(desk)
            tried = (one.enacting.activate(one.officer(), id_), two.enacting.activate(two.officer("costa"), id_))
            done = await asyncio.gather(*tried, return_exceptions=True)
        (lost,) = [each for each in done if isinstance(each, Refusal)]
        assert lost.code in (Code.CONFLICT, Code.MATTER_INVALID)
        assert one.looking.active().epoch == 2
        one.verify()


async def test_a_process_that_serves_another_set_approves_nothing(room: Room) -> None:
    id_, other = await room.passed(CLOSED), await room.passed(NARROWED)
    await room.enacting.activate(room.officer(), id_)
    late = await unchanged(room, room.propose(OTHERS))
    assert (late.code, late.extensions) == (Code.DECISION_UNAVAILABLE, {"retryable": True})
    assert why(await unchanged(room, room.approve(other, "costa"))) == "DECISION_UNAVAILABLE"


async def test_a_dataset_that_was_retired_since_stays_retired(room: Room) -> None:
    await room.activate(await room.passed(RETIRED))
    await room.activate(await room.passed({**CLOSED, **RETIRED}))
    found = await unchanged(room, room.roll_back(1))
    assert why(found) == "STATE"
    assert "retired since: `tax-awards`" in found.message
    await room.roll_back(2)


async def test_only_what_people_approved_is_rolled_back_to(place: Place) -> None:
    async with room_on(place.open(), how="files") as room:
        await room.activate(await room.passed())
        found = await unchanged(room, room.roll_back(1))
        assert (why(found), "nobody approved" in found.message) == ("STATE", True)
        await room.activate(await room.passed({}))
        await room.roll_back(2)
        room.verify()


async def test_a_purpose_that_a_consent_rests_on_is_not_removed(room: Room) -> None:
    id_, today = await room.passed(), room.desk.now.date()
    facts.grant_consent(
        room.store.engine, person(), issuer="https://login.example", client="labour-office", purpose="REMOVED",
        datasets={"tax-arrears": None}, until=today + datetime.timedelta(days=2), now=room.desk.now,
    )  # fmt: skip
    found = await unchanged(room, room.activate(id_))
    assert found.extensions["refers"] == [
        "purpose `REMOVED` would be gone, and 1 consent or suspension in force refers to it; keep it until that is over"
    ]
    room.wait(days=3)
    await room.activate(id_)


async def test_a_dataset_that_is_being_recalled_is_not_retired(room: Room) -> None:
    id_ = await room.passed(RETIRED)
    row = {
        "id": "r-1", "sequence": 1, "job": "j-1", "issuer": "https://login.example", "client": "market-regulator",
        "place": 0, "inquiry": "i-1", "purpose": "TENDER_QUALIFICATION", "dataset": "tax-awards", "records": "[]",
        "action": "delete", "at": 1, "due": 2, "state": "open", "filed_in": 0,
    }  # fmt: skip
    with room.store.engine.begin() as connection:
        connection.execute(recall.insert().values(row))
    found = await unchanged(room, room.activate(id_))
    assert why(found) == "STATE"
    assert found.extensions["refers"] == [
        "dataset `tax-awards` would be gone, and 1 open recall refers to it; keep it until that is over"
    ]
    with room.store.engine.begin() as connection:
        connection.execute(update(recall).values(state="acknowledged"))
    await room.activate(id_)


async def test_what_lacks_nothing_when_it_is_looked_at_may_lack_something_when_it_stands(room: Room) -> None:
    id_ = await room.propose()
    short = room.desk.now.replace(microsecond=0) + datetime.timedelta(hours=1, minutes=1)
    await room.approve(id_, "costa", until=short)
    await room.approve(id_, "ilves")
    examined = room.enacting._examiner.of

    async def slowly(*archives: object) -> object:
        found = await examined(*archives)  # type: ignore[arg-type]
        room.wait(hours=2)
        return found

    room.enacting._examiner.of = slowly  # type: ignore[method-assign,assignment]
    found = await refused(room.activate(id_))
    assert found.extensions["lacks"] == ["1 more officer must approve"]
    assert room.looking.active().epoch == 1
