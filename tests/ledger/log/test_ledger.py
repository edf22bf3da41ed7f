"""Appending: durable before it answers (invariant 3), in groups, bounded, and never again once the shard is lost."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sqlite3
from collections.abc import Awaitable
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable, Refusal
from gateway.ledger.log.batch import Gathering
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.leaf import open_extra
from gateway.ledger.proof.merkle import leaf_hash, verify_inclusion
from gateway.ledger.proof.note import open_note, parse_checkpoint
from gateway.ledger.proof.tlog_proof import Receipt, parse
from gateway.ledger.stored import read
from gateway.storage.engines import sqlite_held
from gateway.storage.engines.sqlite import SqliteStore
from tests.ledger.support import (
    AT,
    BY,
    KEY,
    ORIGIN,
    VERIFIERS,
    disclosed,
    faulty_store_in,
    number_of,
    opened,
    store_in,
)
from tests.ledgers import ledger_on
from tests.waiting import until_async

INLINE, THREAD = {"inline_limit": 9.0}, {"inline_limit": -1.0}
ways = pytest.mark.parametrize("way", [INLINE, THREAD], ids=["inline", "thread"])


def told_by(receipt: Receipt) -> bytes:
    """What a receipt proves, after checking every step of the proof."""
    proof = parse(receipt.text)
    opening = open_extra(proof.extra)
    text, signers = open_note(proof.checkpoint, VERIFIERS)
    checkpoint = parse_checkpoint(text)
    assert checkpoint.origin == signers[0].name == f"{ORIGIN}/{receipt.shard}"
    assert proof.index == receipt.index
    assert verify_inclusion(leaf_hash(opening.leaf), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return opening.told.general.body


def stored(store: SqliteStore, shard: int = 1) -> dict[int, bytes]:
    """What a fresh reader finds in the store, by index."""
    with contextlib.closing(store.reader()) as reader:
        return {
            entry.index: entry.told.general.body for entry in read.read_entries(reader, shard, 0, 1 << 40) if entry.told
        }


async def outcomes(*appends: Awaitable[Receipt]) -> list[Receipt | BaseException]:
    return await asyncio.gather(*appends, return_exceptions=True)


@ways
async def test_every_receipt_proves_what_was_said(tmp_path: Path, way: dict[str, float]) -> None:
    store = store_in(tmp_path)
    async with opened(store, **way) as ledger:
        one = await ledger.append(b"first", b"hidden", AT, BY)
        many = await asyncio.gather(*(ledger.append(b"told %d" % n, b"hidden", AT, BY) for n in range(700)))
    assert [told_by(receipt) for receipt in (one, *many)] == [b"first", *(b"told %d" % n for n in range(700))]
    assert [receipt.index for receipt in (one, *many)] == list(range(701))
    assert stored(store) == {receipt.index: told_by(receipt) for receipt in (one, *many)}
    assert all(b"hidden" not in receipt.text.encode() for receipt in many)


@ways
async def test_entries_of_consecutive_turns_share_a_commit_after_others_did(
    tmp_path: Path, way: dict[str, float]
) -> None:
    async def later(ledger: Ledger, turns: int) -> Receipt:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await ledger.append(b"told", b"hidden", AT, BY)

    groups: list[int] = []
    async with opened(store_in(tmp_path), **way) as ledger:
        await later(ledger, 0)
        ledger._committed = groups.append
        await asyncio.gather(later(ledger, 0), later(ledger, 0))
        await asyncio.gather(*(later(ledger, turns) for turns in range(6)))
        assert sum(groups) == 8
        assert groups[:2] == [2, 6]
        groups.clear()
        for _ in range(3):
            await later(ledger, 0)
        assert groups == [1, 1, 1]


def test_a_group_waits_for_others_while_there_are_more_and_never_long() -> None:
    gathering = Gathering()
    assert not gathering.grows(1)
    gathering.taken(1)
    assert [gathering.grows(waiting) for waiting in (2, 3, 3)] == [True, True, False]
    gathering.taken(3)
    assert [gathering.grows(waiting) for waiting in (1, 1)] == [True, False]
    gathering.taken(1)
    assert not gathering.grows(1)
    assert [gathering.grows(waiting) for waiting in range(2, 40)].count(True) == 8
    gathering.taken(39)
    assert not gathering.grows(256)


@ways
async def test_it_goes_on_after_a_restart(tmp_path: Path, way: dict[str, float]) -> None:
    store = store_in(tmp_path)
    receipts = []
    for round_ in range(4):
        async with opened(store, **way) as ledger:
            assert ledger.shard == "1"
            receipts += await asyncio.gather(*(ledger.append(b"%d" % round_, b"", AT, BY) for _ in range(130)))
    assert [told_by(receipt) for receipt in receipts] == [b"%d" % (n // 130) for n in range(520)]
    assert [receipt.index for receipt in receipts] == list(range(520))


async def test_time_never_falls(tmp_path: Path) -> None:
    store, later = store_in(tmp_path), AT + datetime.timedelta(days=1)
    async with opened(store) as ledger:
        await ledger.append(b"a", b"", later, BY)
        await ledger.append(b"b", b"", AT, BY)
        assert ledger.floor == later
    async with opened(store) as ledger:
        assert ledger.floor == later


async def test_what_was_told_is_read_back_from_a_moment_on_oldest_first(tmp_path: Path) -> None:
    store, minute = store_in(tmp_path), datetime.timedelta(minutes=1)
    async with opened(store) as one, opened(store) as other:
        for n in range(300):
            await (one, other)[n % 2].append(b"%d" % n, b"", AT + n * minute, BY)
        found = await one.entered_since(
            AT + 100 * minute, lambda entry: number_of(entry) if number_of(entry) != 150 else None
        )
        assert found == [n for n in range(100, 300) if n != 150]
        assert await one.entered_since(AT + 300 * minute, number_of) == []


async def test_nothing_is_taken_before_start_or_after_close(tmp_path: Path) -> None:
    ledger = ledger_on(store_in(tmp_path), KEY, ORIGIN)
    with pytest.raises(LedgerUnavailable):
        await ledger.append(b"", b"", AT)
    assert not ledger.healthy
    await ledger.start()
    assert ledger.healthy
    waiting = [asyncio.ensure_future(ledger.append(b"%d" % n, b"", AT)) for n in range(600)]
    await asyncio.sleep(0)
    await ledger.close()
    assert [told_by(await receipt) for receipt in waiting] == [b"%d" % n for n in range(600)]
    assert not ledger.healthy
    with pytest.raises(LedgerUnavailable):
        await ledger.append(b"", b"", AT)


async def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, waiting=10) as ledger:
        found = await outcomes(*(ledger.append(b"%d" % n, b"", AT, BY) for n in range(25)))
        assert [type(outcome) for outcome in found] == [Receipt] * 10 + [LedgerUnavailable] * 15
        assert told_by(await ledger.append(b"again", b"", AT, BY)) == b"again"
    assert len(stored(store)) == 11


@ways
@pytest.mark.parametrize("where", ["BEGIN IMMEDIATE", "INSERT INTO entry ", "UPDATE shard", "COMMIT", "AFTER COMMIT"])
async def test_a_failing_store_gives_no_receipt_and_the_next_group_goes_on(
    tmp_path: Path, way: dict[str, float], where: str
) -> None:
    store = faulty_store_in(tmp_path)
    async with opened(store, **way) as ledger:
        before = await ledger.append(b"before", b"", AT, BY)

        def fault(statement: str) -> None:
            if statement.startswith(where):
                store.fault = None
                raise sqlite3.OperationalError("disk I/O error")

        store.fault = fault
        failed = await outcomes(*(ledger.append(b"lost %d" % n, b"", AT, BY) for n in range(5)))
        assert [type(outcome) for outcome in failed] == [LedgerUnavailable] * 5
        assert not ledger.healthy
        after = await ledger.append(b"after", b"", AT, BY)
        assert ledger.healthy
    kept = stored(store)
    # After a commit that did happen, the entries stand without an answer; before it, they do not stand at all.
    lost = [b"lost %d" % n for n in range(5)] if where == "AFTER COMMIT" else []
    assert list(kept.values()) == [b"before", *lost, b"after"]
    assert kept[before.index] == told_by(before)
    assert kept[after.index] == told_by(after)


@ways
async def test_a_new_subject_whose_key_cannot_be_looked_up_is_refused_and_the_next_goes_on(
    tmp_path: Path, way: dict[str, float]
) -> None:
    store = faulty_store_in(tmp_path)
    async with opened(store, **way) as ledger:
        await ledger.append(b"before", b"", AT, BY)

        def fault(statement: str) -> None:
            if "FROM subject_key" in statement:
                store.fault = None
                raise sqlite3.OperationalError("disk I/O error")

        store.fault = fault
        with pytest.raises(Refusal) as caught:
            await disclosed(ledger, 1)
        assert "a new key" in str(caught.value.__cause__)
        assert not ledger.healthy
        await disclosed(ledger, 2)
        assert ledger.healthy
    assert len(stored(store)) == 2


async def test_it_finds_out_by_itself_that_the_store_is_back(tmp_path: Path) -> None:
    store, tried = faulty_store_in(tmp_path), asyncio.Event()
    async with opened(store, retry=0.01) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        loop = asyncio.get_running_loop()

        def fault(statement: str) -> None:
            if statement.startswith("BEGIN"):
                loop.call_soon_threadsafe(tried.set)
                raise sqlite3.OperationalError("unable to open database file")

        store.fault = fault
        with pytest.raises(LedgerUnavailable):
            await ledger.append(b"away", b"", AT, BY)
        tried.clear()
        await tried.wait()
        assert not ledger.healthy
        store.fault = None
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        assert told_by(await ledger.append(b"after", b"", AT, BY)) == b"after"


@ways
async def test_whoever_loses_the_swap_never_appends_again(tmp_path: Path, way: dict[str, float]) -> None:
    store = store_in(tmp_path)
    async with opened(store, **way) as ledger:
        await ledger.append(b"mine", b"", AT, BY)
        connection = store.connect()
        connection.execute("UPDATE shard SET epoch = epoch + 1")
        connection.close()
        for _ in range(3):
            with pytest.raises(LedgerUnavailable, match="taken over"):
                await ledger.append(b"not mine", b"", AT, BY)
        assert not ledger.healthy
    assert list(stored(store).values()) == [b"mine"]


async def test_a_shard_in_use_is_left_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as one, opened(store) as other:
        assert (one.shard, other.shard) == ("1", "2")
        with pytest.raises(LedgerUnavailable, match="held by another"):
            await ledger_on(store, KEY, ORIGIN, shard="1").start()
        receipts = await asyncio.gather(
            *(ledger.append(ledger.shard.encode(), b"", AT, BY) for ledger in (one, other) * 20)
        )
    assert [told_by(receipt) for receipt in receipts] == [b"1", b"2"] * 20
    assert len(stored(store, 1)) == len(stored(store, 2)) == 20


async def test_another_writer_is_waited_for(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, **INLINE) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        connection = store.connect()
        connection.execute("BEGIN IMMEDIATE")
        append = asyncio.ensure_future(ledger.append(b"patient", b"", AT, BY))
        done, _ = await asyncio.wait([append], timeout=0.05)
        assert not done
        connection.execute("COMMIT")
        connection.close()
        assert told_by(await append) == b"patient"


@ways
async def test_one_that_writes_without_a_rest_is_not_waited_for_for_ever(
    tmp_path: Path, way: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_held, "BUSY_TIMEOUT_MS", 20)
    store = store_in(tmp_path)
    async with opened(store, **way) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        connection = store.connect()
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="others are writing"):
            await ledger.append(b"lost", b"", AT, BY)
        connection.execute("COMMIT")
        connection.close()
        assert told_by(await ledger.append(b"after", b"", AT, BY)) == b"after"
    assert list(stored(store).values()) == [b"before", b"after"]


async def test_a_changed_origin_is_refused(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store):
        pass
    with pytest.raises(LedgerUnavailable, match="belongs to"):
        await ledger_on(store, KEY, "elsewhere.example/ledger").start()


async def test_a_damaged_store_is_not_built_upon(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        await asyncio.gather(*(ledger.append(b"%d" % n, b"", AT, BY) for n in range(3)))
    connection = store.connect()
    connection.execute("UPDATE entry SET leaf = zeroblob(32) WHERE id & 7 = 2")
    connection.close()
    with pytest.raises(LedgerUnavailable, match="damaged"):
        await ledger_on(store, KEY, ORIGIN).start()


async def test_a_cancelled_append_leaves_the_others_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        appends = [asyncio.ensure_future(ledger.append(b"%d" % n, b"", AT, BY)) for n in range(3)]
        await asyncio.sleep(0)
        appends[1].cancel()
        found = await outcomes(*appends)
    assert told_by(found[0]) == b"0"  # type: ignore[arg-type]
    assert isinstance(found[1], asyncio.CancelledError)
    assert told_by(found[2]) == b"2"  # type: ignore[arg-type]


async def test_requesters_find_their_own_entries_with_receipts(tmp_path: Path) -> None:
    store, other = store_in(tmp_path), ("https://login.example", "tax-service")
    async with opened(store) as ledger, opened(store) as second:
        for n in range(300):
            await (ledger, second)[n % 2].append(b"%d" % n, b"", AT, BY if n % 3 else other)
        expected = [b"%d" % n for n in range(300) if n % 3]
        found, cursor = [], None
        while page := ledger.own(*BY, after=cursor, first=70):
            found += page
            cursor = page[-1].cursor
        assert sorted(own.told.general.body for own in found) == sorted(expected)
        assert all(told_by(own.receipt) == own.told.general.body for own in found)
        assert ledger.own("https://login.example", "nobody") == []
        with pytest.raises(ValueError, match="not a cursor"):
            ledger.own(*BY, after="somewhere")
