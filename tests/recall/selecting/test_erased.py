"""Before a subject is erased, whoever has its records deletes them: what is not found or answered yet forbids it."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest
from sqlalchemy import delete, select

from connectors.base import Subject
from gateway.ledger.erasure import answered, erase
from gateway.ledger.erasure.blockers import BLOCKERS
from gateway.ledger.log.operator import ActRefused
from gateway.recall.blockers import RECALLS
from gateway.storage import destruction
from gateway.storage.recall.recalls import recall, recall_job
from tests.acts.desk import organisation
from tests.ledger.support import AT, opened
from tests.recall.room import Room

DAYS = datetime.timedelta(days=35)
KEPT = (max(AT, datetime.datetime.now(datetime.UTC)) + datetime.timedelta(days=100)).date()
"""By when recipients are to delete what they have, whenever this runs."""


async def requested(room: Room, subject: Subject) -> str:
    async with opened(room.store) as ledger:
        id_ = (await erase.request(ledger, subject[1:], "A. Clerk", "court order 7", "clerk")).id
    room.desk.now = max(room.desk.now, datetime.datetime.now(datetime.UTC))  # a command goes by the machine's clock
    return id_


async def approved(room: Room, id_: str) -> erase.Done:
    async with opened(room.store) as ledger:
        return await erase.approve(ledger, id_, "B. Judge", "judge", (*BLOCKERS, *RECALLS), DAYS)


async def test_everybody_who_has_its_records_deletes_them_first(room: Room) -> None:
    subject, desk = organisation(), room.desk
    for client in ("market-regulator", "environment-agency"):
        await room.answer(subject, "N-1@1", client=client, delete_by=KEPT)
    await room.answer(subject, "N-1@1", delete_by=datetime.date(2026, 1, 1))  # deleted by itself
    await room.answer(organisation(), "N-9@1")
    id_ = await requested(room, subject)
    with pytest.raises(ActRefused, match="selection of recalls `"):
        await approved(room, id_)
    found = await room.select()
    assert {(each.client, each.action, each.value) for each in found} == {
        ("market-regulator", "delete", subject.value), ("environment-agency", "delete", subject.value)}  # fmt: skip
    market, environment = (next(each.id for each in found if each.client[0] == letter) for letter in "me")
    answer = {"outcome": "APPLIED", "reason": None}
    await desk.ask(desk.who("market-regulator", "recalls"), "acknowledgeRecall", id=market, **answer)
    refusal = {"outcome": "REFUSED", "reason": "Archives Act, Art. 3"}
    await desk.ask(desk.who("environment-agency", "recalls"), "acknowledgeRecall", id=environment, **refusal)
    with pytest.raises(ActRefused, match=f"recall `{environment}` is open; its recipient has to acknowledge it"):
        await approved(room, id_)
    await desk.ask(desk.who("environment-agency", "recalls"), "acknowledgeRecall", id=environment, **answer)
    assert (await approved(room, id_)).keys
    with room.store.engine.connect() as connection:
        for table in (recall, recall_job):
            assert connection.execute(select(table.c.id).where(table.c.value == subject.value)).all() == []


async def test_a_recall_that_was_removed_is_open_by_its_entry(room: Room) -> None:
    subject = organisation()
    await room.answer(subject, "N-1@1", delete_by=KEPT)
    id_ = await requested(room, subject)
    (found,) = await room.select()
    with room.store.engine.begin() as connection:
        connection.execute(delete(recall))
    with pytest.raises(ActRefused, match=f"recall `{found.id}` is open by its entry"):
        await approved(room, id_)


async def test_who_disclosed_nothing_is_erased_once_nobody_is_found(room: Room) -> None:
    subject = organisation()
    await room.desk.ask(room.desk.subject(subject), "setOptOut", dataset="tax-awards", optedOut=True)
    id_ = await requested(room, subject)
    assert await room.select() == []
    assert {each.state for each in room.jobs()} == {"selected"}
    assert (await approved(room, id_)).keys


async def acknowledged(room: Room, *, client: str = "market-regulator") -> int:
    """Answer every open recall of a client as applied; how many there were."""
    found = [each for each in room.recalls() if each.state == "open" and each.client == client]
    for each in found:
        who = room.desk.who(client, "recalls")
        await room.desk.ask(who, "acknowledgeRecall", id=each.id, outcome="APPLIED", reason=None)
    return len(found)


async def test_who_received_something_after_the_request_deletes_it_too(room: Room) -> None:
    subject = organisation()
    await room.answer(subject, "N-1@1", delete_by=KEPT)
    id_ = await requested(room, subject)
    await room.select()
    assert await acknowledged(room) == 1
    since = await room.answer(subject, "N-1@1", delete_by=KEPT)
    with pytest.raises(ActRefused, match=r"given to somebody since the request.*selection of recalls `"):
        await approved(room, id_)
    await room.select()
    with pytest.raises(ActRefused, match="recall `"):
        await approved(room, id_)
    assert [each.inquiry for each in room.recalls() if each.state == "open"] == [since]
    assert await acknowledged(room) == 1
    assert (await approved(room, id_)).keys


async def test_an_answer_that_was_under_way_at_the_request_is_deleted_too(room: Room) -> None:
    subject = organisation()
    first = await room.answer(subject, "N-1@1", delete_by=KEPT)
    id_ = await requested(room, subject)
    await room.select()
    late = await room.answer(subject, "N-2@1", delete_by=KEPT, known=0)
    assert await acknowledged(room) == 1
    with pytest.raises(ActRefused, match="given to somebody since"):
        await approved(room, id_)
    await room.select()
    assert {each.inquiry for each in room.recalls()} == {first, late}
    assert await acknowledged(room) == 1
    assert (await approved(room, id_)).keys


async def test_what_nobody_is_told_of_is_looked_up_once_more_and_no_oftener(room: Room) -> None:
    subject = organisation()
    await room.answer(subject, "N-1@1", delete_by=KEPT)
    id_ = await requested(room, subject)
    await room.select()
    assert await acknowledged(room) == 1
    await room.answer(subject, "N-1@1", delete_by=datetime.date(2026, 1, 1))  # deleted by itself
    with pytest.raises(ActRefused, match="given to somebody since"):
        await approved(room, id_)
    await room.select()
    assert {each.state for each in room.jobs()} == {"selected"}
    assert (await approved(room, id_)).keys


async def test_what_is_given_while_it_is_approved_keeps_the_keys(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = organisation()
    await room.answer(subject, "N-1@1", delete_by=KEPT)
    id_ = await requested(room, subject)
    await room.select()
    assert await acknowledged(room) == 1
    looked, seen = answered.look, list[str | None]()

    def look(*given: Any) -> answered.Look:
        """The first look is over before the answer stands; what it saw decides no more."""
        found = looked(*given)
        if not seen:
            asyncio.run_coroutine_threadsafe(room.answer(subject, "N-2@1", delete_by=KEPT), loop).result()
        seen.append(found.job)
        return found

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("gateway.ledger.erasure.answered.look", look)
    with pytest.raises(ActRefused, match="given to somebody since"):
        await approved(room, id_)
    assert (seen[0], seen[-1]) == (None, room.jobs()[0].id)
    assert destruction.keys_of(room.store.engine, *subject[1:])
