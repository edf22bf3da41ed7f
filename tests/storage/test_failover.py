"""A standby that was behind when it was promoted: what it lacks is known to the process that wrote it, and named."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.clock import machines
from gateway.errors import LedgerUnavailable, Refusal
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import unverified, verify_receipt
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log import retire
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.retire import gap_receipts
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import note_body, parse_checkpoint
from gateway.ledger.verify import rollback
from gateway.ledger.verify.store import verify_store
from gateway.storage.store import open_store
from tests.faults.failover import url
from tests.ledger.support import KEY, ORIGIN, opened, refused
from tests.services import Postgres, replicated
from tests.waiting import until_async

ROOT_KEY = key_files.verifiers(KEY, ORIGIN, [ROOT])


@contextlib.asynccontextmanager
async def gateway(address: str, heads: Path) -> AsyncIterator[Ledger]:
    """A gateway's ledger, with a head file on a disk of its own."""
    store = open_store(address)
    made = Publisher(store, ORIGIN, machines, head_file=HeadFile(heads), every=0.05)
    async with opened(store, retry=0.05, registered=True, publisher=made) as ledger:
        yield ledger
    store.close()


def remembered(kept: HeadFile, shard: str) -> int:
    seen = kept.remembered(f"{ORIGIN}/{shard}")
    return 0 if seen is None else seen.checkpoint.size


@pytest.fixture
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    with replicated() as servers:
        yield servers


async def test_a_promoted_standby_that_was_behind_is_never_signed_over(pair: tuple[Postgres, Postgres]) -> None:
    primary, standby = pair
    store = open_store(url(primary, standby, primary.database()))
    async with opened(store, retry=0.05, registered=True) as ledger:
        for number in range(3):
            await refused(ledger, number)
        await asyncio.to_thread(primary.set, "synchronous_standby_names", "")  # as nobody should: it may fall behind
        await asyncio.to_thread(standby.stop)
        lost = [await refused(ledger, number) for number in range(4)]
        await asyncio.to_thread(primary.kill)
        with pytest.raises((LedgerUnavailable, Refusal)):
            await refused(ledger)
        await asyncio.to_thread(standby.start)
        await asyncio.to_thread(standby.promote)
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        assert ledger.shard == "2"
        await refused(ledger)
    assert {shard.origin.rpartition("/")[2]: shard.size for shard in verify_store(store, ROOT_KEY)} == {
        ROOT: 5, "1": 3, "2": 2, "commands": 0,
    }  # fmt: skip
    (explained,) = rollback.check(store, ROOT_KEY, ())
    with contextlib.closing(store.reader()) as reader:
        gap = unverified(gap_receipts(reader, public=False)[0]).told
    assert isinstance(gap, entries.Gap)
    assert (gap.size, parse_checkpoint(note_body(gap.remembered)).size) == (3, 7)
    assert verify_receipt(lost[-1], key_files.verifiers(KEY, ORIGIN, ["1"])).size == 7
    assert explained.missing.size == 7
    store.close()


async def test_what_a_lost_gateway_entered_is_remembered_by_the_other(
    pair: tuple[Postgres, Postgres], tmp_path: Path
) -> None:
    """The primary and one gateway are lost together: the other does not go on in that one's shard."""
    primary, standby = pair
    address = url(primary, standby, primary.database())
    async with gateway(address, tmp_path / "mine.json"), gateway(address, tmp_path / "theirs.json") as lost:
        assert lost.shard == "2"
        await refused(lost, 0)
        await asyncio.to_thread(primary.set, "synchronous_standby_names", "")
        await asyncio.to_thread(standby.stop)
        receipts = [await refused(lost, number) for number in range(1, 4)]
        kept = HeadFile(tmp_path / "mine.json")
        await until_async("all to be remembered by both", lambda: remembered(kept, "2") == 4)
    await asyncio.to_thread(primary.kill)
    await asyncio.to_thread(standby.start)
    await asyncio.to_thread(standby.promote)
    async with gateway(address, kept.path) as first, gateway(address, kept.path) as second:
        assert (first.shard, second.shard) == ("1", "3")
        with contextlib.closing(first.store.reader()) as reader:
            (sealed,) = retire.all_sealed(reader)
    assert (sealed.name, sealed.size, parse_checkpoint(note_body(sealed.remembered)).size) == ("2", 1, 4)
    assert verify_receipt(receipts[-1], key_files.verifiers(KEY, ORIGIN, ["2"])).size == 4
