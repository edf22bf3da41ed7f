"""Erasing on both databases while gateways append, others place a hold or approve, and a check runs."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence

import pytest

from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.erasure import erase, hold
from gateway.ledger.erasure.blockers import BLOCKERS
from gateway.ledger.log.keyring import Pending
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import ActRefused
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.port import Store
from gateway.storage.subjects import erasure
from tests.ledger.support import disclosed, opened, receipt_of
from tests.storage.conftest import Place
from tests.storage.erasures import DAYS, NAME, VERIFIERS, approved, entered, erased, requested


async def test_a_key_that_is_made_meanwhile_is_listed_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway enters the subject in its own shard between the look at the keys and the commit."""
    async with opened(store) as one, opened(store) as other:
        await disclosed(one)
        id_ = await requested(store)

        committed, late = Ledger.append_together, [2]

        async def after_another(self: Ledger, several: Sequence[Pending]) -> list[Receipt]:
            while late:
                await disclosed(other, late.pop())
            return await committed(self, several)

        monkeypatch.setattr(Ledger, "append_together", after_another)
        done = await approved(store, id_)
        assert not late
        assert len(done.keys) == 3
    verify_store(store, VERIFIERS)
    assert destruction.keys_of(store.engine, *NAME) == []


async def test_erasures_at_once_and_appends_meanwhile(place: Place) -> None:
    """Two erasures, of two subjects, with two gateways appending: nothing waits for another for ever."""
    store = place.open()
    other = ("LEI", "969500T3MBS4SQAMHJ45")
    async with opened(store) as one, opened(place.open()) as two:
        await asyncio.gather(*(disclosed(each, number) for number in range(5) for each in (one, two)))
        async with opened(store) as asking:
            await hold.place(asking, other, "C. Auditor", "to have a key", "auditor")
            ids = [(await erase.request(asking, subject, "A. Clerk", "order", "clerk")).id for subject in (NAME, other)]
            for each in erasure.holds(store.engine):
                await hold.lift(asking, each.id, "C. Auditor", "done", "auditor")
        stop = asyncio.Event()

        async def asks(ledger: Ledger) -> int:
            count = 0
            while not stop.is_set():
                await disclosed(ledger, 100 + count)
                count += 1
            return count

        asking_on = [asyncio.create_task(asks(each)) for each in (one, two)]
        async with opened(place.open()) as three, opened(place.open()) as four:
            done = await asyncio.gather(
                erase.approve(three, ids[0], "B. Judge", "judge", BLOCKERS, DAYS),
                erase.approve(four, ids[1], "B. Judge", "judge", BLOCKERS, DAYS),
                return_exceptions=True,
            )
        stop.set()
        counts = await asyncio.gather(*asking_on)
    assert all(isinstance(each, erase.Done) for each in done), done
    assert all(counts)
    verify_store(store, VERIFIERS)


async def test_a_hold_at_the_same_moment_comes_before_or_after(place: Place) -> None:
    """Before: the erasure is refused. After: the hold's own entry is readable, under a key that was not destroyed."""
    store, outcomes = place.open(), set()
    async with opened(store) as one, opened(place.open()) as two, opened(place.open()) as gateway:
        for late in (0, 1, 2, 4, 8, 16):
            await disclosed(gateway)
            id_ = (await erase.request(one, NAME, "A. Clerk", "order", "clerk")).id

            async def placed(turns: int = late) -> hold.Entered:
                for _ in range(turns):
                    await asyncio.sleep(0)
                return await hold.place(two, NAME, "C. Auditor", "audit", "auditor")

            done, kept = await asyncio.gather(
                erase.approve(one, id_, "B. Judge", "judge", BLOCKERS, DAYS), placed(), return_exceptions=True
            )
            assert isinstance(kept, hold.Entered), kept
            outcomes.add(type(done))
            values = [told.value for told in map(read.StoredEntry.read_told, entered(store))
                      if isinstance(told, entries.Hold) and told.hold == kept.id]  # fmt: skip
            assert values == [NAME[1]], "a hold that stands is about what can be read"
            if isinstance(done, ActRefused):
                await erase.withdraw(one, id_, "A. Clerk", "held", "clerk")
            else:
                assert isinstance(done, erase.Done), done
            await hold.lift(two, kept.id, "C. Auditor", "over", "auditor")
    assert outcomes <= {ActRefused, erase.Done}
    verify_store(store, VERIFIERS)


async def test_of_two_who_request_or_approve_one_does(store: Store) -> None:
    async with opened(store) as one, opened(store) as other:
        await disclosed(one)
        asked = await asyncio.gather(
            *(erase.request(each, NAME, "A. Clerk", "order", "clerk") for each in (one, other)), return_exceptions=True
        )
        made = [each for each in asked if isinstance(each, hold.Entered)]
        assert [type(each) for each in asked if each not in made] == [ActRefused]
        decided = await asyncio.gather(
            *(erase.approve(each, made[0].id, "B. Judge", "judge", BLOCKERS, DAYS) for each in (one, other)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, erase.Done) for each in decided) == 1, decided
        [why] = [str(each) for each in decided if isinstance(each, ActRefused)]
        assert "was carried out by B. Judge already" in why
        assert one.healthy
        assert other.healthy
    assert sum(isinstance(each.read_told(), entries.Erasure) for each in entered(store)) == 1
    verify_store(store, VERIFIERS)


def test_a_store_is_whole_though_a_subject_is_erased_while_it_is_checked(store: Store) -> None:
    """The erasure is entered in a shard that has been checked already, and the key goes of one that has not."""

    async def prepare() -> str:
        async with opened(store), opened(store) as other:
            await disclosed(other)
        return await requested(store)

    id_, told = asyncio.run(prepare()), []

    def meanwhile(name: str, size: int, of: int) -> None:
        told.append(name)
        if told == ["1"]:
            asyncio.run(approved(store, id_))

    assert [shard.size for shard in verify_store(store, VERIFIERS, meanwhile)] == [1, 1]
    assert told == ["1", "2"]
    assert sum(bool(each.erased) for each in entered(store)) == 2


def _serve(url: str, asked: multiprocessing.connection.Connection) -> None:
    """A gateway's ledger in a process of its own: an inquiry for each number that it is told."""

    async def serve() -> None:
        async with opened(Place(url).open()) as ledger:
            asked.send("open")
            while (number := await asyncio.to_thread(asked.recv)) is not None:
                asked.send(receipt_of(await disclosed(ledger, number)))

    asyncio.run(serve())


async def test_a_process_that_serves_meanwhile_takes_a_new_key(place: Place) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    serving = context.Process(target=_serve, args=(place.url, there))
    serving.start()
    try:
        assert here.recv() == "open"
        store = place.open()

        def ask(number: int) -> str:
            here.send(number)
            receipt: str = here.recv()
            return receipt

        receipts = [ask(1), ask(2)]
        done = await erased(store)
        assert destruction.scrub(store) is None, "while the other process has the store open"
        receipts += [ask(3), ask(4)]
        here.send(None)
    finally:
        serving.join(30)
        serving.kill()
    assert [verify_receipt(each, VERIFIERS).told.id for each in receipts] == [f"inquiry-{n}" for n in range(1, 5)]
    [fresh] = destruction.keys_of(store.engine, *NAME)
    assert fresh not in done.keys
    verify_store(store, VERIFIERS)
    said = {each.read_told().id: each.erased for each in entered(store)}
    assert [bool(said[f"inquiry-{number}"]) for number in range(1, 5)] == [True, True, False, False]
