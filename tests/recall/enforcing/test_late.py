"""What oversight sees of recalls that were not done in time, and of what follows."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest

from gateway.acts.plain import Asked
from gateway.catalogue.model import Basis
from gateway.errors import Refusal
from gateway.inquiry.types import Requester
from gateway.recall.enforcing.late import Late
from gateway.storage.tables import moment
from tests.recall.telling import DATASET, ENVIRONMENT, MARKET, RENEWAL, Telling

HOUR = datetime.timedelta(hours=1)


def overseer(region: Telling, official: str = "o.one") -> Requester:
    return region.both.who("oversight", "oversight", official=official)


async def page(region: Telling, **query: str) -> Any:
    return (await Late(region.replica.office).page(Asked(overseer(region), b"", {}, query))).value


async def then(region: Telling, id_: str) -> Any:
    """What is told of what follows, but for what is empty."""
    found = {each["id"]: each["then"] for each in (await page(region))["items"]}[id_]
    assert found.keys() == {"what", "at", "suspension", "law", "article"}
    return {name: value for name, value in found.items() if value is not None}


def test_what_is_late_is_told_with_what_follows(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        of = await region.received(subject)
        one = await region.told(of, term=HOUR)
        await region.told(of, term=10 * HOUR)
        assert (await page(region))["items"] == []
        await region.later(HOUR)
        found = await page(region)
        (row,), view = found["items"], region.views()[-1]
        assert (view.by, view.format) == ("o.one", "recalls")
        assert (row["id"], row["requester"]["client"], row["requester"]["department"]) == (one, MARKET, "market")
        assert (row["dataset"], row["purpose"], row["action"]) == (DATASET, RENEWAL, "DELETE")
        assert (row["due"], row["refused"]) == (region.world.now, False)
        assert await then(region, one) == {"what": "SUSPENDS", "at": moment(region.row(one).later or 0)}
        assert subject.value not in str(found)
        await region.answered(one, "REFUSED", reason="Archives Act, Art. 3")
        (row,) = (await page(region))["items"]
        assert row["refused"]
        await region.later(HOUR)
        (on,) = region.suspensions()
        assert await then(region, one) == {"what": "SUSPENDED", "at": moment(on.filed), "suspension": on.id}
        await region.act(overseer(region), "endSuspension", id=on.id, reason="The office moved.")
        assert (await then(region, one))["what"] == "SUSPENDED"
        await region.act(overseer(region, "o.two"), "confirm", id=on.id)
        assert await then(region, one) == {"what": "ENDED"}
        await region.answered(one)
        assert (await page(region))["items"] == []

    region.world.run(go())


def test_a_law_that_keeps_a_purpose_from_it_is_told(region: Telling) -> None:
    purposes = region.world.policies.purposes
    purpose = purposes[RENEWAL]
    assert isinstance(purposes, dict)
    purposes[RENEWAL] = msgspec.structs.replace(purpose, suspension_exempt=Basis("Courts Act", "9"))

    async def go() -> None:
        one = await region.recalled(term=HOUR)
        for _ in range(2):
            await region.later(HOUR)
            assert await then(region, one) == {"what": "EXEMPT", "law": "Courts Act", "article": "9"}

    try:
        region.world.run(go())
    finally:
        purposes[RENEWAL] = purpose


def test_pages_go_on_where_the_one_before_ended(region: Telling) -> None:
    async def go() -> None:
        of = [await region.received(region.firm(), client=client) for client in (MARKET, ENVIRONMENT)]
        made = [await region.told(of[number % 2], term=(1 + number // 2) * HOUR) for number in range(5)]
        await region.later(3 * HOUR)
        seen: list[Any] = []
        query = {"first": "2"}
        while True:
            found = await page(region, **query)
            seen += found["items"]
            if found["next"] is None:
                break
            query["after"] = found["next"]
        assert sorted(each["id"] for each in seen) == sorted(made)
        assert [each["due"] for each in seen] == sorted(each["due"] for each in seen)

    region.world.run(go())


def test_it_is_for_people_of_oversight_alone(region: Telling) -> None:
    async def go() -> None:
        rooms = Late(region.replica.office)
        for who in (
            region.both.steward("tax", "s.one"), region.both.who("oversight", "oversight"),
            region.system(MARKET, "recalls", official="m.ivanova"),
        ):  # fmt: skip
            with pytest.raises(Refusal, match="officials of oversight"):
                await rooms.page(Asked(who, b"", {}))
        for query in ({"first": "0"}, {"first": "51"}, {"after": "nothing"}):
            with pytest.raises(Refusal):
                await page(region, **query)
        assert region.views() == []

    region.world.run(go())
