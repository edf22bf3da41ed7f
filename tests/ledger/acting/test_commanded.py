"""What people do by commands, as acts: an act and an entry each, whoever else acts meanwhile, and whatever is lost."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.errors import LedgerUnavailable
from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Actor, Made, Planned, Seen
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.erasure import erase, hold
from gateway.ledger.erasure.blockers import BLOCKERS
from gateway.ledger.log.keyring import Pending
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.port import Guarded, Store
from gateway.storage.subjects import erasure
from gateway.storage.subjects.acts import act
from tests.ledger.acting.test_writer import ZONE, Clock, opting_out
from tests.ledger.support import AT, SUBJECT, VERIFIERS, disclosed, faulty_store_in, opened
from tests.storage.conftest import Place, bare, place, server, store
from tests.waiting import until_async

__all__ = ["bare", "place", "server", "store"]

NAME = (SUBJECT.scheme, SUBJECT.value)
DAYS = datetime.timedelta(days=35)
COMMANDED = entries.Hold | entries.ErasureRequest | entries.Erasure


def acts_and_entries(store: Store) -> tuple[list[tuple[str, str | None]], list[tuple[str, str]]]:
    """The acts with what they moved, and the entries of commands with what they are about, both sorted."""
    found = []
    with contextlib.closing(store.reader()) as reader:
        for head in read.heads(reader):
            for entry in read.read_entries(reader, head.id, 0, head.size):
                told = entry.read_told()
                if isinstance(told, COMMANDED):
                    found.append((told.id, told.hold if isinstance(told, entries.Hold) else told.erasure))
    with store.engine.connect() as connection:
        rows = [(row.id, row.matter) for row in connection.execute(select(act.c.id, act.c.matter))]
    return sorted(rows), sorted(found)


async def test_each_command_is_an_act_with_its_entry(store: Store) -> None:
    async with opened(store) as ledger:
        await disclosed(ledger)
        kept = await hold.place(ledger, NAME, "C. Auditor", "audit 9", "c")
        asked = await erase.request(ledger, NAME, "A. Clerk", "order", "a")
        with pytest.raises(ActRefused, match=f"hold `{kept.id}` is open"):
            await erase.approve(ledger, asked.id, "B. Judge", "b", BLOCKERS, DAYS)
        await erase.withdraw(ledger, asked.id, "A. Clerk", "held", "a")
        await hold.lift(ledger, kept.id, "C. Auditor", "over", "c")
        again = await erase.request(ledger, NAME, "A. Clerk", "order", "a")
        erased = await erase.approve(ledger, again.id, "B. Judge", "b", BLOCKERS, DAYS)
        assert ledger.healthy
    rows, found = acts_and_entries(store)
    assert rows == found
    assert sorted(moved for _, moved in found) == sorted([kept.id, asked.id, asked.id, kept.id, again.id, again.id])
    told = verify_receipt(erased.receipt.text, VERIFIERS).told
    assert isinstance(told, entries.Erasure)
    assert told.id in dict(found)
    verify_store(store, VERIFIERS)


@contextlib.asynccontextmanager
async def acting_on(ledger: Ledger) -> AsyncIterator[list[int]]:
    """A gateway that has acts made one after the other as fast as it can; how many were is in what is given."""
    writer, made, stop = Writer(ledger, Clock(), ZONE), [0], asyncio.Event()

    async def goes_on(lane: int) -> None:
        while not stop.is_set():
            await writer.act(opting_out(f"{lane}-{made[0]}", bulk=lane > 1))
            made[0] += 1

    lanes = [asyncio.create_task(goes_on(lane)) for lane in range(4)]
    try:
        yield made
    finally:
        stop.set()
        await asyncio.gather(*lanes)
        await writer.close()


def _more(made: list[int], before: int) -> bool:
    return made[0] > before


async def test_beside_a_gateway_that_acts_neither_fails(place: Place) -> None:
    store = place.open()
    async with opened(place.open()) as gateway, opened(store) as desk, acting_on(gateway) as made:
        for number in range(3):
            await disclosed(gateway, number)
            before = made[0]
            kept = await hold.place(desk, NAME, "C. Auditor", "audit", "c")
            asked = await erase.request(desk, NAME, "A. Clerk", "order", "a")
            with pytest.raises(ActRefused, match="is open"):
                await erase.approve(desk, asked.id, "B. Judge", "b", BLOCKERS, DAYS)
            await hold.lift(desk, kept.id, "C. Auditor", "over", "c")
            carried = await erase.approve(desk, asked.id, "B. Judge", "b", BLOCKERS, DAYS)
            assert destruction.still_there(store.engine, carried.keys) == []
            assert gateway.healthy
            assert desk.healthy
            await until_async("the gateway to act", functools.partial(_more, made, before))
    with store.engine.connect() as connection:
        numbers = connection.execute(select(act.c.number).order_by(act.c.number)).scalars().all()
    assert list(numbers) == list(range(1, made[0] + 12 + 1))


async def test_a_lift_and_an_erasure_at_once_come_one_after_the_other(place: Place) -> None:
    store, outcomes = place.open(), set[str]()
    async with opened(store) as one, opened(place.open()) as two:
        for turns in (0, 1, 4, 16):
            await disclosed(one)
            kept = await hold.place(two, NAME, "C. Auditor", "audit", "c")
            asked = await erase.request(one, NAME, "A. Clerk", "order", "a")

            async def lifted(turns: int = turns, id_: str = kept.id) -> hold.Entered:
                for _ in range(turns):
                    await asyncio.sleep(0)
                return await hold.lift(two, id_, "C. Auditor", "over", "c")

            approved, lift = await asyncio.gather(
                erase.approve(one, asked.id, "B. Judge", "b", BLOCKERS, DAYS), lifted(), return_exceptions=True
            )
            assert isinstance(lift, hold.Entered), lift
            outcomes.add(type(approved).__name__)
            if not isinstance(approved, erase.Done):
                assert isinstance(approved, ActRefused), approved
                assert f"hold `{kept.id}` is open" in str(approved)
                await erase.approve(one, asked.id, "B. Judge", "b", BLOCKERS, DAYS)
            assert destruction.keys_of(store.engine, *NAME) == []
    assert outcomes <= {"Done", "ActRefused"}
    rows, found = acts_and_entries(store)
    assert rows == found
    verify_store(store, VERIFIERS)


async def test_an_erasure_that_does_not_look_inside_its_transaction_goes_through(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: what `tests/storage/test_erasing.py` sees refused is carried out without the guard."""

    def unguarded(request: erasure.Request, _keys: object, _blocking: object, by: str, at: int) -> Guarded:
        return erasure.closing(request.id, "done", by, at)

    async with opened(store) as ledger:
        await disclosed(ledger)
        asked = await erase.request(ledger, NAME, "A. Clerk", "order", "a")
        await hold.place(ledger, NAME, "C. Auditor", "audit", "c")
        monkeypatch.setattr(erase, "found_open", lambda *_: [])
        monkeypatch.setattr(destruction, "deciding", unguarded)
        assert (await erase.approve(ledger, asked.id, "B. Judge", "b", BLOCKERS, DAYS)).keys


async def test_what_a_command_does_shares_with_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another's entry would be sealed by the key that the same transaction destroys."""
    groups: list[int] = []
    committed = Ledger.append_together

    async def counted(self: Ledger, several: Sequence[Pending]) -> list[Receipt]:
        groups.append(len(several))
        return await committed(self, several)

    def made(seen: Seen) -> Made:
        told = entries.Hold(entries.VERSION, seen.id, seen.now, CLIENT, "placed", seen.id, "x", "y", *NAME)
        return said(told, "x", [], seen.id, None)

    def again(*_: object) -> None:
        raise AssertionError("it has no reference")

    monkeypatch.setattr(Ledger, "append_together", counted)
    shared = Planned(Actor("", "x", ""), frozenset(), (), made, again)
    async with opened(store) as ledger:
        writer = Writer(ledger, lambda: AT, ZONE)
        order = [shared, shared, shared._replace(guarded=True), shared, shared, shared._replace(guarded=True)]
        await asyncio.gather(*map(writer.act, order))
    assert groups == [2, 1, 2, 1]


async def test_an_answer_that_was_lost_is_found(tmp_path: Path) -> None:
    """The commit stands, and the store fails before it says so."""
    store = faulty_store_in(tmp_path)

    def lose(statement: str) -> None:
        if statement == "AFTER COMMIT":
            store.fault = None
            raise sqlite3.OperationalError("disk I/O error")

    async with opened(store) as ledger:
        await disclosed(ledger)
        store.fault = lose
        asked = await erase.request(ledger, NAME, "A. Clerk", "order", "a")
        assert isinstance(verify_receipt(asked.receipt.text, VERIFIERS).told, entries.ErasureRequest)
        store.fault = lose
        carried = await erase.approve(ledger, asked.id, "B. Judge", "b", BLOCKERS, DAYS)
        assert isinstance(verify_receipt(carried.receipt.text, VERIFIERS).told, entries.Erasure)
    rows, found = acts_and_entries(store)
    assert rows == found
    assert len(rows) == 2
    store.close()


@pytest.mark.parametrize(
    "where", ["BEGIN IMMEDIATE", "INSERT INTO entry ", "UPDATE act_head", "UPDATE shard", "COMMIT"]
)
async def test_what_was_not_made_is_told_and_can_be_repeated(tmp_path: Path, where: str) -> None:
    store = faulty_store_in(tmp_path)

    def fail(statement: str) -> None:
        if statement.startswith(where):
            store.fault = None
            raise sqlite3.OperationalError("disk I/O error")

    async with opened(store, retry=0.01) as ledger:
        await disclosed(ledger)
        store.fault = fail
        with pytest.raises(LedgerUnavailable):
            await hold.place(ledger, NAME, "C. Auditor", "audit", "c")
        assert acts_and_entries(store) == ([], [])
        assert erasure.holds(store.engine) == []
        assert (await hold.place(ledger, NAME, "C. Auditor", "audit", "c")).id
    store.close()


async def test_what_a_command_says_is_wrong_is_told_as_it_is(store: Store) -> None:
    def wrong(seen: Seen) -> Made:
        raise LookupError(seen.id)

    async with opened(store) as ledger:
        with pytest.raises(LookupError):
            await done(ledger, wrong)
        assert ledger.healthy
