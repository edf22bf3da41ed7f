"""What is done to a gateway's store shows outside: followed through the gateway's own routes, by URL and key alone."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.ledger.log import tiles
from gateway.ledger.verify.published.follow import Followed, follow
from gateway.ledger.verify.published.tile_client import TileLog
from gateway.storage.store import open_copy
from tests.ledger.support import AT, BY, VERIFIERS, opened, store_in

SIZE = 515
ENTRY = 1 << 40  # the id of shard 1's first entry


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    store = store_in(folder)

    async def fill() -> None:
        async with opened(store) as ledger:
            await asyncio.gather(*(ledger.append(b"%d" % number, b"", AT, BY) for number in range(SIZE)))

    asyncio.run(fill())
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store.path


def followed(path: Path) -> Followed:
    store = open_copy(path)

    def get(name: str, most: int) -> bytes | None:
        return tiles.checkpoint(store, "1") if name == "checkpoint" else tiles.tile(store, "1", name[len("tile/") :])

    try:
        return follow(TileLog(get, "the gateway"), VERIFIERS, None, [], AT)
    finally:
        store.close()


def changed(whole: Path, folder: Path, *statements: str) -> Path:
    path = Path(shutil.copy(whole, folder / "copy.db"))
    with sqlite3.connect(path) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    connection.close()
    return path


def test_a_store_that_was_left_alone_is_whole(whole: Path) -> None:
    assert followed(whole).size == SIZE


TAMPERINGS = {
    "altered": ([f"UPDATE entry SET leaf = zeroblob(32) WHERE id = {ENTRY + 300}"], "entries 256 to 511"),
    "last altered": ([f"UPDATE entry SET leaf = zeroblob(32) WHERE id = {ENTRY + 514}"], "not give the root"),
    "removed": ([f"DELETE FROM entry WHERE id = {ENTRY + 300}"], "entry 300 is missing"),
    "reordered": (
        [
            f"UPDATE entry SET id = {ENTRY - 1} WHERE id = {ENTRY + 3}",
            f"UPDATE entry SET id = {ENTRY + 3} WHERE id = {ENTRY + 4}",
            f"UPDATE entry SET id = {ENTRY + 4} WHERE id = {ENTRY - 1}",
        ],
        "entries 0 to 255",
    ),
    "truncated": ([f"DELETE FROM entry WHERE id > {ENTRY + 99}"], "entry 100 is missing"),
    "truncated with its head": (
        [f"DELETE FROM entry WHERE id > {ENTRY + 99}", "UPDATE shard SET size = 100"],
        "`tile/entries/000` is missing",
    ),
    "tile altered": (["UPDATE subtree SET hash = zeroblob(32) WHERE position = 1"], "hash 1 of tile level 1"),
    "tile removed": (["DELETE FROM subtree WHERE position = 1"], "hash of tile 1/0 is missing"),
    "checkpoint altered": (["UPDATE shard SET checkpoint = replace(checkpoint, '515', '514')"], "altered"),
    "name altered": (["UPDATE shard SET name = 'x'"], "no checkpoint"),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_with_the_store_is_found_and_named(whole: Path, tmp_path: Path, kind: str) -> None:
    statements, message = TAMPERINGS[kind]
    path = changed(whole, tmp_path, *statements)
    with pytest.raises(VerificationFailed, match=message):
        followed(path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_of_any_stored_entry_or_tile_is_found(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    column, where = data.draw(
        st.one_of(
            st.integers(0, SIZE - 1).map(lambda index: ("leaf", f"entry WHERE id = {ENTRY + index}")),
            st.integers(0, 1).map(lambda position: ("hash", f"subtree WHERE position = {position}")),
        )
    )
    path = changed(whole, tmp_path, "UPDATE shard SET epoch = epoch")
    table, _, condition = where.partition(" WHERE ")
    with sqlite3.connect(path) as connection:
        (value,) = connection.execute(f"SELECT {column} FROM {where}").fetchone()
        at = data.draw(st.integers(0, len(value) - 1))
        other = value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1 :]
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {condition}", (other,))
    connection.close()
    with pytest.raises(VerificationFailed):
        followed(path)
