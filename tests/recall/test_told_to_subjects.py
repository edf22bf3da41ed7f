"""A subject sees who was told that its records are to be used no more, and who answered; never why, and no secret."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from connectors.base import Subject
from gateway.acts.subject import history
from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.projections.projector import Projector
from tests.recall.telling import MARKET, RENEWAL, Received, Telling

HISTORY = """{ it: me { accessHistory { items {
  what department purpose title basis { law } fields records outcome told } } } }"""


async def seen(region: Telling, subject: Subject) -> list[dict[str, Any]]:
    said = await region.replica.ask(region.both.subject(subject), HISTORY, {})
    assert said.code == "OK", said.said
    return [each for each in said.value["accessHistory"]["items"] if each["what"] == "RECALL"]


async def answered(region: Telling) -> tuple[Subject, Received]:
    subject = region.firm("R-1")
    of = await region.received(subject)
    one, two = [await region.told(of, action) for action in ("delete", "update")]
    await region.answered(one, "PASSED_ON", passedOnTo=["the bank of A. Petrova"], reason="words of ours")
    await region.answered(two, "REFUSED", reason="words of ours")
    await region.later(datetime.timedelta(days=40))
    return subject, of


def told(region: Telling) -> None:
    async def go() -> None:
        subject, _ = await answered(region)
        found = await seen(region, subject)
        market = region.world.policies.requesters["https://login.example", MARKET].department
        assert [(each["department"], each["outcome"], each["told"]) for each in found] == [
            ("gateway", "recalled: delete it, and use it no more", [f"{market} is to delete it, and use it no more"]),
            ("gateway", "recalled: use what it was corrected to", [f"{market} is to use what it was corrected to"]),
            (market, "answered: done, and it had been passed on", [f"{market} is to delete it, and use it no more"]),
            (market, "answered: refused; oversight is notified", [f"{market} is to use what it was corrected to"]),
        ]
        assert {(each["purpose"], each["records"][0]) for each in found} == {(RENEWAL, "business-licences/R-1@1")}
        assert found[0]["fields"] == ["business-licences.number", "business-licences.status"]
        assert not [each for each in found if "Petrova" in str(each) or "words" in str(each)]
        assert await seen(region, region.firm()) == []
        projector = Projector(region.replica.store)
        while projector.turn():
            pass
        projector.close()
        assert await seen(region, subject) == found

    region.world.run(go())


def test_a_subject_sees_its_recalls(region: Telling) -> None:
    told(region)


def test_who_shows_more_is_found(region: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    right = history._recalled

    def more(said: entries.Acted, policies: Any) -> dict[str, Any]:
        return {**right(said, policies), "told": [*said.passed_on, said.reason]}

    monkeypatch.setattr(history, "_recalled", more)
    with pytest.raises(AssertionError):
        told(region)


def test_a_recall_of_what_is_secret_is_as_secret_as_long(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm("R-1")
        of = await region.received(subject)
        until = region.world.now + datetime.timedelta(days=3)
        secret = entries.Oversight(entries.VERSION, secret_until=until)
        one = await region.told(of._replace(oversight=secret), term=datetime.timedelta(hours=1))
        await region.answered(one)
        assert await seen(region, subject) == []
        region.world.now = until - datetime.timedelta(seconds=1)
        assert await seen(region, subject) == []
        region.world.now = until
        assert [each["outcome"][:8] for each in await seen(region, subject)] == ["recalled", "answered"]

    region.world.run(go())


def test_what_follows_from_no_answer_is_nobodys_but_oversights() -> None:
    for what in ("recall-overdue", "suspended", "onward-disclosure-found", "suspension-exempt"):
        acted = entries.Acted(entries.VERSION, "1", datetime.datetime.now(datetime.UTC), entries.OWN, what)
        assert extract.visible(acted, entries.NOTHING, 0) == extract.NEVER
