"""How often inquiries are refused, as officers are told it: as everybody is, and of a running month in tens."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from gateway.drafts.refusals import MONTHS, Refusals
from gateway.errors import Code, Refusal
from gateway.ledger.stored import read
from gateway.storage.projections import transparency as kept
from gateway.storage.projections.transparency import Key, Month, Place
from gateway.storage.tables import micros
from gateway.transparency import counted
from gateway.transparency.figures import document
from gateway.transparency.hidden import LEAST
from tests.acts.serving import served
from tests.proposals.room import CLOSED, Room
from tests.proposals.test_http import Desk

MARKET, LABOUR = ("market", "LICENCE_RENEWAL"), ("labour", "SUBSIDY_ASSESSMENT")


def count(room: Room, *counts: dict[Key, int]) -> None:
    """Have these counted, of one shard's entries."""
    reader = room.store.reader()
    try:
        (shard,) = {head.id for head in read.heads(reader) if head.size}
    finally:
        reader.close()
    for number, each in enumerate(counts):
        before = kept.places(room.store.engine).get(shard, Place(0, 0)).next
        given = {key: (many, 0) for key, many in each.items()}
        assert kept.add(room.store.engine, shard, before, Place(before + number + 1, 0), given)


def close(room: Room, *months: str) -> None:
    for month in months:
        kept.close(room.store.engine, Month(month, micros(room.desk.now), "[]"))


def present(room: Room) -> str:
    return counted.month(room.desk.now, room.desk.rules.calendar.zone)


def before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04}-{number - 1 or 12:02}"


async def test_nothing_was_counted_yet(room: Room) -> None:
    told = Refusals(room.desk.office).told()
    assert told == {"least": LEAST, "months": [], "totals": [], "figures": []}


async def test_a_running_month_goes_up_in_tens_and_none_that_is_to_come_is_told(room: Room) -> None:
    now = present(room)
    last, coming = before(now), counted.after(now)
    denied = ("denied", "PURPOSE_NOT_PERMITTED")
    count(room, {(month, *MARKET, *denied): 47 for month in (last, now, coming)}, {(now, *LABOUR, *denied): 9})
    close(room, last)
    told = Refusals(room.desk.office).told()
    assert told["months"] == [{"month": last, "closed": True}, {"month": now, "closed": False}]
    whole = {"purpose": "LICENCE_RENEWAL", "what": "denied", "reason": "PURPOSE_NOT_PERMITTED"}
    assert told["figures"] == [{"month": last, **whole, "count": 47}, {"month": now, **whole, "count": 40}]
    (_, running) = told["totals"]
    assert (running["count"], running["count"] % LEAST) in ((40, 0), (50, 0))
    count(room, {(now, *MARKET, *denied): 2})
    assert Refusals(room.desk.office).told() == told
    count(room, {(now, *MARKET, *denied): 1})
    assert Refusals(room.desk.office).told()["figures"][1]["count"] == 50


async def test_what_was_secret_is_told_once_its_month_is_closed(room: Room) -> None:
    now = present(room)
    last = before(now)
    refused = ("refused", "QUOTA_EXCEEDED")
    for month in (last, now):
        count(room, {(month, *MARKET, *refused): 20, (kept.held(month), *MARKET, *refused): 30})
    assert [each["count"] for each in Refusals(room.desk.office).told()["figures"]] == [20, 20]
    close(room, last)
    told = Refusals(room.desk.office).told()
    assert [(each["month"], each["closed"]) for each in told["months"]] == [(last, True), (now, False)]
    assert [each["count"] for each in told["figures"]] == [50, 20]
    count(room, {(kept.held(last), *MARKET, *refused): 10})  # one that was late is of the first month that is open
    assert [each["count"] for each in Refusals(room.desk.office).told()["figures"]] == [50, 30]


async def test_it_tells_no_more_of_a_closed_month_than_everybody_is_told(room: Room) -> None:
    drawn, policies = random.Random(14), room.desk.rules.policies
    now = present(room)
    month, months = now, list[str]()
    for _ in range(MONTHS + 3):
        month = before(month)
        months.insert(0, month)
    whose = [MARKET, LABOUR, ("environment", "LICENCE_RENEWAL"), ("tax", "SUBSIDY_ASSESSMENT"), ("gone", "GONE")]
    what = [("answered", ""), ("refused", "QUOTA_EXCEEDED"), ("denied", "NO_RULE"), ("recalled", "")]
    counts: dict[Key, int] = {
        (each, *one, *measure): many
        for each in months for one in whose for measure in what if (many := drawn.choice((0, 1, 3, 9, 10, 14, 60)))
    }  # fmt: skip
    count(room, counts)
    close(room, *months)
    told = Refusals(room.desk.office).told()
    assert [each["month"] for each in told["months"]] == [*months, now][-MONTHS:]
    seen = 0
    for each in months[-MONTHS + 1 :]:
        row = next(found for found in kept.months(room.store.engine) if found.month == each)
        public = document(policies, row, kept.counts(room.store.engine, each))
        titles = {name: purpose.title for name, purpose in policies.purposes.items()}
        for figure in [found for found in told["figures"] if found["month"] == each]:
            title = titles.get(figure["purpose"], figure["purpose"])
            same = [
                one["count"] for one in public["figures"]
                if (one["purpose"], one["what"], one["reason"]) == (title, figure["what"], figure["reason"])
            ]  # fmt: skip
            assert figure["count"] == sum(same) >= LEAST
            seen += 1
        for total in [found for found in told["totals"] if found["month"] == each]:
            name = {key: total[key] for key in ("what", "reason", "count")}
            shown = [
                one["count"] for one in public["figures"] if (one["what"], one["reason"]) == tuple(name.values())[:2]
            ]
            assert name in public["totals"] if total["whole"] else total["count"] == sum(shown) >= LEAST
    assert seen > MONTHS
    assert {each["what"] for each in told["figures"]} == {"answered", "refused", "denied"}


async def test_a_closed_month_is_told_as_the_rules_of_now_name_who_may_ask(room: Room) -> None:
    month = before(present(room))
    count(room, {(month, *MARKET, "refused", "QUOTA_EXCEEDED"): 30})
    close(room, month)
    refusals = Refusals(room.desk.office)
    first = refusals.told()
    await room.activate(await room.passed(CLOSED))
    assert refusals.told() == first
    assert len(refusals._made) == 2


async def test_a_store_out_of_reach_is_told_as_that(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(kept, "months", fails)
    with pytest.raises(Refusal) as raised:
        Refusals(room.desk.office).told()
    assert raised.value.code is Code.LEDGER_UNAVAILABLE


async def test_it_is_for_officers_alone(tmp_path: Path) -> None:
    async with served(tmp_path, activated=True) as gateway:
        desk, path = Desk(tmp_path, gateway), "/rules/refusals"
        told = await desk.ask("GET", path, desk.bearer("policy-office", "officer", "p.olsen"))
        assert (told.status_code, told.json()["least"]) == (200, LEAST)
        assert (await desk.ask("GET", path, None)).status_code == 401
        for client, scope, official in (
            ("market-stewards", "steward", "s.someone"), ("oversight", "oversight", "o.marin"),
            ("market-regulator", "inquire", "m.ivanova"), ("policy-office", "officer", "policy-office"),
        ):  # fmt: skip
            refused = await desk.ask("GET", path, desk.bearer(client, scope, official))
            assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN"), scope
        assert (await desk.ask("POST", path, None, json={})).status_code == 405
