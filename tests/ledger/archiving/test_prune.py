"""What is older than it is kept becomes unreadable, wherever a copy is, and everything stays proved."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.backup import making, restoring, sealing
from gateway.clock import machines
from gateway.config import settings
from gateway.errors import CommandRefused, ConfigurationError, StoreUnavailable
from gateway.ledger.archiving import prune, remove, write
from gateway.ledger.log.build import ledger_of
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.recall.selecting.expiring import day_of, number_of
from gateway.status.lines import Line
from gateway.status.store import of_store
from gateway.storage.archive import form
from gateway.storage.port import Store
from gateway.storage.projections.tables import displayed
from gateway.storage.recall.recalls import expiry_head
from gateway.storage.store import open_configured
from gateway.storage.tables import micros
from tests import configured
from tests.ledger.conftest import Run
from tests.ledger.support import ORIGIN, SUBJECT, disclosed

OLD = 300
YOUNG = 20
WHO = ("--by", "R. Keeper", "--reason", "ten years are over")
NOW = machines()
LONG_AGO = NOW.replace(year=NOW.year - 11, month=3, day=5, hour=12)
RECENT = NOW - datetime.timedelta(days=40)
ENDED, ENDS = LONG_AGO.date() + datetime.timedelta(days=300), NOW.date() + datetime.timedelta(days=300)
"""The last days of display of what was disclosed on the first two days, and last month."""
KEPT = {"retention": "P10Y", "backups": "P35D", "archive": "archive"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration and its store: entries of two days eleven years ago, and of last month, all about one subject."""
    folder = tmp_path_factory.mktemp("pruned")
    private = key_files.generate(folder / "ledger.key")
    key_files.write_verifiers(folder / "ledger.pub", private, ORIGIN, ["root", "1", "commands"])
    found = settings.load(configured.write(folder), {})
    store = open_configured(found)

    async def fill() -> None:
        ledger = ledger_of(store, found.ledger, private, machines)
        await ledger.start()
        day = datetime.timedelta(days=1)
        old = (disclosed(ledger, n, LONG_AGO + n // 200 * day, until=ENDED) for n in range(OLD))
        await asyncio.gather(*old)
        await asyncio.gather(*(disclosed(ledger, OLD + n, RECENT, until=ENDS) for n in range(YOUNG)))
        await ledger.close()

    asyncio.run(fill())
    project(store)
    store.close()
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return folder


def project(store: Store) -> None:
    projector = Projector(store)
    while projector.turn():
        pass
    projector.close()


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    configured.write(tmp_path, ledger=KEPT)
    return tmp_path


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Store]:
    store = open_configured(settings.load(folder / "gateway.yaml", {}))
    try:
        yield store
    finally:
        store.close()


def readable(folder: Path) -> list[int]:
    """The indices of the entries of shard 1 that can be read."""
    with opened(folder) as store, contextlib.closing(store.reader()) as reader:
        head = next(head for head in read.heads(reader) if head.name == "1")
        found = read.read_entries(reader, head.id, 0, head.size)
        return [each.index for each in found if each.told is not None]


def keys(folder: Path) -> int:
    """How many keys of subjects are there."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection:
        found: int = connection.execute("SELECT count(secret) FROM subject_key").fetchone()[0]
        return found


def command(run: Run, folder: Path, *words: str) -> int:
    return run("ledger", *words, "--config", folder / "gateway.yaml", *WHO)


def whole(run: Run, folder: Path) -> None:
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err
    assert f"whole: {ORIGIN}/1, {OLD + YOUNG} entries" in run.out
    assert run("ledger", "verify", "--config", folder / "gateway.yaml", "--sample", "1000") == 0, run.err
    with opened(folder) as store:
        assert not any("pruning" in each.said for each in shown(store))


def shown(store: Store) -> list[Line]:
    """What `dutybound status` shows of the ledger."""
    return [each for each in of_store(store, micros(datetime.datetime.now(datetime.UTC))) if each.part == "ledger"]


def not_finished(run: Run, folder: Path) -> None:
    for words in ((), ("--sample", "1")):
        assert run("ledger", "verify", "--config", folder / "gateway.yaml", *words) == 1
        assert "was not finished" in run.err
        assert "Run `dutybound ledger prune` again" in run.err
    with opened(folder) as store:
        assert [each.name for each in shown(store) if not each.well] == ["1"]


def test_what_is_too_old_is_unreadable_in_store_and_archive_and_all_is_proved(folder: Path, run: Run) -> None:
    backup = shutil.copytree(folder, folder.with_name(f"{folder.name}-backup"))
    assert command(run, folder, "archive", "--remove") == 0, run.err
    whole(run, folder)
    assert command(run, folder, "prune") == 0, run.err
    assert f"pruned: 2 days of {ORIGIN}/1; 0 entries kept readable, 0 keys gone" in run.out
    assert readable(folder) == list(range(OLD, OLD + YOUNG))
    whole(run, folder)
    offline = ("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub")
    assert run(*offline) == 0, run.err
    files = [path.read_bytes() for path in (folder / "archive" / "1" / "payload").rglob("*") if path.is_file()]
    assert files
    assert all(len(content) < 256 * 60 for content in files), "times and leaves are left, and nothing that is sealed"
    assert run("ledger", "rebuild", "--config", folder / "gateway.yaml") == 0, run.err
    whole(run, folder)
    assert command(run, folder, "prune") == 0, run.err
    assert "nothing to prune" in run.out
    assert len(readable(backup)) == OLD + YOUNG, "a backup has its own keys, until it is gone"


def secrets_of(folder: Path) -> list[bytes]:
    """What opens the entries that are to be pruned, and what is sealed of them: keys of days, and payloads."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection:
        old = "FROM period_key WHERE period < ?"
        keys_ = connection.execute(f"SELECT secret {old} AND secret IS NOT NULL", (str(NOW.year - 10),)).fetchall()
        payloads = connection.execute(
            f"SELECT told FROM entry WHERE period IN (SELECT id {old})", (str(NOW.year - 10),)
        ).fetchall()
        return [bytes(content) for (content,) in (*keys_, *payloads)]


def test_what_is_pruned_opens_nowhere_once_the_key_of_its_backup_is_gone(folder: Path, run: Run) -> None:
    copy, key = folder / "copy", folder / "backup.key"
    wanted = secrets_of(folder)
    assert len(wanted) == 2 + OLD
    making.make(settings.load(folder / "gateway.yaml", {}), copy, key=sealing.key_of(key, make=True))
    assert command(run, folder, "archive", "--remove") == 0, run.err
    assert command(run, folder, "prune") == 0, run.err
    whole(run, folder)

    again = folder.with_name(f"{folder.name}-restored")
    again.mkdir()
    shutil.copy(folder / "ledger.key", again)
    elsewhere = settings.load(configured.write(again, ledger=KEPT), {})
    restoring.restore(elsewhere, copy, anyway=True, key=sealing.key_of(key))
    assert readable(again) == list(range(OLD + YOUNG)), "until its key's end a backup has what was pruned since"

    key.unlink()
    (again / "ledger.db").unlink()
    for left in [each for each in folder.rglob("*") if each.is_file()]:
        content = left.read_bytes()
        assert not [each for each in wanted if each in content], left
        with pytest.raises((CommandRefused, ConfigurationError)):
            restoring.restore(elsewhere, copy, anyway=True, key=sealing.key_of(left))
    with pytest.raises(CommandRefused, match="sealed by a key of its own"):
        restoring.restore(elsewhere, copy, anyway=True)
    with pytest.raises(CommandRefused, match="was sealed by another key"):
        restoring.restore(elsewhere, copy, anyway=True, key=bytes(32))
    assert not (again / "ledger.db").exists()


def test_a_key_of_a_subject_goes_with_the_last_that_names_it(folder: Path, run: Run) -> None:
    with opened(folder) as store:
        found = settings.load(folder / "gateway.yaml", {})
        assert found.ledger.retention == 10
        with contextlib.closing(store.reader()) as reader:
            head = next(head for head in read.heads(reader) if head.name == "1")
        tomorrow = (NOW + datetime.timedelta(days=1)).date()
        done = asyncio.run(prune.prune(store, head, tomorrow, lambda *_: None))
    assert (done.days, done.kept, done.keys) == (3, 0, 1)
    with opened(folder) as store, store.engine.connect() as connection:
        assert connection.execute(select(displayed)).all() == []
    assert keys(folder) == 0
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 1
    assert "the key that opens it is gone, and no entry explains why" in run.err


@pytest.mark.parametrize(("noted", "left"), [(ENDED, [ENDED, ENDS]), (NOW.date(), [ENDS])])
def test_days_of_display_go_once_they_are_over_and_noted(
    folder: Path, run: Run, noted: datetime.date, left: list[datetime.date]
) -> None:
    """Whichever entries showed it: what others recall from is noted by these days."""
    with opened(folder) as store, store.engine.begin() as connection:
        connection.execute(update(expiry_head).values(day=number_of(noted)))
    assert command(run, folder, "prune") == 0, run.err
    with opened(folder) as store, store.engine.connect() as connection:
        days = connection.execute(select(displayed.c.day).order_by(displayed.c.day)).scalars().all()
    assert [day_of(day) for day in days] == left
    whole(run, folder)


def test_what_somebody_holds_stays(folder: Path, run: Run) -> None:
    subject = ("--subject", f"{SUBJECT.scheme}:{SUBJECT.value}")
    assert run("ledger", "hold", "place", "--config", folder / "gateway.yaml", *subject, *WHO) == 0, run.err
    assert command(run, folder, "prune") == 0, run.err
    assert f"pruned: 2 days of {ORIGIN}/1; {OLD} entries kept readable, 0 keys gone" in run.out
    assert len(readable(folder)) == OLD + YOUNG
    whole(run, folder)
    assert run("ledger", "rebuild", "--config", folder / "gateway.yaml") == 0, run.err
    whole(run, folder)


def test_one_that_was_stopped_goes_on(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        real, done = prune._destroy, list[object]()

        def broken(*arguments: object) -> bool:
            done.append(arguments)
            if len(done) == 2:
                raise StoreUnavailable("the connection was lost")
            return real(*arguments)  # type: ignore[arg-type]

        patched.setattr(prune, "_destroy", broken)
        assert command(run, folder, "prune") == 1
    assert readable(folder) == list(range(200, OLD + YOUNG))
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 1
    assert "Run `dutybound ledger prune` again" in run.err
    assert command(run, folder, "prune") == 0, run.err
    assert f"pruned: 1 day of {ORIGIN}/1" in run.out
    whole(run, folder)


@pytest.mark.parametrize("stopped", ["write", "note", "tidy"])
def test_an_archive_that_is_written_anew_is_read_meanwhile_and_gone_on_with(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    assert command(run, folder, "archive", "--remove") == 0, run.err
    place = folder / "archive" / "1"
    with monkeypatch.context() as patched:

        def killed(*_: object, **__: object) -> None:
            raise StoreUnavailable("it was killed")

        where = {"write": (write, "_put"), "note": (remove, "note"), "tidy": (write, "tidy")}[stopped]
        patched.setattr(*where, killed)
        assert command(run, folder, "prune") == 1
    assert readable(folder) == list(range(OLD, OLD + YOUNG))
    not_finished(run, folder)
    assert command(run, folder, "prune") == 0, run.err
    whole(run, folder)
    assert run("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub") == 0, run.err
    manifest = form.decode_manifest((place / "manifest.json").read_bytes(), "")
    named = form.all_of((place / "hashes" / manifest.hashes).read_bytes())
    assert {each.name for each in (place / "payload").iterdir()} == {digest.hex() for digest in named}
    assert [each.name for each in (place / "hashes").iterdir()] == [manifest.hashes]


async def test_what_is_entered_before_one_is_gone_on_with_leaves_nothing_strange(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written anew then, and no tile of the longer log is there without its checkpoint."""
    assert await asyncio.to_thread(command, run, folder, "archive") == 0, run.err

    def killed(*_: object, **__: object) -> None:
        raise StoreUnavailable("it was killed")

    with monkeypatch.context() as patched:
        patched.setattr(remove, "note", killed)
        assert await asyncio.to_thread(command, run, folder, "prune") == 1
    with opened(folder) as store:
        found = settings.load(folder / "gateway.yaml", {})
        ledger = ledger_of(store, found.ledger, key_files.load(found.ledger.key_file), machines)
        await ledger.start()
        await asyncio.gather(*(disclosed(ledger, OLD + YOUNG + n, NOW) for n in range(3)))
        await ledger.close()
        project(store)
    assert await asyncio.to_thread(command, run, folder, "prune") == 0, run.err
    words = ("ledger", "verify", "--archive", folder / "archive", "--key", folder / "ledger.pub")
    assert await asyncio.to_thread(run, *words) == 0, run.err


_KILLED = """
import os, signal, sys
from gateway.cli import main
from gateway.ledger.archiving import write
def end(place, shard, content):
    os.kill(os.getpid(), signal.SIGKILL)
write._put_payload = end
sys.exit(main(sys.argv[1:]))
"""


def test_one_killed_before_the_archive_is_written_anew_is_reported(folder: Path, run: Run) -> None:
    assert command(run, folder, "archive", "--remove") == 0, run.err
    payload = folder / "archive" / "1" / "payload"
    before = {each.name for each in payload.iterdir()}
    words = ("ledger", "prune", "--config", str(folder / "gateway.yaml"), *WHO)
    done = subprocess.run([sys.executable, "-c", _KILLED, *words], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {each.name for each in payload.iterdir()} == before
    assert readable(folder) == list(range(OLD, OLD + YOUNG)), "the keys of its days are gone"
    not_finished(run, folder)
    assert command(run, folder, "archive") == 1
    assert "run `dutybound ledger prune` first" in run.err
    away = (folder / "archive").rename(folder / "away")
    assert command(run, folder, "prune") == 1, "an archive that is away is not one without the contents"
    away.rename(folder / "archive")
    not_finished(run, folder)
    assert command(run, folder, "prune") == 0, run.err
    assert "anew in" in run.out
    assert before.isdisjoint(each.name for each in payload.iterdir())
    whole(run, folder)
    assert command(run, folder, "archive") == 0, run.err


def test_no_retention_prunes_nothing(folder: Path, run: Run) -> None:
    configured.write(folder)
    assert command(run, folder, "prune") == 2
    assert "`ledger.retention`" in run.err
    configured.write(folder, ledger={"retention": "P10Y"})
    assert command(run, folder, "prune") == 1
    assert "backups" in run.err
    assert len(readable(folder)) == OLD + YOUNG


def test_the_first_day_that_stays() -> None:
    assert prune.cutoff(datetime.datetime(2028, 2, 29, tzinfo=datetime.UTC), 10) == datetime.date(2018, 3, 1)
    assert prune.cutoff(datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC), 10) == datetime.date(2016, 11, 27)
