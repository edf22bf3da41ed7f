"""What was altered in an archive, or is not there, is named before anything goes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from gateway.storage.archive import form
from gateway.storage.projections.tables import DROPPING
from tests import configured
from tests.ledger.archiving.archived import SIZE, archive, filled, folder, made, noted, rows
from tests.ledger.conftest import Run

__all__ = ["folder", "made"]


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
