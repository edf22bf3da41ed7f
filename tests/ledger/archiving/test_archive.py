"""Entries in an archive: they prove what they proved after their rows are gone, and whatever was altered is named."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import fcntl
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import msgspec
import pytest
import uvicorn
from moto.server import ThreadedMotoServer
from starlette.applications import Starlette

from gateway.clock import machines
from gateway.config import settings
from gateway.errors import StoreUnavailable
from gateway.ledger.archiving import remove
from gateway.ledger.log import tiles
from gateway.ledger.log.build import ledger_of
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.storage.archive import form
from gateway.storage.projections.tables import DROPPING
from gateway.storage.store import open_configured
from tests import configured
from tests.ledger.conftest import Run
from tests.ledger.support import AT, ORIGIN, disclosed, receipt_of, refused
from tests.ports import free_port

SIZE = 700
WHOLE_TILES = 512
WHO = ("--by", "R. Keeper", "--reason", "the yearly archive")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration and its store with so many inquiries, all projected; receipts of an old and a young one."""
    folder = tmp_path_factory.mktemp("archived")
    private = key_files.generate(folder / "ledger.key")
    key_files.write_verifiers(folder / "ledger.pub", private, ORIGIN, ["root", "1", "commands"])
    (folder / "receipts").mkdir()
    filled(folder, SIZE)
    return folder


def filled(folder: Path, size: int) -> None:
    """Enter so many inquiries into the store of a folder with a key, and project them."""
    found = settings.load(configured.write(folder), {})
    private = key_files.load(found.ledger.key_file)
    store = open_configured(found)

    async def fill() -> None:
        ledger = ledger_of(store, found.ledger, private, machines)
        await ledger.start()
        hour = datetime.timedelta(hours=1)
        answers = await asyncio.gather(*(disclosed(ledger, n, AT + n // 64 * hour) for n in range(size - 1)))
        await refused(ledger, size)
        for number in (3, size - 2):
            (folder / "receipts" / f"{number}.txt").write_text(receipt_of(answers[number]))
        await ledger.close()

    asyncio.run(fill())
    projector = Projector(store)
    while projector.turn():
        pass
    projector.close()
    store.close()
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it, whose configuration names an archive in a folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    configured.write(tmp_path, ledger={"archive": "archive"})
    return tmp_path


def rows(folder: Path, below: int = 1 << 40) -> int:
    """How many rows of shard 1 the store has, below an index."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection:
        (shard,) = connection.execute("SELECT id FROM shard WHERE name = '1'").fetchone()
        query = "SELECT count(*) FROM entry WHERE id BETWEEN ? AND ?"
        found: int = connection.execute(query, (shard << 40, (shard << 40) + below - 1)).fetchone()[0]
        return found


def archive(run: Run, folder: Path, *more: object) -> int:
    return run("ledger", "archive", "--config", folder / "gateway.yaml", *WHO, "--shard", "1", *more)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The public face of the ledger of a configuration, on a port of its own."""
    found = settings.load(folder / "gateway.yaml", {})
    store = open_configured(found)
    ledger = ledger_of(store, found.ledger, key_files.load(found.ledger.key_file), machines)
    asyncio.run(_published(ledger))
    port = free_port()
    app = Starlette(routes=tiles.routes(ledger))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        store.close()


async def _published(ledger: Ledger) -> None:
    await ledger.start()
    await ledger.close()


def check_proved(run: Run, folder: Path) -> None:
    """Whatever was proved is: over HTTP by receipts and by a follower, and in the store, each entry opened."""
    key = ("--key", folder / "ledger.pub")
    with served(folder) as url:
        for receipt in sorted((folder / "receipts").iterdir()):
            assert run("ledger", "verify-receipt", *key, "--log", url, receipt) == 0, run.err
            assert run.out.startswith("published: entry ")
        assert run("ledger", "verify", url, *key, "--receipts", folder / "receipts") == 0, run.err
        assert "receipts: 2 published" in run.out
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err
    assert f"whole: {ORIGIN}/1, {SIZE} entries" in run.out


def test_an_archived_shard_proves_an_old_receipt_after_its_rows_are_gone(folder: Path, run: Run) -> None:
    assert archive(run, folder) == 0, run.err
    assert f"archived: {WHOLE_TILES} entries of {ORIGIN}/1" in run.out
    assert rows(folder) == SIZE
    assert archive(run, folder, "--remove") == 0, run.err
    assert f"removed: {WHOLE_TILES} rows" in run.out
    assert (rows(folder, WHOLE_TILES), rows(folder)) == (0, SIZE - WHOLE_TILES)
    check_proved(run, folder)
    offline = ("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub")
    assert run(*offline, "--receipts", folder / "receipts") == 0, run.err
    assert f"whole: {ORIGIN}/1, {SIZE} entries" in run.out
    assert f"{WHOLE_TILES} of them with their contents" in run.out
    assert "receipts: 2 archived" in run.out


def test_what_the_archive_has_is_read_as_all_else(folder: Path, run: Run) -> None:
    assert archive(run, folder, "--remove") == 0, run.err
    whole = ("--config", folder / "gateway.yaml", *WHO[:2], "--reason", "asked by the court", "--format", "csv")
    assert run("ledger", "export", *whole, "--from", "2026-11-01", "--out", folder / "all.csv") == 0, run.err
    assert f"written: {SIZE + 2} entries" in run.out, "with those of this look and of the archive"
    assert run("ledger", "rebuild", "--config", folder / "gateway.yaml") == 0, run.err
    assert run("ledger", "verify", "--config", folder / "gateway.yaml", "--jobs", 2) == 0, run.err
    configured.write(folder)
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 1
    assert "is in the archive" in run.err
    assert "ledger.archive" in run.err
    assert run("ledger", "verify", "--config", folder / "gateway.yaml", "--archive", folder / "archive") == 0, run.err


def test_removing_goes_on_where_it_was_stopped(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove, "BATCH", 100)
    taken, real = [], remove._take

    def broken(*arguments: object) -> int:
        taken.append(arguments)
        if len(taken) == 3:
            raise StoreUnavailable("the connection was lost")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(remove, "_take", broken)
    assert archive(run, folder, "--remove") == 1
    assert rows(folder, WHOLE_TILES) == WHOLE_TILES - 200
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err
    assert archive(run, folder, "--remove") == 0, run.err
    assert rows(folder, WHOLE_TILES) == 0
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err


@pytest.mark.parametrize(
    ("file", "offline", "store"),
    [
        ("1/payload/*", "is not what was archived", "is not what was archived"),
        ("1/tile/entries/000", "is not what its tile has", None),
        ("1/manifest.json", "is no manifest|it was altered|which gateways read it by", None),
        ("1/checkpoint", "checkpoint", None),
    ],
)
def test_what_was_altered_in_an_archive_is_named(
    folder: Path, run: Run, file: str, offline: str, store: str | None
) -> None:
    assert archive(run, folder, "--remove") == 0, run.err
    (path,) = (folder / "archive").glob(file)
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    assert run("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub") == 1
    assert any(each in run.err for each in offline.split("|")), run.err
    if store is not None:
        assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 1
        assert store in run.err


def test_what_is_wrong_is_said_before_anything_goes(folder: Path, run: Run) -> None:
    other = folder / "other"
    assert archive(run, folder, "--until", "2020-01-01") == 0
    assert "nothing to archive" in run.out
    assert archive(run, folder, "--shard", "9") == 2
    configured.write(folder)
    assert archive(run, folder, "--to", other, "--remove") == 2
    assert "`ledger.archive`" in run.err
    assert not other.exists()
    assert archive(run, folder, "--to", "ftp://there") == 1
    assert "is no place for an archive" in run.err
    assert rows(folder) == SIZE


def noted(folder: Path) -> bytes:
    """The digest of the manifest that the store reads its archive by."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection:
        found: bytes = connection.execute("SELECT manifest FROM archived").fetchone()[0]
        return found


def test_an_archive_of_another_ledger_of_that_name_is_refused(folder: Path, run: Run) -> None:
    assert archive(run, folder) == 0, run.err
    for file in (*folder.glob("ledger.db*"), folder / "ledger.heads.json"):
        file.unlink(missing_ok=True)
    filled(folder, 300)
    configured.write(folder, ledger={"archive": "archive"})
    before = {each: each.read_bytes() for each in (folder / "archive").rglob("*") if each.is_file()}
    assert archive(run, folder, "--remove") == 1
    assert "it is another ledger's, or was altered" in run.err
    assert "--to PLACE" in run.err
    assert rows(folder) == 300
    assert {each: each.read_bytes() for each in (folder / "archive").rglob("*") if each.is_file()} == before


def test_nothing_is_archived_while_a_projection_is_built_anew(folder: Path, run: Run) -> None:
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection, connection:
        connection.execute("UPDATE projected SET next = ? WHERE projection = 'looked'", (DROPPING,))
    assert archive(run, folder) == 0, run.err
    assert "nothing to archive" in run.out
    assert not (folder / "archive").exists()


def test_what_was_altered_and_hashed_anew_is_not_noted(folder: Path, run: Run) -> None:
    assert archive(run, folder, "--remove") == 0, run.err
    place, known = folder / "archive" / "1", noted(folder)
    good = (place / "manifest.json").read_bytes()
    (payload,) = (place / "payload").iterdir()
    content = bytearray(payload.read_bytes())
    content[-40] ^= 1
    hashes = form.digest(bytes(content))
    (place / form.payload_file(hashes)).write_bytes(content)
    (place / "hashes" / form.digest(hashes).hex()).write_bytes(hashes)
    manifest = form.decode_manifest(good, "")
    anew = form.encode_manifest(msgspec.structs.replace(manifest, hashes=form.digest(hashes).hex()))
    (place / "manifest.json").write_bytes(anew)
    (place / "manifests" / f"{form.digest(anew).hex()}.json").write_bytes(anew)
    assert archive(run, folder) == 1
    assert noted(folder) == known
    (place / "manifest.json").write_bytes(good)
    assert archive(run, folder) == 0, run.err
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err


def test_a_copy_is_made_elsewhere_and_gateways_go_on_reading_the_first(folder: Path, run: Run) -> None:
    assert archive(run, folder, "--remove") == 0, run.err
    known = noted(folder)
    assert archive(run, folder, "--to", folder / "offsite") == 0, run.err
    assert f"a copy: gateways read `{folder / 'archive'}`" in run.out
    assert noted(folder) == known
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err
    offsite = ("ledger", "verify", "--archive", folder / "offsite", "--key", folder / "ledger.pub")
    assert run(*offsite) == 0, run.err
    assert archive(run, folder, "--to", folder / "offsite", "--remove") == 2
    assert "is for the place that gateways read" in run.err
    assert archive(run, folder, "--to", folder / "offsite" / ".." / "archive", "--remove") == 0, run.err


@pytest.mark.parametrize("more", [(), ("--until", (AT + datetime.timedelta(hours=5)).isoformat())])
def test_a_copy_takes_the_place_of_an_archive_that_is_lost(folder: Path, run: Run, more: tuple[str, ...]) -> None:
    assert archive(run, folder, "--remove", *more) == 0, run.err
    assert archive(run, folder, "--to", folder / "offsite") == 0, run.err
    shutil.rmtree(folder / "archive")
    (folder / "offsite").rename(folder / "archive")
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err
    offline = ("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub")
    assert run(*offline) == 0, run.err
    assert archive(run, folder, "--remove") == 0, run.err
    assert rows(folder, WHOLE_TILES) == 0
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err


def test_what_has_no_end_is_not_read(folder: Path, run: Run) -> None:
    assert archive(run, folder) == 0, run.err
    (file,) = (folder / "archive" / "1" / "payload").iterdir()
    file.unlink()
    for make in (lambda: file.symlink_to("/dev/zero"), lambda: os.mkfifo(file)):
        make()
        assert run("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub") == 1
        assert f"`1/payload/{file.name}`: is no file" in run.err
        file.unlink()


def test_an_archive_that_gateways_could_not_read_is_not_whole(folder: Path, run: Run) -> None:
    assert archive(run, folder) == 0, run.err
    place = folder / "archive" / "1"
    offline = ("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub")
    manifest = (place / "manifest.json").read_bytes()
    (place / "manifest.json").write_bytes(re.sub(rb'"hashes": "[0-9a-f]', b'"hashes": "x', manifest))
    assert run(*offline) == 1
    assert "a hash that is none; it was altered" in run.err
    (place / "manifest.json").write_bytes(manifest)
    shutil.rmtree(place / "manifests")
    assert run(*offline) == 1
    assert "which gateways read it by" in run.err


def test_a_file_that_nobody_archived_is_named_and_a_registry_that_is_gone(folder: Path, run: Run) -> None:
    assert archive(run, folder) == 0, run.err
    place = folder / "archive"
    offline = ("ledger", "verify", "--archive", place, "--key", folder / "ledger.pub")
    for name in ("notes.txt", "zz/manifest.json", "1/payload/099", "1/tile/0/009", "1/tile/0/002.p/189", "1/.hidden"):
        file = place / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"{}")
        assert run(*offline) == 1, name
        assert f"has `{name}`, which nobody archived" in run.err
        file.unlink()
    assert run(*offline) == 0, run.err
    (place / "registry.json").rename(folder / "registry.json")
    assert run(*offline) == 1
    assert "lacks `registry.json`" in run.err
    (place / "registry.json").touch()
    assert run(*offline) == 1
    assert "`registry.json` in" in run.err


def test_what_a_killed_run_left_goes_with_the_next_but_for_what_is_being_written(folder: Path, run: Run) -> None:
    assert archive(run, folder) == 0, run.err
    place, payload = folder / "archive", folder / "archive" / "1" / "payload"
    names = ("manifest.json-abcdefgh", "registry.json-abc_e_12", f"{'a' * 64}-abcdefgh", "notes-abcdefgh")
    left, registry, written, notes = (payload / f".{name}" for name in names)
    young = payload / f".{'b' * 64}-abcdefgh"
    for each in (left, registry, written, notes, young):
        each.write_bytes(b"half")
        if each != young:
            os.utime(each, (0, 0))
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert archive(run, folder) == 0, run.err
        assert {each.name for each in payload.glob(".*")} == {written.name, notes.name, young.name}
    assert archive(run, folder) == 0, run.err
    assert not written.exists()
    notes.unlink()
    offline = ("ledger", "verify", "--archive", place, "--key", folder / "ledger.pub")
    assert run(*offline) == 0, run.err


def test_an_archive_that_is_away_is_no_damage(folder: Path, run: Run) -> None:
    assert archive(run, folder, "--remove") == 0, run.err
    place, config = folder / "archive", ("ledger", "verify", "--config", folder / "gateway.yaml")
    place.rename(folder / "elsewhere")
    for more in ((), ("--jobs", "2"), ("--sample", str(2 * SIZE)), ("--archive", place)):
        assert run(*config, *more) == 3, run.err
        assert f"the archive `{place}` cannot be read: there is no such folder" in run.err
        assert "damaged" not in run.err
    assert run("ledger", "verify", "--archive", place, "--key", folder / "ledger.pub") == 3
    assert run(*config, "--archive", folder / "elsewhere") == 0, run.err


@pytest.mark.parametrize(
    "forged", ["size = 256", "size = 700", "size = 9000", "removed = 600", "size = -1, removed = -1"]
)
def test_what_the_store_has_noted_is_held_to_the_manifest(folder: Path, run: Run, forged: str) -> None:
    assert archive(run, folder, "--remove") == 0, run.err
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection, connection:
        connection.execute(f"UPDATE archived SET {forged}")
    for more in ((), ("--sample", "1")):
        assert run("ledger", "verify", "--config", folder / "gateway.yaml", *more) == 1
        assert "shard `1`: " in run.err
        assert "the row in `archived` was altered" in run.err


def test_an_object_store_holds_an_archive(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    try:
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        keys |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true"}
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        assert os.environ["AWS_REGION"] == "us-east-1"
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="kept")
        configured.write(folder, ledger={"archive": "s3://kept/ledger"})
        assert archive(run, folder, "--remove") == 0, run.err
        assert rows(folder, WHOLE_TILES) == 0
        check_proved(run, folder)
        offline = ("ledger", "verify", "--archive", "s3://kept/ledger", "--key", folder / "ledger.pub")
        assert run(*offline) == 0, run.err
    finally:
        server.stop()
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 3
    assert "the archive `s3://kept/ledger` cannot be used" in run.err


@pytest.mark.parametrize(("endpoint", "why"), [("not a url", "is no URL"), ("http://127.0.0.1:9", "is plain http")])
def test_an_endpoint_that_cannot_be_used_is_named(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, endpoint: str, why: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
    assert archive(run, folder, "--to", "s3://kept/ledger") == 1
    assert f"AWS_ENDPOINT_URL: {why}" in run.err
