"""What every store keeps of a shard: held by one, committed whole or not at all, and another's once it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import pytest
from sqlalchemy import insert, select, text

from gateway.errors import StoreUnavailable
from gateway.ledger.stored import read
from gateway.storage.port import Group, Head, Held, Store, Superseded
from gateway.storage.tables import SHARD_BITS, entry, requester
from tests.storage.conftest import Place
from tests.waiting import until_async

ROOT, NEXT = bytes(32), b"\1" * 32


async def held(store: Store, name: str = "1") -> Held:
    found = await store.hold(name)
    assert found is not None, "nobody else holds it"
    return found


async def made(holding: Held) -> Head:
    """A new shard, claimed."""
    first = await holding.create("o/1", "verifier", ROOT, "checkpoint")
    mine = first._replace(epoch=1)
    await holding.claim(first, mine)
    return mine


async def group(holding: Held, before: Head, count: int = 3) -> Group:
    """The next `count` entries."""
    key, _ = await holding.key(before.id, "2026-11-24", b"k" * 32)
    whose = await holding.requester("issuer", "client")
    ids = [(before.id << SHARD_BITS) + before.size + n for n in range(count)]
    return Group(
        before,
        before._replace(size=before.size + count, root=NEXT, floor=9, checkpoint="next"),
        [(id_, 9, b"l" * 32, key, b"told", b"oversight", b"") for id_ in ids],
        [(whose, 9, id_) for id_ in ids],
        [(before.id, 1, before.size, b"h" * 32)],
    )


async def commit(holding: Held, group: Group) -> None:
    waiting = holding.commit(group)
    if waiting is not None:
        await waiting


def rows(store: Store, table: str) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def head(store: Store) -> Head:
    with contextlib.closing(store.reader()) as reader:
        (found,) = read.heads(reader)
        return found


async def test_a_group_stands_whole_and_its_head_with_it(store: Store) -> None:
    holding = await held(store)
    before = await made(holding)
    first = await group(holding, before)
    await commit(holding, first)
    second = await group(holding, first.after, count=300)
    await commit(holding, second._replace(subtrees=[]))
    assert head(store) == second.after
    assert (rows(store, "entry"), rows(store, "entry_requester"), rows(store, "subtree")) == (303, 303, 1)
    with store.engine.connect() as connection:
        ids = connection.execute(select(entry.c.id).order_by(entry.c.id)).scalars().all()
    assert ids == [(before.id << SHARD_BITS) + n for n in range(303)]
    await holding.release()


@pytest.mark.parametrize("what", ["epoch", "size", "root"])
async def test_nothing_stands_unless_exactly_one_head_is_swapped(store: Store, what: str) -> None:
    holding = await held(store)
    before = await made(holding)
    wrong = before._replace(**{what: NEXT if what == "root" else 7})
    attempt = (await group(holding, before))._replace(before=wrong)
    for changes in ((), (insert(requester).values(issuer="i", client="beside"),)):
        with pytest.raises(Superseded):
            await commit(holding, attempt._replace(changes=changes))
        await holding.renew()
    assert head(store) == before
    assert (rows(store, "entry"), rows(store, "entry_requester"), rows(store, "subtree")) == (0, 0, 0)
    assert rows(store, "requester") == 1
    await holding.release()


async def test_a_change_stands_with_its_entry_or_not_at_all(store: Store) -> None:
    holding = await held(store)
    before = await made(holding)
    beside = insert(requester).values(issuer="i", client="beside")
    first = (await group(holding, before))._replace(changes=(beside,))
    await commit(holding, first)
    assert (rows(store, "requester"), rows(store, "entry")) == (2, 3)
    again = (await group(holding, first.after))._replace(subtrees=[], changes=(beside,))
    with pytest.raises(StoreUnavailable):  # it stands already, and is unique
        await commit(holding, again)
    await holding.renew()
    assert (rows(store, "requester"), rows(store, "entry")) == (2, 3)
    await commit(holding, again._replace(changes=()))
    assert rows(store, "entry") == 6
    await holding.release()


async def test_entries_are_never_written_twice(store: Store) -> None:
    holding = await held(store)
    before = await made(holding)
    first = await group(holding, before)
    await commit(holding, first)
    clash = first._replace(before=first.after, after=first.after._replace(root=ROOT), subtrees=[])
    with pytest.raises(StoreUnavailable):
        await commit(holding, clash)
    await holding.renew()
    assert head(store) == first.after
    await holding.release()


async def test_a_name_is_held_by_one_until_it_is_released(place: Place) -> None:
    one, other = place.open(), place.open()
    first = await held(one)
    assert await other.hold("1") is None
    second = await held(other, "2")
    await first.release()
    third = await held(other)
    for each in (second, third):
        await each.release()


async def test_a_renewed_session_still_holds_its_name(place: Place) -> None:
    one, other = place.open(), place.open()
    holding = await held(one)
    before = await made(holding)
    for _ in range(3):
        await holding.renew()
        assert holding.alive
        assert await other.hold("1") is None
    await commit(holding, await group(holding, before))
    await holding.probe()
    await holding.release()


HOLD = """
import asyncio, sys
from gateway.storage.store import open_store

async def main():
    holding = await open_store(sys.argv[1]).hold("1")
    print(holding is not None, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_gives_its_shard_up(place: Place) -> None:
    store = place.open()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, place.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"True\n"
    assert await store.hold("1") is None
    process.send_signal(signal.SIGKILL)
    await process.wait()
    holding = await until_async("the shard to be given up", lambda: store.hold("1"))
    await holding.release()


async def test_keys_and_requesters_are_made_once(store: Store) -> None:
    one, other = await held(store), await held(store, "2")
    shard = await made(one)
    keys = await asyncio.gather(
        *(each.key(shard.id, "2026-11-24", bytes([n]) * 32) for n, each in enumerate((one, other)))
    )
    assert keys[0] == keys[1]
    assert await one.key(shard.id, "2026-11-25", b"f" * 32) != keys[0]
    found = await asyncio.gather(*(each.requester("i", "c") for each in (one, other)))
    assert found[0] == found[1]
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE period_key SET secret = NULL"))
    assert await one.key(shard.id, "2026-11-24", b"g" * 32) == (keys[0][0], None)
    for each in (one, other):
        await each.release()


async def test_the_keys_of_subjects_are_those_of_the_shard(store: Store) -> None:
    holding = await held(store)
    before = await made(holding)
    mine = [(n, before.id, "LEI", str(n), bytes([n]) * 32) for n in range(200)]
    await commit(holding, (await group(holding, before))._replace(keys=mine))
    for count in (1, 2, 3, 64, 65, 201):
        asked = [("LEI", str(n)) for n in range(count)] + [("KVK", "1")] * (count > 1)
        wanted = {(n, "LEI", str(n), bytes([n]) * 32) for n in range(min(count, 200))}
        found = [tuple(each) for each in await holding.subject_keys(before.id, asked)]
        assert (len(found), set(found)) == (len(wanted), wanted)
        at_once = holding.subject_keys_at_once(before.id, asked)
        assert at_once is None or {*at_once} == wanted
        assert [*await holding.subject_keys(before.id + 1, asked)] == []
    await holding.release()


async def test_a_reader_sees_one_moment_until_it_is_renewed(store: Store) -> None:
    holding = await held(store)
    before = await made(holding)
    with contextlib.closing(store.reader()) as reader:
        assert read.heads(reader) == [before]
        first = await group(holding, before)
        await commit(holding, first)
        assert read.heads(reader) == [before]
        assert list(read.read_entries(reader, before.id, 0, 9)) == []
        reader.renew()
        assert read.heads(reader) == [first.after]
    await holding.release()


async def test_shards_made_at_once_are_two(place: Place) -> None:
    one, other = await held(place.open()), await held(place.open(), "2")
    heads = await asyncio.gather(*(each.create("o", "v", ROOT, "c") for each in (one, other)))
    assert {made.id for made in heads} == {1, 2}
    for each in (one, other):
        await each.release()
