"""A backup on both stores: made beside a gateway, put back, and what it lacks named; whatever hinders is refused."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest

from gateway.backup import last, making, restoring, unfinished
from gateway.config import settings
from gateway.storage import schema
from tests.backup.conftest import lose
from tests.configured import ORIGIN
from tests.services import Postgres
from tests.storage.office import LEI, SAID, Office

HOLD = ("ledger", "hold", "place", "--subject", LEI, *SAID)


def test_what_is_put_back_goes_on_and_names_the_gap(office: Office) -> None:
    office.serve(1, 2)
    out = office.folder / "copy"
    made = office.ran("backup", "--out", out)
    assert f"shard: {ORIGIN}/1, 2 entries" in made
    office.serve(3)
    lose(office.place)

    put = office.ran("restore", out)
    assert f"gap: {ORIGIN}/1 has 2 entries, and 3 were published" in put
    assert office.sizes()["1"] == 2
    office.serve(4)
    assert office.verify() == 0, office.err
    assert f"sealed: {ORIGIN}/1 at 2; shard 2 goes on" in office.out


def test_nothing_is_missing_where_nothing_was_entered_since(office: Office) -> None:
    office.serve(1)
    office.ran(*HOLD)
    before = office.sizes()
    office.ran("backup", "--out", "copy")
    lose(office.place)
    assert "gap: none" in office.ran("restore", "copy")
    assert office.sizes() == before
    office.ran(*HOLD)
    assert office.verify() == 0, office.err
    assert "sealed" not in office.out


def test_it_is_for_its_owner_only_and_has_no_secret(office: Office) -> None:
    office.serve(1)
    out = office.folder / "copy"
    office.ran("backup", "--out", out)
    names = {each.name for each in out.iterdir()}
    assert names == {"backup.json", "store.db" if office.place.kind == "sqlite" else "store.dump"}
    for each in (out, *out.iterdir()):
        assert not stat.S_IMODE(each.stat().st_mode) & 0o077, each
    pem = (office.folder / "ledger.key").read_bytes()
    assert all(pem.splitlines()[1] not in each.read_bytes() for each in out.iterdir())
    found = json.loads((out / "backup.json").read_text())
    assert (found["kind"], found["step"]) == (office.place.kind, schema.LATEST)
    assert [each["setting"] for each in found["keys"]] == ["ledger.key_file"]

    assert f"`{out}` exists already" in office.refused("backup", "--out", out)
    away = office.folder / "away"
    assert f"; make the folder `{away}` first; no backup was made" in office.refused("backup", "--out", away / "copy")
    recorded = last.find(settings.load(office.config, {}))
    assert recorded is not None
    assert (recorded.folder, recorded.shards[f"{ORIGIN}/1"]) == (str(out), 1)


def test_a_key_that_is_away_is_named_and_nothing_is_lost(office: Office) -> None:
    office.serve(1)
    before = office.sizes()
    office.ran("backup", "--out", "copy")
    office.ran("backup", "--out", "whole", "--with-keys")
    key = office.folder / "ledger.key"
    kept = key.read_bytes()
    key.unlink()
    office.ran("backup", "--out", "without")
    assert "the key `ledger.key_file` is missing" in office.err
    lose(office.place)

    why = office.refused("restore", "copy")
    assert "needs the key `ledger.key_file`" in why
    assert str(key) in why
    key.touch(mode=0o600)
    key.write_bytes(b"another")
    assert "needs another key as `ledger.key_file`" in office.refused("restore", "copy")
    key.unlink()

    office.ran("restore", "whole")
    assert key.read_bytes() == kept
    assert not stat.S_IMODE(key.stat().st_mode) & 0o077
    assert office.sizes() == before
    assert office.verify() == 0, office.err


def _sealed(office: Office) -> Path:
    """Have the store sealed by a key outside it, before anything is served; the key's file."""
    assert office.bare("store", "key", "--out", "store.key") == 0
    key = office.folder / "store.key"
    office.place.key = key
    with office.config.open("a") as file:
        file.write("store_key_file: store.key\n")
    return key


def test_of_a_sealed_store_the_key_outside_it_is_named_too(office: Office) -> None:
    key = _sealed(office)
    office.serve(1)
    office.ran("backup", "--out", "copy")
    office.serve(2)
    lose(office.place)
    kept = key.read_bytes()
    key.unlink()
    assert "needs the key `store_key_file`" in office.refused("restore", "copy")
    key.touch(mode=0o600)
    key.write_bytes(kept)
    assert "has 1 entry, and 2 were published" in office.ran("restore", "copy")
    office.serve(3)
    assert office.verify() == 0, office.err
    key.unlink()
    office.ran("backup", "--out", "without")
    assert "the key `store_key_file` is missing" in office.err


def test_a_key_that_was_written_down_otherwise_is_the_same_key(office: Office) -> None:
    key = _sealed(office)
    office.serve(1)
    office.ran("backup", "--out", "copy")
    lose(office.place)
    kept = key.read_bytes()
    key.write_bytes(b"# another\n" + base64.b64encode(bytes(32)) + b"\n")
    assert "needs another key as `store_key_file`" in office.refused("restore", "copy")
    key.write_bytes(b"\n".join([b"# typed again", *kept.splitlines()[1:], b""]))
    assert "gap: none" in office.ran("restore", "copy")
    assert office.verify() == 0, office.err


def test_a_copy_with_a_key_of_its_own_opens_by_that_key_alone_and_ends_with_it(
    office: Office, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.serve(1, 2)
    out, key = office.folder / "copy", office.folder / "backup.key"
    assert "sealed: by the key in" in office.ran("backup", "--out", out, "--key", key)
    assert not stat.S_IMODE(key.stat().st_mode) & 0o077
    sealed = out / ("store.db.sealed" if office.place.kind == "sqlite" else "store.dump.sealed")
    assert {each.name for each in out.iterdir()} == {"backup.json", sealed.name}
    assert LEI.rpartition(":")[2].encode() not in sealed.read_bytes()
    killed, used = (office.folder / f"{making.UNFINISHED}{name}" for name in ("killed", "used"))
    for each in (killed, used):
        each.mkdir()
        (each / "store.db").touch()
    with unfinished.alone(used):
        office.ran("backup", "--out", "again", "--key", key)
    assert (killed.exists(), used.exists()) == (False, True), "what a killed one left is not sealed"
    assert (office.folder / "again" / sealed.name).read_bytes()[:64] != sealed.read_bytes()[:64]
    assert "a file of its own" in office.refused("backup", "--out", "third", "--key", office.folder / "ledger.key")
    scratch = ("--scratch", server.url(server.database())) if office.place.kind == "postgresql" else ()
    verified = office.ran("backup", "--out", "third", "--key", key, "--verify", *scratch)
    assert f"whole: {ORIGIN}/1, 2 entries" in verified
    assert {each.name for each in office.folder.glob(".*")} == set(), "nothing unsealed is left"
    lose(office.place)

    assert "name the key's file with `--key`" in office.refused("restore", out)
    other = office.folder / "other.key"
    assert office.bare("store", "key", "--out", other) == 0
    assert "was sealed by another key" in office.refused("restore", out, "--key", other)
    kept = key.read_bytes()
    key.unlink()
    assert "cannot be read as the key of a backup" in office.refused("restore", out, "--key", key)
    key.touch(mode=0o600)
    key.write_bytes(kept)
    monkeypatch.setattr(tempfile, "tempdir", str(office.folder))
    left, used = (office.folder / f"{restoring.UNSEALED}{name}" for name in ("killed", "used"))
    half = office.folder / ".store.db-ab12cd_4.unfinished"
    half.touch()
    for each in (left, used):
        each.mkdir()
        (each / "store.db").touch()
    with unfinished.alone(used):
        assert "gap: none" in office.ran("restore", out, "--key", key)
    assert (left.exists(), used.exists()) == (False, True)
    assert half.exists() == (office.place.kind == "postgresql")
    assert office.verify() == 0, office.err


def test_a_lost_head_file_is_refused_unless_somebody_takes_it_on(office: Office) -> None:
    office.serve(1)
    office.ran("backup", "--out", "copy")
    lose(office.place)
    (office.folder / "heads.json").unlink()
    assert "nobody recorded what was published" in office.refused("restore", "copy")
    office.ran("restore", "copy", "--anyway")
    assert office.verify() == 0, office.err


def test_a_store_that_is_there_stays(office: Office) -> None:
    office.serve(1)
    office.ran("backup", "--out", "copy")
    office.serve(2)
    why = office.refused("restore", "copy")
    assert "already" in why
    assert "Nothing was changed" in why
    assert office.sizes()["1"] == 2


@pytest.mark.parametrize("change", ["bytes", "cut", "newer", "version", "none", "older", "more", "shards"])
def test_a_backup_that_cannot_be_used_is_refused(office: Office, change: str) -> None:
    office.serve(1)
    office.ran("backup", "--out", "copy")
    lose(office.place)
    manifest = office.folder / "copy" / "backup.json"
    [copy] = (office.folder / "copy").glob("store.*")
    found = json.loads(manifest.read_text())
    match change:
        case "bytes":
            content = bytearray(copy.read_bytes())
            content[len(content) // 2] ^= 1
            copy.write_bytes(content)
        case "cut":
            copy.write_bytes(copy.read_bytes()[:100])
        case "newer":
            manifest.write_text(json.dumps(found | {"step": "9999"}))
        case "version":
            manifest.write_text(json.dumps(found | {"v": 3}))
        case "older":
            manifest.write_text(json.dumps(found | {"step": "0001"}))
        case "more":
            manifest.write_text(json.dumps(found | {"shards": found["shards"] | {f"{ORIGIN}/1": 2}}))
        case "shards":
            manifest.write_text(json.dumps(found | {"shards": {}}))
        case "none":
            manifest.unlink()
    expected = {
        "bytes": "is not what was backed up", "cut": "is not what was backed up", "newer": "use the newer version",
        "version": "is of version 3", "none": "is no backup", "older": "backup.json` was altered",
        "more": f"{ORIGIN}/1: 1", "shards": "backup.json` was altered",
    }  # fmt: skip
    assert expected[change] in office.refused("restore", "copy")


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
class TestSqlite:
    """What only a file has."""

    def test_a_journal_that_was_left_is_not_read_into_it(self, office: Office) -> None:
        office.serve(1)
        office.ran("backup", "--out", "copy")
        lose(office.place)
        left = Path(f"{office.place.url.removeprefix('sqlite:///')}-wal")
        left.write_bytes(b"left")
        assert f"`{left}` exists already" in office.refused("restore", "copy")

    def test_the_copy_is_verified_where_that_is_wanted(self, office: Office) -> None:
        office.serve(1)
        assert f"whole: {ORIGIN}/1, 1 entry" in office.ran("backup", "--out", "copy", "--verify")

    def test_it_has_nothing_of_what_was_deleted(self, office: Office) -> None:
        office.serve(1)
        path = office.place.url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as file:
            file.execute("CREATE TABLE planted AS SELECT 'planted-and-deleted' AS it")
            file.execute("DROP TABLE planted")
        assert b"planted-and-deleted" in Path(path).read_bytes() + Path(f"{path}-wal").read_bytes()
        office.ran("backup", "--out", "copy")
        assert b"planted-and-deleted" not in (office.folder / "copy" / "store.db").read_bytes()

    def test_no_store_or_none_of_ours_is_refused(self, office: Office) -> None:
        path = Path(office.place.url.removeprefix("sqlite:///"))
        lose(office.place)
        assert "there is no store" in office.refused("backup", "--out", "copy")
        path.write_bytes(b"not a database, but long enough to be looked at" * 40)
        office.refused("backup", "--out", "copy")
        path.unlink()
        with sqlite3.connect(path) as file:
            file.execute("CREATE TABLE other (a)")
        assert "another program's" in office.refused("backup", "--out", "copy")
        assert not list(office.folder.glob("*copy*"))


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
class TestPostgresql:
    """What only a server has: programs of its own."""

    def test_programs_that_are_not_there_are_named(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        office.serve(1)
        monkeypatch.setenv("PATH", str(office.folder))
        assert "`pg_dump` is not installed here" in office.refused("backup", "--out", "copy")
        assert "needs `--scratch`" in office.refused("backup", "--out", "copy", "--verify")
        assert not list(office.folder.glob("*copy*"))

    def test_the_copy_is_verified_in_another_database_which_is_empty_again(
        self, office: Office, server: Postgres
    ) -> None:
        office.serve(1)
        scratch = server.url(server.database())
        for number in range(2):
            said = office.ran("backup", "--out", f"copy-{number}", "--verify", "--scratch", scratch)
            assert f"whole: {ORIGIN}/1, 1 entry" in said
        with server.connect(scratch.rpartition("/")[2]) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        office.sql("UPDATE entry SET leaf = :leaf WHERE id > 0", leaf=bytes(32))
        assert office("backup", "--out", "copy-2", "--verify", "--scratch", scratch) == 1
        assert office("backup", "--out", "copy-3", "--verify", "--scratch", scratch) == 1, "it is empty again"
        assert "has a gateway's tables already" not in office.err
        for wrong, why in (
            (office.place.url, "tables already"),
            ("sqlite:///x.db", "no PostgreSQL"),
            ("x", "as `store`"),
        ):
            assert why in office.refused("backup", "--out", "copy-4", "--verify", "--scratch", wrong)

    def test_a_program_that_fails_is_quoted(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        office.serve(1)
        program = office.folder / "pg_dump"
        program.write_text("#!/bin/sh\necho 'pg_dump: error: No space left on device' >&2; exit 1\n")
        program.chmod(0o700)
        monkeypatch.setenv("PATH", f"{office.folder}:/usr/bin:/bin")
        why = office.refused("backup", "--out", "copy")
        assert "`pg_dump` failed: pg_dump: error: No space left on device; make room on the disk" in why
        assert not list(office.folder.glob("*copy*"))


def test_a_store_without_an_entry_yet_is_backed_up_and_put_back(office: Office, server: Postgres) -> None:
    office.place.open()
    scratch = ("--scratch", server.url(server.database())) if office.place.kind == "postgresql" else ()
    made = office.ran("backup", "--out", "copy", "--verify", *scratch)
    assert "whole: no entry yet" in made
    lose(office.place)
    assert "nobody recorded what was" in office.refused("restore", "copy"), "it may have had entries since"
    assert "gap: none" in office.ran("restore", "copy", "--anyway")
    office.serve(1)
    assert office.verify() == 0, office.err


def test_a_store_that_lost_all_its_shards_is_not_one_without_an_entry(office: Office) -> None:
    office.place.open()
    office.serve(1)
    remembered = (office.folder / "heads.json").read_bytes()
    for table in ("published", "shard"):
        office.sql(f"DELETE FROM {table}")
    assert "holds no shard" in office.refused("backup", "--out", "copy")
    (office.folder / "heads.json").unlink()
    assert "under the number" in office.refused("backup", "--out", "copy")
    (office.folder / "heads.json").write_bytes(remembered)
    office.sql("DELETE FROM entry")
    assert "holds no shard" in office.refused("backup", "--out", "copy")
    assert not (office.folder / "copy").exists()
