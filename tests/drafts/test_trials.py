"""A draft tried on past inquiries: what comes of it, that its look is entered first, and how it ends."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.activation import archive
from gateway.activation.loading import loaded
from gateway.drafts import trials
from gateway.drafts.keeping import Drafts, Kept
from gateway.drafts.trials import Trials
from gateway.errors import LedgerUnavailable
from gateway.ledger.entry import entries
from gateway.storage.rules import drafts as rows
from tests.ledger.support import opened
from tests.proposals.room import HOW, ISSUERS, Room, refused, room_on, rules_of, why
from tests.proposals.room import archive as shipped
from tests.rules.policies import TODAY
from tests.simulation.varied import asked, at_issuer, entry_of
from tests.storage.conftest import Place
from tests.waiting import until_async

COUNT = 24
RULE = "rules/licence-renewal.cedar"
DAYS = (TODAY - datetime.timedelta(days=3), TODAY + datetime.timedelta(days=3))

ONE_STORE = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""What is not about how inquiries are read."""


class Trying:
    """An officer with a draft that has one permit less, at a store with inquiries that the active rules decided."""

    def __init__(self, room: Room, place: Place) -> None:
        self.room, self.who = room, room.officer()
        self.trials = Trials(room.desk.office, place.url, None, ISSUERS)
        drafts = Drafts(room.desk.office)
        self.id = drafts.begin(self.who).id
        drafts.drop(self.who, self.id, RULE, drafts.file(self.who, self.id, RULE).seen)
        self.kept: Kept = drafts.one(self.who, self.id)
        self.digest = loaded(self.kept.packed, None, HOW).digest

    async def begin(self, days: tuple[datetime.date, datetime.date] = DAYS, why: str = "To see.") -> dict[str, Any]:
        return await self.trials.begin(self.who, self.kept, self.digest, days, why)

    async def ended(self) -> dict[str, Any]:
        """What is shown once it does not go on any more."""

        async def over() -> bool:
            return bool((await self.trials.show(self.id))["state"] != trials.RUNNING)

        await until_async("the simulation to end", over)  # type: ignore[arg-type]
        return await self.trials.show(self.id)


@pytest.fixture
async def trying(place: Place) -> AsyncIterator[Trying]:
    store, rules = place.open(), rules_of(shipped())
    async with opened(store) as ledger:
        several = (at_issuer(asked(seed), ISSUERS["login"]) for seed in range(COUNT))
        for of in sorted(several, key=lambda of: of.now):
            parts = entry_of(rules, of)
            await ledger.append(parts.told, parts.oversight, of.now, of.requester.who, (), parts.subjects)
    async with room_on(store) as room:
        yield Trying(room, place)


def views(room: Room) -> list[entries.View]:
    return [each for each in room.desk.entered() if isinstance(each, entries.View)]


async def test_a_draft_is_tried_on_past_inquiries(trying: Trying) -> None:
    begun = await trying.begin()
    assert (begun["state"], begun["candidate"]) == ("running", trying.digest)
    [view] = views(trying.room)
    assert (view.by, view.reason, view.format) == ("p.olsen", "To see.", "simulation")
    assert view.looked.candidate == trying.digest
    found = await trying.ended()
    assert (found["state"], found["inquiries"], found["done"]) == ("done", COUNT, COUNT)
    assert {each["change"] for each in found["rows"]} == {"closes"}
    assert {each["purpose"] for each in found["rows"]} == {"LICENCE_RENEWAL"}
    assert 0 < found["changed"] <= found["decisions"]

    early = DAYS[0] - datetime.timedelta(days=30)
    await trying.begin((early, early))
    found = await trying.ended()
    assert (found["inquiries"], found["rows"]) == (0, [])


@ONE_STORE
async def test_nothing_is_read_without_a_durable_entry(trying: Trying, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise LedgerUnavailable("planted")

    monkeypatch.setattr(trying.room.desk.ledger, "append", fails)
    assert why(await refused(trying.begin())) == "LEDGER_UNAVAILABLE"
    assert why(await refused(trying.trials.show(trying.id))) == "MATTER_NOT_FOUND"


@ONE_STORE
async def test_one_is_ended(trying: Trying, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()
    followed = trying.trials._followed

    async def later(*given: Any) -> str:
        await go_on.wait()
        return await followed(*given)

    monkeypatch.setattr(trying.trials, "_followed", later)
    await trying.begin()
    assert why(await refused(trying.begin())) == "LIMIT"
    other = Trials(trying.room.desk.office, "", None, ISSUERS)  # of another process
    assert why(await refused(other.begin(trying.who, trying.kept, trying.digest, DAYS, "x"))) == "STATE"
    assert (await other.stop(trying.id))["state"] == "stopped"
    go_on.set()
    assert trying.trials._task is not None
    await trying.trials._task
    assert (await trying.ended())["state"] == "stopped"
    assert why(await refused(other.stop(trying.id))) == "STATE"


@ONE_STORE
async def test_what_cannot_be_read_fails_and_what_says_nothing_broke_off(trying: Trying) -> None:
    elsewhere = Trials(trying.room.desk.office, "sqlite:////nowhere/at/all.db", None, ISSUERS)
    await elsewhere.begin(trying.who, trying.kept, trying.digest, DAYS, "x")
    assert (await trying.ended())["state"] == "failed"
    with trying.room.store.engine.begin() as connection:
        row = rows.trial(connection, trying.id)
        assert row is not None
        rows.begin_trial(connection, row._replace(state="running"))
    trying.room.wait(seconds=trials.SILENT.total_seconds() + 1)
    assert (await trying.trials.show(trying.id))["state"] == "broken"
    await trying.begin()
    assert (await trying.ended())["state"] == "done"


@ONE_STORE
async def test_a_period_is_days_in_order_and_a_year_at_most(trying: Trying) -> None:
    first, last = DAYS
    for days in ((last, first), (first, first + datetime.timedelta(days=trials.MOST_DAYS))):
        assert why(await refused(trying.begin(days))) == "ARGUMENT"
    assert why(await refused(trying.begin(why="two\nlines"))) == "ARGUMENT"
    assert views(trying.room) == []
    assert archive.unpacked(trying.kept.packed).keys() == archive.unpacked(shipped()).keys() - {RULE}


@ONE_STORE
async def test_the_proposal_of_the_same_rule_set_is_simulated_then(trying: Trying) -> None:
    room = trying.room
    id_, _ = await room.proposals.propose(room.officer(), trying.kept.packed, "One permit less.")
    assert room.looking.proposal(id_)["simulated"] is None
    await trying.begin()
    found = await trying.ended()
    assert found["proposal"] == id_
    told = room.looking.proposal(id_)
    assert (told["simulated"]["reason"], told["simulated"]["changed"]) == ("To see.", found["changed"])
    [act] = [each for each in room.desk.entered() if isinstance(each, entries.Acted) and each.what == "rules-simulated"]
    assert (act.proposal, act.requester.client) == (id_, room.officer().client)
    room.verify()
