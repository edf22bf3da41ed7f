"""The one way to act: one entry per act, numbers without a gap, and whatever an act saw still holds when it stands."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import zoneinfo
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import Code, Refusal
from gateway.ledger.acting import writer as writing
from gateway.ledger.acting.planned import Actor, Bound, Made, Planned, Repeat, Seen, invalid, new_fact
from gateway.ledger.acting.writer import Done, Writer
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.log.keyring import Row
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.subjects.acts import Act, act, act_count, act_head, following
from gateway.storage.subjects.facts import fact, fact_head
from tests.ledger.support import AT, VERIFIERS, opened
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["bare", "place", "server", "store"]

ZONE = zoneinfo.ZoneInfo("Europe/Sofia")
PORTAL = Actor("https://login.example", "citizen-portal", "portal", person="p-1")


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime.datetime:
        return self.now


@contextlib.asynccontextmanager
async def acting(store: Store, clock: Clock | None = None) -> AsyncIterator[Writer]:
    async with opened(store) as ledger:
        made = Writer(ledger, clock or Clock(), ZONE)
        yield made
        await made.close()
        assert ledger.healthy


def opting_out(
    value: str, *, dataset: str = "tax-awards", bounds: Sequence[Bound] = (), repeat: Repeat | None = None,
    touches: frozenset[Hashable] | None = None, bulk: bool = False,
) -> Planned:  # fmt: skip
    """A subject opts out, where it has not yet."""

    def make(seen: Seen) -> Made:
        there = select(fact.c.id).where(fact.c.value == value, fact.c.dataset == dataset, fact.c.ended.is_(None))
        if seen.connection.execute(there).first() is not None:
            raise invalid("STATE", "it is so already")
        begun = new_fact(seen, "opt-out", ("LEI", value), {"dataset": dataset})
        who = entries.Who(PORTAL.issuer, PORTAL.client, PORTAL.department)
        told = entries.Hold(entries.VERSION, seen.id, seen.now, who, "placed", seen.id, "x", "y", "LEI", value)
        other = entries.Oversight(entries.VERSION, facts=seen.change + 1)
        return Made(told, other, [Row(fact, begun)], str(begun["id"]), value, facts=1)

    def again(seen: Seen, past: Act) -> str:
        return f"again {past.matter}"

    return Planned(PORTAL, touches or frozenset([("LEI", value)]), bounds, make, again, repeat, bulk)


def told(store: Store) -> dict[str, int]:
    """What the store says of acts, all of it in one snapshot."""
    with store.engine.connect() as connection, contextlib.closing(store.reader()) as reader:
        numbers = connection.execute(select(act.c.number).order_by(act.c.number)).scalars().all()
        changes = connection.execute(select(fact.c.change).order_by(fact.c.change)).scalars().all()
        assert list(numbers) == list(range(1, len(numbers) + 1))
        assert list(changes) == list(range(1, len(changes) + 1))
        assert connection.execute(select(act_head.c.number)).scalar_one() == len(numbers)
        assert connection.execute(select(fact_head.c.change)).scalar_one() == len(changes)
        ids = {}
        for head in read.heads(reader):
            for entry in read.read_entries(reader, head.id, 0, head.size):
                ids[(head.id << 40) + entry.index] = entry.read_told().id
        assert dict(connection.execute(select(act.c.entry, act.c.id)).all()) == ids
        return {"acts": len(numbers), "facts": len(changes), "entries": len(ids)}


async def test_each_act_has_its_entry_and_numbers_have_no_gap(place: Place) -> None:
    async with acting(place.open()) as one, acting(place.open()) as other:
        done = await asyncio.gather(*((one, other)[n % 2].act(opting_out(f"v{n}")) for n in range(128)))
    assert len({each.id for each in done}) == 128
    for each in done[::16]:
        assert each.receipt is not None
        assert verify_receipt(each.receipt.text, VERIFIERS).told.id == each.id
    assert told(place.open()) == {"acts": 128, "facts": 128, "entries": 128}
    verify_store(place.open(), VERIFIERS, rows=False)


async def test_of_two_that_touch_the_same_the_second_sees_the_first(place: Place) -> None:
    async with acting(place.open()) as one, acting(place.open()) as other:
        done = await asyncio.gather(
            *((one, other)[n % 2].act(opting_out(f"v{n % 8}")) for n in range(64)), return_exceptions=True
        )
    assert [type(each) for each in done].count(Done) == 8
    assert {each.extensions["reason"] for each in done if isinstance(each, Refusal)} == {"STATE"}
    assert told(place.open()) == {"acts": 8, "facts": 8, "entries": 8}


async def test_without_its_guard_acts_of_two_processes_stop_the_ledger(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unguarded(number: int, several: int) -> Any:
        return following(number, several).statement

    monkeypatch.setattr(writing.rows, "following", unguarded)
    monkeypatch.setattr(writing, "Guarded", lambda statement: statement)
    async with opened(place.open()) as mine, opened(place.open()) as others:
        one, other = (Writer(each, Clock(), ZONE) for each in (mine, others))
        done = await asyncio.gather(
            *((one, other)[n % 2].act(opting_out(f"v{n}")) for n in range(64)), return_exceptions=True
        )
    # Only what the tables say of their rows is left, and that stops both.
    assert {each.code for each in done if isinstance(each, Refusal)} == {Code.LEDGER_UNAVAILABLE}


async def test_a_repeat_is_the_first_outcome_for_a_day(store: Store) -> None:
    clock = Clock()

    def wanted(arguments: str) -> Planned:
        return opting_out("v1", repeat=Repeat(("p-1", "setOptOut", "r-1"), arguments))

    async with acting(store, clock) as writer:
        first, *others = await asyncio.gather(*(writer.act(wanted("a")) for _ in range(9)))
        assert {each.id for each in others} == {first.id}
        assert {each.at for each in others} == {first.at}
        assert {each.value for each in others} == {f"again {first_fact(store)}"}
        assert all(each.place is not None and each.receipt is None for each in others)
        with pytest.raises(Refusal) as refused:
            await writer.act(wanted("b"))
        assert refused.value.extensions["reason"] == "REFERENCE"
        clock.now += datetime.timedelta(hours=24)
        with pytest.raises(Refusal) as refused:
            await writer.act(wanted("a"))
        assert refused.value.extensions["reason"] == "STATE"
        other = await writer.act(opting_out("v2", repeat=Repeat(("p-1", "setOptOut", "r-1"), "c")))
        assert other.id != first.id
    assert told(store) == {"acts": 2, "facts": 2, "entries": 2}


def first_fact(store: Store) -> str:
    with store.engine.connect() as connection:
        return str(connection.execute(select(fact.c.id).where(fact.c.change == 1)).scalar_one())


async def test_no_more_than_so_many_a_day(place: Place) -> None:
    clock = Clock()

    def wanted(n: int) -> Planned:
        return opting_out(f"v{n}", bounds=[Bound(("p-1",), 5, "acts"), Bound((f"{n % 2}",), 100, "others")])

    async with acting(place.open(), clock) as one, acting(place.open(), clock) as other:
        done = await asyncio.gather(*((one, other)[n % 2].act(wanted(n)) for n in range(12)), return_exceptions=True)
        refused = [each for each in done if isinstance(each, Refusal)]
        assert len(refused) == 7
        assert {each.code for each in refused} == {Code.QUOTA_EXCEEDED}
        assert {each.extensions["resetsAt"] for each in refused} == {"2026-11-24T22:00:00+00:00"}
        clock.now = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
        await one.act(wanted(20))
    assert told(place.open())["acts"] == 6
    with place.open().engine.connect() as connection:
        assert set(connection.execute(select(act_count.c.day)).scalars()) == {"2026-11-25"}


async def test_bulk_yields_to_people(store: Store) -> None:
    order: list[str] = []

    async def act_as(writer: Writer, planned: Planned, name: str) -> None:
        await writer.act(planned)
        order.append(name)

    async with acting(store) as writer:
        bulk = [act_as(writer, opting_out(f"b{n}", bulk=True), "bulk") for n in range(64)]
        people = [act_as(writer, opting_out(f"p{n}"), "person") for n in range(8)]
        await asyncio.gather(*bulk, *people)
    assert "bulk" not in order[: order.index("person")]
    assert order.index("person") + 8 <= order.index("bulk") or order[:8] == ["person"] * 8


async def test_who_makes_no_sense_stops_nobody_else(store: Store) -> None:
    def broken(seen: Seen) -> Made:
        raise LookupError("a defect")

    async with acting(store) as writer:
        wrong = opting_out("v1")._replace(make=broken, touches=frozenset())
        done = await asyncio.gather(
            writer.act(wrong), writer.act(opting_out("v2")), writer.act(wrong), return_exceptions=True
        )
        assert [type(each) for each in done] == [LookupError, Done, LookupError]


async def test_too_many_are_refused_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(writing.WAITING, False, 10)
    async with acting(store) as writer:
        done = await asyncio.gather(*(writer.act(opting_out(f"v{n}")) for n in range(30)), return_exceptions=True)
    assert [type(each) for each in done] == [Done] * 10 + [Refusal] * 20
    assert {each.code for each in done if isinstance(each, Refusal)} == {Code.LEDGER_UNAVAILABLE}
