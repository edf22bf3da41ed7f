"""Entries in an archive prove what they proved after their rows are gone."""

from __future__ import annotations

import datetime
import fcntl
import os
import shutil
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from gateway.errors import StoreUnavailable
from gateway.ledger.archiving import remove
from tests import configured
from tests.ledger.archiving.archived import SIZE, WHO, WHOLE_TILES, archive, check_proved, folder, made, noted, rows
from tests.ledger.conftest import Run
from tests.ledger.support import AT, ORIGIN
from tests.ports import free_port

__all__ = ["folder", "made"]


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
