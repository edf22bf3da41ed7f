"""What vouches for a store does so on both: a restored one is sealed, and what one process publishes all show."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from gateway.clock import machines
from gateway.errors import LedgerUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import unverified, verify_receipt
from gateway.ledger.entry.registry import ROOT, Registry, read_document
from gateway.ledger.log import registrar, retire
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.publish import Publisher, read_published
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.log.tiles import routes
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import note_body, parse_checkpoint
from gateway.ledger.stored import read
from gateway.ledger.verify import rollback
from gateway.ledger.verify.published import gaps
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from tests.ledger.support import KEY, ORIGIN, opened, refused
from tests.storage.conftest import Place
from tests.waiting import until_async

NEW = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ROOT_KEY = key_files.verifiers(KEY, ORIGIN, [ROOT])


def publisher(store: Store, folder: Path, every: float = 60.0) -> Publisher:
    return Publisher(store, ORIGIN, machines, head_file=HeadFile(folder / "heads.json"), every=every)


async def written(
    place: Place, folder: Path, count: int, private: Ed25519PrivateKey = KEY, at_once: int = 1
) -> list[str]:
    """Receipts of so many entries in each of so many shards."""
    store = place.open()
    async with contextlib.AsyncExitStack() as stack:
        ledgers = [
            await stack.enter_async_context(
                opened(store, private=private, publisher=publisher(store, folder), registered=True)
            )
            for _ in range(at_once)
        ]
        return [await refused(ledger, number) for ledger in ledgers for number in range(count)]


def registry(store: Store) -> Registry:
    content = registrar.document(store)
    assert content is not None
    return read_document(content, ROOT_KEY)


def sizes(store: Store) -> dict[str, int]:
    with contextlib.closing(store.reader()) as reader:
        return {head.name: head.size for head in read.heads(reader)}


async def test_a_restored_store_is_sealed_and_another_shard_names_the_gap(place: Place, tmp_path: Path) -> None:
    await written(place, tmp_path, 3)
    backup = place.copy()
    lost = await written(place, tmp_path, 4)
    await written(backup, tmp_path, 2)
    store = backup.open()
    assert sizes(store) == {"1": 3, "commands": 0, ROOT: 5, "2": 3}
    assert [shard.size for shard in verify_store(store, ROOT_KEY)] == [5, 3, 0, 3]
    heads = HeadFile(tmp_path / "heads.json").all()
    (explained,) = rollback.check(store, ROOT_KEY, heads)
    assert (explained.size, explained.missing.size, explained.goes_on) == (3, 7, f"{ORIGIN}/2")
    known = registry(store)
    assert gaps.explain(known, known.gaps).keys() == {f"{ORIGIN}/1"}
    gap = unverified(known.gaps[0]).told
    assert isinstance(gap, entries.Gap)
    assert (gap.size, parse_checkpoint(note_body(gap.remembered)).size) == (3, 7)
    assert verify_receipt(lost[-1], known.verifiers).size == 7, "what was promised can still be proved"
    with contextlib.closing(store.reader()) as reader:
        left = read_published(reader, "1")
    assert left is not None
    assert left.size == 3
    await written(backup, tmp_path, 1)
    assert sizes(backup.open()) == {"1": 3, "commands": 0, ROOT: 5, "2": 4}, (
        "it goes on in the new one, and names nothing twice"
    )


async def test_every_shard_that_was_set_back_is_sealed_by_one_start(place: Place, tmp_path: Path) -> None:
    await written(place, tmp_path, 3, at_once=2)
    backup = place.copy()
    await written(place, tmp_path, 2, at_once=2)
    await written(backup, tmp_path, 1)
    with contextlib.closing(backup.open().reader()) as reader:
        assert {each.name: each.named_in for each in retire.all_sealed(reader)} == {"1": "3", "2": "3"}
    assert sizes(backup.open()) == {"1": 3, "2": 3, "commands": 0, ROOT: 7, "3": 3}


START = """
import asyncio, sys
from pathlib import Path
from tests.storage.conftest import Place
from tests.storage.test_set_back import written

place = Place(sys.argv[1])
asyncio.run(written(place, Path(sys.argv[2]), 1))
place.close()
"""


@pytest.mark.long_cases("sqlite")
async def test_processes_that_start_together_seal_all_that_was_set_back(place: Place, tmp_path: Path) -> None:
    await written(place, tmp_path, 3, at_once=3)
    backup = place.copy()
    await written(place, tmp_path, 2, at_once=3)
    started = [await asyncio.create_subprocess_exec(sys.executable, "-c", START, backup.url, tmp_path) for _ in "12"]
    assert [await each.wait() for each in started] == [0, 0]
    with contextlib.closing(backup.open().reader()) as reader:
        shut = retire.all_sealed(reader)
    assert {each.name for each in shut} == {"1", "2", "3"}
    assert all(each.named_in for each in shut)
    heads = HeadFile(tmp_path / "heads.json").all()
    assert len(rollback.check(backup.open(), ROOT_KEY, heads)) == 3


async def test_a_restored_registry_is_refused_and_nothing_is_sealed(place: Place, tmp_path: Path) -> None:
    await written(place, tmp_path, 1)
    backup = place.copy()
    await written(place, tmp_path, 1, at_once=2)
    with pytest.raises(LedgerUnavailable, match=r"registry has 3 entries, and .* remembers 4"):
        await written(backup, tmp_path, 1)
    with contextlib.closing(backup.open().reader()) as reader:
        assert retire.all_sealed(reader) == []
    assert sizes(backup.open()) == {"1": 1, "commands": 0, ROOT: 3}
    await written(place, tmp_path, 1, at_once=2)
    assert sizes(place.open()) == {"1": 3, "2": 2, "commands": 0, ROOT: 4}, "the newer copy serves"


async def test_shards_are_registered_at_once_and_their_keys_rotate(place: Place, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(opened(place.open(), registered=True)) for _ in range(3)))
    store = place.open()
    assert set(registry(store).shards) == {f"{ORIGIN}/{name}" for name in (ROOT, "1", "2", "3", "commands")}
    (before, *_) = await written(place, tmp_path, 1, at_once=3)
    names = await Registrar(store, KEY, ORIGIN, Publisher(store, ORIGIN, machines)).rotate(NEW)
    assert sorted(names) == ["1", "2", "3", "commands", ROOT]
    await Registrar(store, NEW, ORIGIN, publisher(store, tmp_path)).resign(names)
    with pytest.raises(LedgerUnavailable, match="registered with another key"):
        await written(place, tmp_path, 1)
    (after, *_) = await written(place, tmp_path, 1, NEW)
    known = registry(store)
    assert {len(listed.keys) for listed in known.shards.values()} == {2}
    for receipt in (before, after):
        assert verify_receipt(receipt, known.verifiers).assurance == "signed"
    assert sum(shard.size for shard in verify_store(store, ROOT_KEY)) == 4 + 6 + 4


async def test_what_the_holder_publishes_every_replica_shows(place: Place, tmp_path: Path) -> None:
    one, other = place.open(), place.open()
    async with (
        opened(one, publisher=publisher(one, tmp_path, 0.02), registered=True) as holder,
        opened(other, publisher=publisher(other, tmp_path, 0.02), registered=True) as replica,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(Starlette(routes=routes(replica))), base_url="http://replica.example"
        ) as client,
    ):
        assert (holder.shard, replica.shard) == ("1", "2")

        async def shown() -> tuple[int, str]:
            answer = await client.get("/ledger/1/checkpoint")
            assert answer.status_code == 200
            return parse_checkpoint(note_body(answer.text)).size, answer.headers["Last-Modified"]

        seen = [await shown()]
        for number in range(3):
            await refused(holder, number)

            async def more() -> tuple[int, str] | None:
                now = await shown()
                return now if now[0] > seen[-1][0] else None

            seen.append(await until_async("the entry to be published", more))
        assert seen[-1][0] == 3
        tile = await client.get("/ledger/1/tile/entries/000.p/3")
        assert len(tile.content) == 3 * 34
        known = read_document((await client.get("/ledger/registry")).content, ROOT_KEY)
        assert set(known.shards) == {f"{ORIGIN}/{name}" for name in (ROOT, "1", "2", "commands")}
    assert {each.checkpoint.origin: each.checkpoint.size for each in HeadFile(tmp_path / "heads.json").all()} == {
        f"{ORIGIN}/1": 3,
        f"{ORIGIN}/2": 0,
        f"{ORIGIN}/commands": 0,
        f"{ORIGIN}/{ROOT}": 4,
    }


async def test_what_is_published_is_renewed_and_never_falls(place: Place, tmp_path: Path) -> None:
    store = place.open()

    def published() -> tuple[object, int]:
        with contextlib.closing(store.reader()) as reader:
            found = read_published(reader, "1")
        assert found is not None
        return found.at, found.size

    async with opened(store, publisher=publisher(store, tmp_path, 0.02)) as ledger:
        with contextlib.closing(store.reader()) as reader:
            (old,) = read.heads(reader)
        await refused(ledger)
        await until_async("the entry to be published", lambda: published()[1] == 1)
        before = published()
        await until_async("the publication to be renewed", lambda: published()[0] != before[0])
    late = Publisher(place.open(), ORIGIN, machines)
    for renew in (True, False):
        late._show(old, old.checkpoint, renew=renew)
        assert published()[1] == 1
