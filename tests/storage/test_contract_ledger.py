"""The ledger on every store: durable before it answers, whole when it is verified, found again, and taken over."""

from __future__ import annotations

import asyncio
import contextlib
import datetime

import pytest
from sqlalchemy import text

from gateway.errors import LedgerUnavailable, VerificationFailed
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from tests.ledger.log.test_ledger import told_by
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, disclosed, number_of, opened, receipt_of
from tests.ledgers import ledger_on
from tests.storage.conftest import Place


async def test_every_answer_has_its_entry_and_every_receipt_verifies(store: Store) -> None:
    async with opened(store) as ledger:
        answers = [await disclosed(ledger, 0)]
        answers += await asyncio.gather(*(disclosed(ledger, n) for n in range(1, 600)))
    (whole,) = await asyncio.to_thread(verify_store, store, VERIFIERS)
    assert whole.size == 600
    with contextlib.closing(store.reader()) as reader:
        leaves = [each.leaf for each in read.read_entries(reader, 1, 0, 600)]
    for n, answer in enumerate(answers):
        proved = verify_receipt(receipt_of(answer), VERIFIERS)
        assert proved.told.id == f"inquiry-{n}"
        assert leaves[proved.index] == proved.leaf


async def test_the_next_process_goes_on_under_a_higher_epoch(place: Place) -> None:
    epochs = []
    for n in range(3):
        store = place.open()
        async with opened(store) as ledger:
            assert (ledger.shard, (await ledger.append(b"%d" % n, b"", AT, BY)).index) == ("1", n)
            with contextlib.closing(store.reader()) as reader:
                epochs += [head.epoch for head in read.heads(reader)]
    assert epochs == [1, 2, 3]


async def test_whoever_loses_the_swap_never_appends_again(store: Store) -> None:
    async with opened(store) as ledger:
        await ledger.append(b"mine", b"", AT, BY)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE shard SET epoch = epoch + 1"))
        for _ in range(3):
            with pytest.raises(LedgerUnavailable, match="taken over"):
                await ledger.append(b"not mine", b"", AT, BY)
        assert not ledger.healthy
    with contextlib.closing(store.reader()) as reader:
        assert [each.told.general.body for each in read.read_entries(reader, 1, 0, 9) if each.told] == [b"mine"]


async def test_requesters_and_starts_find_what_was_told_in_every_shard(place: Place) -> None:
    store, minute = place.open(), datetime.timedelta(minutes=1)
    async with opened(store) as one, opened(place.open()) as other:
        assert (one.shard, other.shard) == ("1", "2")
        for n in range(40):
            await (one, other)[n % 2].append(b"%d" % n, b"", AT + n * minute, BY if n % 3 else ("i", "else"))
        assert await one.entered_since(AT + 10 * minute, number_of) == list(range(10, 40))
        found, cursor = [], None
        while page := other.own(*BY, after=cursor, first=7):
            found += page
            cursor = page[-1].cursor
        assert [int(own.told.general.body) for own in found] == [n for n in range(40) if n % 3]
        assert all(told_by(own.receipt) == own.told.general.body for own in found)


async def test_a_named_shard_that_another_holds_is_refused(place: Place) -> None:
    async with opened(place.open()) as ledger:
        with pytest.raises(LedgerUnavailable, match="held by another"):
            await ledger_on(place.open(), KEY, ORIGIN, shard=ledger.shard).start()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET leaf = (SELECT root FROM shard) WHERE id = (SELECT max(id) FROM entry)",
        "UPDATE entry SET told = oversight WHERE id = (SELECT min(id) FROM entry)",
        "UPDATE entry SET at = at + 1 WHERE id = (SELECT min(id) FROM entry)",
        "UPDATE shard SET floor = floor + 1",
        "UPDATE shard SET checkpoint = 'x'",
        "DELETE FROM entry_requester",
        "DELETE FROM subtree",
    ],
)
async def test_what_is_altered_is_found(store: Store, damage: str) -> None:
    async with opened(store) as ledger:
        await asyncio.gather(*(disclosed(ledger, n) for n in range(300)))
    verify_store(store, VERIFIERS)
    with store.engine.begin() as connection:
        connection.execute(text(damage))
    with pytest.raises(VerificationFailed):
        verify_store(store, VERIFIERS)
