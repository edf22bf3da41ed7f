"""A store that was tampered with, in every table and in every way that a column allows, is found out by `verify`."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import machines
from gateway.errors import ConfigurationError, VerificationFailed
from gateway.ledger.log.publish import Publisher
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.proof.note import Signer
from gateway.ledger.verify.heads import Verified
from gateway.ledger.verify.store import verify_store
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.store import open_copy
from tests.ledger.support import AT, KEY, ORIGIN, VERIFIERS, disclosed, opened, refused, store_in

SIZE = 515  # two full tiles, and a partial one


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    store = store_in(folder)

    async def fill() -> None:
        async with opened(store) as ledger:
            day = datetime.timedelta(days=1)
            await asyncio.gather(*(disclosed(ledger, n, AT + n // 256 * day) for n in range(SIZE - 1)))
            await refused(ledger, SIZE)
        async with opened(store, shard="2") as ledger:
            await disclosed(ledger)

    asyncio.run(fill())
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store.path


def copied(whole: Path, folder: Path) -> Path:
    return Path(shutil.copy(whole, folder / "copy.db"))


def verify(path: Path) -> list[Verified]:
    store = open_copy(path)
    try:
        return verify_store(store, VERIFIERS)
    finally:
        store.close()


def test_a_whole_store_is_whole(whole: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    store = open_copy(copied(whole, tmp_path))
    found = verify_store(store, VERIFIERS, lambda *progress: told.append(progress))
    assert [(shard.origin, shard.size) for shard in found] == [(f"{ORIGIN}/1", SIZE), (f"{ORIGIN}/2", 1)]
    assert told == [("1", SIZE, SIZE), ("2", 1, 1)]
    store.close()


def test_a_shard_that_is_published_while_a_store_is_checked_is_no_damage(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    async def begun(*, registered: bool) -> None:
        async with opened(store, shard="2", registered=registered):
            pass

    async def fill() -> None:
        async with opened(store, registered=True) as ledger:
            await disclosed(ledger)

    asyncio.run(fill())
    asyncio.run(begun(registered=False))
    published: list[str] = []

    def meanwhile(shard: str, _done: int, _of: int) -> None:
        if shard == "1":
            asyncio.run(begun(registered=True))
            published.append(shard)

    assert f"{ORIGIN}/2" in {each.origin for each in verify_store(store, VERIFIERS, meanwhile)}
    assert published == ["1"]
    store.close()


ENTRY = 1 << 40  # the id of shard 1's first entry
TAMPERINGS = {
    "payload told": (f"UPDATE entry SET told = told || x'00' WHERE id = {ENTRY + 300}", "entry 300"),
    "payload oversight": (f"UPDATE entry SET oversight = zeroblob(80) WHERE id = {ENTRY + 300}", "entry 300"),
    "payload of another": (
        f"UPDATE entry SET told = (SELECT told FROM entry WHERE id = {ENTRY + 4}) WHERE id = {ENTRY + 3}",
        "entry 3:",
    ),
    "leaf": (f"UPDATE entry SET leaf = zeroblob(32) WHERE id = {ENTRY + 300}", "entry 300"),
    "time": (f"UPDATE entry SET at = at + 1 WHERE id = {ENTRY + 300}", "entry 300: its time"),
    "period": (f"UPDATE entry SET period = (SELECT max(id) FROM period_key) WHERE id = {ENTRY + 3}", "entry 3:"),
    "first removed": (f"DELETE FROM entry WHERE id = {ENTRY}", "entry 0 is missing"),
    "middle removed": (f"DELETE FROM entry WHERE id = {ENTRY + 300}", "entry 300 is missing"),
    "last removed": (f"DELETE FROM entry WHERE id = {ENTRY + SIZE - 1}", f"entry {SIZE - 1} is missing"),
    "truncated": (f"DELETE FROM entry WHERE id > {ENTRY + 9}", "entry 10 is missing"),
    "added": (
        f"INSERT INTO entry SELECT {ENTRY + SIZE}, at, leaf, period, told, oversight, subjects FROM entry"
        f" WHERE id = {ENTRY}",
        f"holds {SIZE + 1} entries",
    ),
    "added under another number": (
        f"INSERT INTO entry SELECT {ENTRY * 1025}, at, leaf, period, told, oversight, subjects FROM entry"
        f" WHERE id = {ENTRY}",
        "entries under the number 1025, which is of no shard",
    ),
    "added under a number below": (
        f"INSERT INTO entry SELECT -1, at, leaf, period, told, oversight, subjects FROM entry WHERE id = {ENTRY}",
        "entries under the number -1, which is of no shard",
    ),
    "tile hash": ("UPDATE subtree SET hash = zeroblob(32) WHERE position = 1", "hash 1 of level 1"),
    "tile removed": ("DELETE FROM subtree WHERE position = 0", "hash 0 of level 1"),
    "tile added": ("INSERT INTO subtree VALUES (1, 1, 9, zeroblob(32))", "tiles hold"),
    "level added": ("INSERT INTO subtree VALUES (1, 3, 0, zeroblob(32))", "tiles hold"),
    "key": ("UPDATE period_key SET secret = zeroblob(32) WHERE id = 1", "entry 0"),
    "key destroyed": ("UPDATE period_key SET secret = NULL WHERE id = 1", "entry 0: the key"),
    "subjects": ("UPDATE entry SET subjects = substr(subjects, 1, 90)", "entry 0: its part about its subjects"),
    "a subject's digest": (
        "UPDATE entry SET subjects = CAST(substr(subjects, 1, 8) || zeroblob(32) || substr(subjects, 41) AS BLOB)",
        "entry 0: its payload does not open",
    ),
    "a key's id that no store holds": (
        "UPDATE entry SET subjects = CAST(x'ff' || substr(subjects, 2) AS BLOB)",
        "entry 0: its part about its subjects was altered",
    ),
    "subject's key cut short": ("UPDATE subject_key SET secret = x'00'", "the subject's key [0-9a-f]{16} was altered"),
    "subject's key of another type": ("UPDATE subject_key SET secret = 7", "the subject's key [0-9a-f]{16} was alt"),
    "subjects removed": ("UPDATE entry SET subjects = x''", "entry 0: its payload is not what its leaf"),
    "another version": ("UPDATE entry SET subjects = NULL", "entry 0: its payload is not what its leaf"),
    "subject's key": ("UPDATE subject_key SET secret = zeroblob(32)", "entry 0"),
    "subject's key given away": ("UPDATE subject_key SET value = '529900T8BM49AURSDO55'", "entry 0: .* is another's"),
    "subject's key in another shard": ("UPDATE subject_key SET shard = 9 WHERE shard = 2", "entry 0: .* is another's"),
    "subject's key destroyed": ("UPDATE subject_key SET secret = NULL", "entry 0: the key .* and no erasure explains"),
    "subject's key removed": ("DELETE FROM subject_key", "entry 0: the key .* and no erasure explains"),
    "key's shard": (
        "UPDATE period_key SET shard = 9 WHERE id = 1",
        "entry 0: the key that opens it is another shard's",
    ),
    "key's day": ("UPDATE period_key SET period = '2020-01-01' WHERE id = 1", "entry 0: its key is of another day"),
    "key removed": ("DELETE FROM period_key WHERE id = 1", "entry 0"),
    "head size": ("UPDATE shard SET size = size - 1 WHERE id = 1", "is not what its checkpoint signs"),
    "head root": ("UPDATE shard SET root = zeroblob(32) WHERE id = 1", "is not what its checkpoint signs"),
    "head time": ("UPDATE shard SET floor = floor + 1 WHERE id = 1", "time of its head"),
    "head checkpoint": ("UPDATE shard SET checkpoint = replace(checkpoint, char(10) || '515', '516')", "checkpoint"),
    "head key": ("UPDATE shard SET verifier = 'other' WHERE id = 1", "did not sign"),
    "head name": ("UPDATE shard SET name = 'x' WHERE id = 1", "does not end with its name"),
    "head origin": ("UPDATE shard SET origin = 'x/1' WHERE id = 1", "not of `x/1`"),
    "heads removed": ("DELETE FROM shard", "holds no shard"),
    "index removed": (
        f"DELETE FROM entry_requester WHERE entry = {ENTRY + 7}",
        "entry 7: it is missing from the index",
    ),
    "index added": (f"INSERT INTO entry_requester VALUES (9, 1, {ENTRY + 7})", "index of requesters"),
    "requester": ("UPDATE requester SET client = 'tax-service'", "entry 0: it is missing from the index"),
    "nonsense": ("UPDATE entry SET leaf = 7, told = 'x'", "entry 0"),
    "a leaf of another type": (
        f"UPDATE entry SET leaf = 'x' WHERE id = {ENTRY + 300}",
        "shard `1`: entry 300: a value",
    ),
    "a time of another type": (
        f"UPDATE entry SET at = 1.5e300 WHERE id = {ENTRY + 300}",
        "shard `1`: entry 300: a val",
    ),
    "a time beyond all": (f"UPDATE entry SET at = 9223372036854775807 WHERE id = {ENTRY + 300}", "shard `1`: "),
    "subjects of another type": (
        f"UPDATE entry SET subjects = 1 WHERE id = {ENTRY + 300}",
        "shard `1`: entry 300: a v",
    ),
    "a day of another type": ("UPDATE period_key SET period = x'ff00' WHERE id = 1", "shard `1`: entry 0: a value"),
    "a tile of another type": ("UPDATE subtree SET hash = 'x'", "shard `1`: "),
    "nonsense head": ("UPDATE shard SET checkpoint = x'ff' WHERE id = 1", "shard"),
}


@pytest.mark.parametrize("which", TAMPERINGS)
def test_tampering_is_found_and_named(whole: Path, tmp_path: Path, which: str) -> None:
    path = copied(whole, tmp_path)
    statement, message = TAMPERINGS[which]
    with sqlite3.connect(path) as connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()
    with pytest.raises(VerificationFailed, match=message):
        verify(path)


def test_two_entries_changed_for_each_other_are_found(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    with sqlite3.connect(path) as connection:
        for old, new in ((3, -1), (4, 3), (-1, 4)):
            connection.execute("UPDATE entry SET id = ? WHERE id = ?", (ENTRY + new, ENTRY + old))
    connection.close()
    with pytest.raises(VerificationFailed, match="entry 3"):
        verify(path)


def test_another_key_is_not_ours(whole: Path, tmp_path: Path) -> None:
    store = open_copy(copied(whole, tmp_path))
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        verify_store(store, verifiers(KEY, "elsewhere.example", ["1", "2"]))
    store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_anywhere_in_the_entries_is_found(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = copied(whole, tmp_path)
    column = data.draw(st.sampled_from(["leaf", "told", "oversight", "subjects"]))
    index = data.draw(st.integers(0, SIZE - 1))
    with sqlite3.connect(path) as connection:
        (value,) = connection.execute(f"SELECT {column} FROM entry WHERE id = ?", (ENTRY + index,)).fetchone()
        at = data.draw(st.integers(0, len(value) - 1))
        changed = value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1 :]
        connection.execute(f"UPDATE entry SET {column} = ? WHERE id = ?", (changed, ENTRY + index))
    connection.close()
    with pytest.raises(VerificationFailed, match=f"entry {index}:"):
        verify(path)


def test_a_broken_file_is_one_sentence(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    content = bytearray(path.read_bytes())
    for at in range(8192, len(content), 4096):
        content[at : at + 64] = b"\xa5" * 64
    path.write_bytes(content)
    with pytest.raises((VerificationFailed, ConfigurationError)) as failed:
        verify(path)
    assert "\n" not in str(failed.value)


async def test_a_store_in_use_can_be_verified(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        await disclosed(ledger, 0)
        appending = asyncio.gather(*(disclosed(ledger, n) for n in range(1, 400)))
        found = await asyncio.to_thread(verify_store, SqliteStore(store.path, read_only=True), VERIFIERS)
        await appending
    assert 1 <= found[0].size <= 400
    assert verify_store(store, VERIFIERS)[0].size == 400


def test_what_is_published_is_held_to_the_tree(tmp_path: Path) -> None:
    """The whole note of another tree, signed by the right key, and a size that it does not sign."""
    path = tmp_path / "ledger.db"
    asyncio.run(published_store(tmp_path))
    verify(path)
    other = Signer(f"{ORIGIN}/1", KEY).checkpoint(3, bytes(32))
    for statement, value, message in (
        ("UPDATE published SET checkpoint = ?, size = 3", other, "at 3 entries, is another tree"),
        ("UPDATE published SET size = ?", 2, "is not what that signs"),
        ("UPDATE published SET checkpoint = ?", "x", "does not verify"),
    ):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            before = connection.execute("SELECT size, checkpoint FROM published").fetchone()
            assert connection.execute(statement, (value,)).rowcount == 1
        with pytest.raises(VerificationFailed, match=message):
            verify(path)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE published SET size = ?, checkpoint = ?", before)
    verify(path)


async def published_store(folder: Path) -> None:
    """Three entries, all published."""
    store = store_in(folder)
    publisher = Publisher(store, ORIGIN, machines, every=3600)
    async with opened(store, publisher=publisher) as ledger:
        for number in range(3):
            await disclosed(ledger, number)
    store.close()
