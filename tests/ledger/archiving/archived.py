"""A store of some inquiries whose configuration names an archive, and what it proves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.clock import machines
from gateway.config import settings
from gateway.ledger.log import tiles
from gateway.ledger.log.build import ledger_of
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
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


def noted(folder: Path) -> bytes:
    """The digest of the manifest that the store reads its archive by."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as connection:
        found: bytes = connection.execute("SELECT manifest FROM archived").fetchone()[0]
        return found
