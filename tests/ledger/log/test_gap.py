"""A store that was set back is never signed over: its shard is sealed, and another one names the gap."""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import Clock, machines
from gateway.errors import LedgerUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.publish import Publisher, read_published
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.proof.note import Signer, note_body, parse_checkpoint
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.engines.sqlite import SqliteStore
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, opened, refused, store_in
from tests.ledgers import ledger_on
from tests.waiting import until_async


def publisher(store: SqliteStore, folder: Path, every: float = 60.0) -> Publisher:
    return Publisher(store, ORIGIN, machines, head_file=HeadFile(folder / "heads.json"), every=every)


def files(folder: Path) -> list[Path]:
    return [folder / f"ledger.db{end}" for end in ("", "-wal", "-shm")]


def save(folder: Path, to: str) -> None:
    (folder / to).mkdir()
    for path in files(folder):
        if path.exists():
            shutil.copy(path, folder / to / path.name)


def restore(folder: Path, saved: str) -> None:
    for path in files(folder):
        path.unlink(missing_ok=True)
        if (folder / saved / path.name).exists():
            shutil.copy(folder / saved / path.name, path)


def told(store: SqliteStore) -> dict[str, list[entries.Told]]:
    with contextlib.closing(store.reader()) as reader:
        return {
            head.name: [each.read_told() for each in read.read_entries(reader, head.id, 0, head.size) if each.told]
            for head in read.heads(reader)
        }


async def written(folder: Path, count: int) -> str:
    store = store_in(folder)
    async with opened(store, publisher=publisher(store, folder)) as ledger:
        for number in range(count):
            await refused(ledger, number)
        shard = ledger.shard
    store.close()
    return shard


async def test_a_store_set_back_is_sealed_and_another_shard_names_the_gap(tmp_path: Path) -> None:
    assert await written(tmp_path, 3) == "1"
    save(tmp_path, "backup")
    assert await written(tmp_path, 4) == "1"
    restore(tmp_path, "backup")
    assert await written(tmp_path, 2) == "2"
    store = store_in(tmp_path)
    found = told(store)
    gap, *rest = found["2"]
    assert isinstance(gap, entries.Gap)
    assert (gap.shard, gap.size) == (f"{ORIGIN}/1", 3)
    assert parse_checkpoint(note_body(gap.remembered)).size == 7
    assert (len(found["1"]), len(rest)) == (3, 2), "nothing was entered in the sealed one"
    assert [shard.size for shard in verify_store(store, VERIFIERS)] == [3, 3]
    assert await written(tmp_path, 1) == "2", "it goes on in the new one, and names nothing twice"
    assert [type(each).__name__ for each in told(store)["2"]] == ["Gap", *["Refused"] * 3]


async def test_a_store_that_was_lost_or_replaced_is_not_begun_again(tmp_path: Path) -> None:
    await written(tmp_path, 3)
    for path in files(tmp_path):
        path.unlink(missing_ok=True)
    assert await written(tmp_path, 1) == "2"
    found = told(store_in(tmp_path))
    gap = found["2"][0]
    assert isinstance(gap, entries.Gap)
    assert (gap.shard, gap.size, parse_checkpoint(note_body(gap.remembered)).size) == (f"{ORIGIN}/1", 0, 3)
    assert "1" not in found, "no other tree is ever signed by that name"


async def test_other_entries_of_the_same_number_are_found_too(tmp_path: Path) -> None:
    save_as = tmp_path / "heads.json"
    await written(tmp_path, 3)
    forged = Signer(f"{ORIGIN}/1", KEY).checkpoint(2, bytes(32))
    heads = json.loads(save_as.read_bytes())
    save_as.write_text(json.dumps(heads | {"heads": {f"{ORIGIN}/1": forged}}))
    assert await written(tmp_path, 1) == "2"


async def test_what_was_given_out_counts_without_a_head_file_too(tmp_path: Path) -> None:
    """A standby takes over that was behind: the process itself remembers."""
    store = store_in(tmp_path)
    async with opened(store, retry=0.01) as ledger:
        await refused(ledger, 1)
        saved = store.connect().execute("SELECT * FROM shard").fetchone()
        for number in range(2, 5):
            await refused(ledger, number)
        connection = store.connect()
        connection.execute("DELETE FROM entry_requester WHERE entry & 255 > 0")
        connection.execute("DELETE FROM entry WHERE id & 255 > 0")
        connection.execute("UPDATE shard SET size = 1, root = ?, floor = ?, checkpoint = ?", saved[6:9])
        ledger._shard._attempt = ledger._shard._head  # type: ignore[union-attr]
        with pytest.raises(LedgerUnavailable, match="has 1 entry of shard `1`, and the process that wrote it remem"):
            await ledger.append(b"", b"", AT, BY)
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        assert ledger.shard == "2"
        await refused(ledger, 5)
    assert [type(each).__name__ for each in told(store)["2"]] == ["Gap", "Refused"]
    assert len(told(store)["1"]) == 1
    assert [shard.size for shard in verify_store(store, VERIFIERS)] == [1, 2]


async def test_a_head_file_that_cannot_be_read_refuses(tmp_path: Path) -> None:
    await written(tmp_path, 1)
    (tmp_path / "heads.json").write_text("{")
    with pytest.raises(LedgerUnavailable, match=r"heads.json` cannot be read"):
        await written(tmp_path, 1)


def test_the_head_file_never_falls(tmp_path: Path) -> None:
    file, signer = HeadFile(tmp_path / "heads.json"), Signer(f"{ORIGIN}/1", KEY)
    assert file.remembered(f"{ORIGIN}/1") is None
    file.remember(f"{ORIGIN}/1", signer.checkpoint(7, bytes(32)))
    file.remember(f"{ORIGIN}/2", signer.checkpoint(1, bytes(32)))
    with pytest.raises(LedgerUnavailable, match="remembers 7 entries"):
        file.remember(f"{ORIGIN}/1", signer.checkpoint(6, bytes(32)))
    kept = file.remembered(f"{ORIGIN}/1")
    assert kept is not None
    assert kept.checkpoint.size == 7


def test_what_others_entered_is_remembered_where_it_is_more(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "heads.json")
    notes = {
        (name, size): Signer(f"{ORIGIN}/{name}", KEY).checkpoint(size, bytes(32)) for name in "12" for size in (3, 4)
    }
    file.remember(f"{ORIGIN}/1", notes["1", 3], {f"{ORIGIN}/2": notes["2", 4]})
    file.remember(f"{ORIGIN}/1", notes["1", 3], {f"{ORIGIN}/2": notes["2", 3]})
    assert {each.checkpoint.origin: each.checkpoint.size for each in file.all()} == {f"{ORIGIN}/1": 3, f"{ORIGIN}/2": 4}


@pytest.mark.parametrize("forged", ["", "another key", "another size"])
async def test_of_what_others_entered_only_what_is_signed_is_remembered(tmp_path: Path, forged: str) -> None:
    """A row that somebody wrote into the database seals nobody's shard."""
    store, kept = store_in(tmp_path), HeadFile(tmp_path / "heads.json")
    async with opened(store, shard="2") as other:
        await refused(other)
    if forged:
        key = KEY if forged == "another size" else Ed25519PrivateKey.generate()
        note = Signer(f"{ORIGIN}/2", key).checkpoint(1 if forged == "another size" else 9, bytes(32))
        store.connect().execute(
            "UPDATE shard SET size = 9, root = zeroblob(32), checkpoint = ? WHERE name = '2'", [note]
        )
    made = publisher(store, tmp_path)
    Registrar(store, KEY, ORIGIN, made)
    async with opened(store, publisher=made, shard="1"):
        for _ in range(2):
            await made.publish("1")
            seen = kept.remembered(f"{ORIGIN}/2")
            assert (seen.checkpoint.size if seen else None) == (None if forged else 1)
            kept.path.unlink()  # the next publication makes it again


async def test_publication_is_renewed_while_nothing_is_entered(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    def published() -> tuple[datetime.datetime, int]:
        with contextlib.closing(store.reader()) as reader:
            found = read_published(reader, "1")
        assert found is not None
        return found.at, found.size

    async with opened(store, publisher=publisher(store, tmp_path, every=0.02)) as ledger:
        first = published()
        await until_async("a later publication", lambda: published() > first)
        assert published()[1] == 0
        await refused(ledger)
        await until_async("the entry to be published", lambda: published()[1] == 1)
    assert parse_checkpoint(note_body(json.loads((tmp_path / "heads.json").read_text())["heads"][f"{ORIGIN}/1"])).size


async def test_whoever_asks_sees_what_was_answered_before(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, publisher=publisher(store, tmp_path)) as ledger:
        for size in (1, 2):
            await refused(ledger)
            await ledger.published(ledger.shard)
            with contextlib.closing(store.reader()) as reader:
                found = read_published(reader, "1")
            assert found is not None
            assert found.size == parse_checkpoint(note_body(found.checkpoint)).size == size


async def test_nothing_is_answered_while_nothing_can_be_published(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, publisher=publisher(store, tmp_path, every=0.01)) as ledger:
        await refused(ledger)
        file = tmp_path / "heads.json"
        file.rename(tmp_path / "away")
        file.mkdir()
        await until_async("the ledger to notice", lambda: not ledger.healthy)
        with pytest.raises(LedgerUnavailable, match="cannot be read"):
            await ledger.append(b"", b"", AT, BY)
        file.rmdir()
        (tmp_path / "away").rename(file)
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        await refused(ledger)


def test_it_is_the_store_that_refuses_a_second_sealing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    connection = store.connect()
    row = ("1", 0, 0, bytes(32), "note", "somebody", None)
    connection.execute("INSERT INTO sealed VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO sealed VALUES (?, ?, ?, ?, ?, ?, ?)", row)


async def test_a_sealed_shard_is_never_taken(tmp_path: Path) -> None:
    await written(tmp_path, 1)
    store = store_in(tmp_path)
    store.connect().execute("INSERT INTO sealed VALUES ('1', 0, 0, zeroblob(32), '', 'x', '2')")
    with pytest.raises(LedgerUnavailable, match="sealed"):
        await ledger_on(store, KEY, ORIGIN, shard="1").start()
    assert await written(tmp_path, 1) == "2"


async def test_a_copy_from_before_is_the_way_out_of_entries_that_are_ahead(tmp_path: Path) -> None:
    """`deploy/README.md`, "The clock": the shard that goes on begins now, and nothing is ahead any more."""
    await written(tmp_path, 3)
    save(tmp_path, "backup")
    now = datetime.datetime.now(datetime.UTC)
    year = datetime.timedelta(days=366)
    store = store_in(tmp_path)
    async with opened(store, publisher=publisher(store, tmp_path)) as ledger:
        await ledger.append(b"ahead", b"", now + year, BY)
    store.close()
    restore(tmp_path, "backup")
    store = store_in(tmp_path)
    async with opened(store, publisher=publisher(store, tmp_path)) as ledger:
        assert ledger.shard == "2"
        assert now <= ledger.floor <= datetime.datetime.now(datetime.UTC)
        assert Clock(lambda: ledger.floor).doubt is None
