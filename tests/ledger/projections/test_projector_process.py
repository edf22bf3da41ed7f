"""The projector as a process: killed at any moment it goes on; one of several works; it ends with its parent."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import math
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import manage
from gateway.ledger.projections import worker
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.worker import HOLD, HURRY, LEAST, LONGEST, REST, beside, rest_after, run
from gateway.storage.port import Store
from gateway.telemetry.log import Log
from tests import configured
from tests.ledger.projecting import SHARD_BITS, Asked, check, enter, enter_all, reached, whole
from tests.ledger.support import AT, opened, store_in
from tests.waiting import until, until_async

LOG = [Asked(n % 3, n % 2, (n % 4, (n + n // 4) % 4), (n % 2, 1), facts=n) for n in range(900)]


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has the log's entries, of which nothing is projected."""
    folder = tmp_path_factory.mktemp("entered")
    (folder / "ledger.key").write_text("")
    configured.write(folder)

    async def enter_them() -> None:
        async with opened(store) as ledger:
            await enter_all(ledger, LOG)

    store = store_in(folder)
    asyncio.run(enter_them())
    store.close()
    return folder


@pytest.fixture
def store(entered: Path, tmp_path: Path) -> Store:
    shutil.copytree(entered, tmp_path, dirs_exist_ok=True)
    return store_in(tmp_path)


def next_of(store: Store) -> int:
    return min(reached(store).values(), default=0)


SMALL_PAGES = """
import sys
import threading
from gateway.ledger.projections import projector, worker
worker.Projector, worker.LONGEST = lambda store: projector.Projector(store, 32), 0.01
sys.exit(worker.main())
"""


def command(folder: Path) -> list[str]:
    """The process, with pages so small that there are some to be stopped between, and short rests."""
    return [sys.executable, "-c", SMALL_PAGES, "--config", str(folder / "gateway.yaml")]


def test_killed_at_any_moment_it_goes_on_and_says_what_a_scan_says(store: Store, tmp_path: Path) -> None:
    chance, before = random.Random(7), -1
    for _ in range(2):
        with subprocess.Popen(command(tmp_path)) as process:
            until("progress", lambda least=before: next_of(store) > least)
            time.sleep(chance.random() / 50)
            process.kill()
        before = next_of(store)
        check(store)
    with subprocess.Popen(command(tmp_path)) as process:
        until("all to be projected", lambda: whole(store))
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    check(store)


def test_it_ends_with_its_parent(store: Store, tmp_path: Path) -> None:
    parent = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", parent, *command(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        until("all to be projected", lambda: whole(store))
        process.kill()
    until("the projector to end", lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended, and that nobody waited for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_beside_a_server_it_is_started_again_and_ends_with_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    monkeypatch.setattr(manage.beside, "_AFTER_START", 0.0)
    with beside(tmp_path / "gateway.yaml", threading.Event()):
        await until_async("the first entry to be projected", lambda: next_of(store) > 0)
        started[0].kill()
        async with opened(store) as ledger:
            await enter(ledger, LOG[0], len(LOG), AT + datetime.timedelta(days=1))  # what only the next one can have
        await until_async("all to be projected", lambda: whole(store))
    assert [each.poll() for each in started] == [-9, 0]
    check(store)


async def test_of_several_one_works_and_another_takes_its_place(store: Store) -> None:
    lines = io.StringIO()
    async with asyncio.TaskGroup() as group:
        stops = [asyncio.Event(), asyncio.Event()]
        first = group.create_task(run(store, Log(lines), stops[0], rest=0.1))
        await until_async("the first entry to be projected", lambda: next_of(store) > 0)
        assert await store.hold(HOLD) is None
        group.create_task(run(store, Log(lines), stops[1], rest=0.1))
        stops[0].set()
        await first
        await until_async("all to be projected", lambda: whole(store))
        stops[1].set()
    check(store)
    assert lines.getvalue() == ""


def test_it_rests_unless_a_turn_is_full() -> None:
    rests = [rest_after(2 * LEAST, behind) for behind in range(0, 3 * HURRY, 64)]
    assert set(rests[: HURRY // 64]) == {REST * 2 * LEAST}
    assert not any(rests[HURRY // 64 :])


async def test_it_rests_no_longer_than_until_a_turn_is_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be as far behind as a busy gateway enters in its longest rest."""
    for name, value in (("HURRY", 50), ("LOOK", 0.05), ("LEAST", 1e6), ("LONGEST", 1e6)):
        monkeypatch.setattr(worker, name, value)
    looked, stopping = list[int](), asyncio.Event()
    look = Projector.look

    def noted(projector: Projector) -> int:
        looked.append(look(projector))
        return looked[-1]

    monkeypatch.setattr(Projector, "look", noted)
    async with asyncio.TaskGroup() as group:
        group.create_task(run(store, Log(io.StringIO()), stopping))
        await until_async("it to rest", lambda: whole(store) and len(looked) > 2)
        assert set(looked) == {0}
        async with opened(store) as ledger:
            for number in range(60):
                await enter(ledger, LOG[0], len(LOG) + number, AT + datetime.timedelta(days=1))
        await until_async("what fills a turn to be projected", lambda: whole(store))
        stopping.set()
    assert max(looked) >= 50
    check(store)


def test_it_rests_so_long_that_few_entries_wait_for_more_and_never_longer_than_may_be() -> None:
    assert rest_after(0.0, 0) == rest_after(LEAST, 0) == pytest.approx(REST * LEAST)
    assert rest_after(60.0, 0) == LONGEST


async def test_far_behind_it_takes_large_pages_and_does_not_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine hundred entries: as many as a page takes without a rest, then what is left."""
    monkeypatch.setattr(worker, "HURRY", 300)
    monkeypatch.setattr(worker, "LEAST", 0.0)
    monkeypatch.setattr(worker, "LONGEST", math.inf)
    monkeypatch.setattr(worker, "Projector", lambda store: Projector(store, 512))
    rests: list[tuple[int, float]] = []
    right, stopping = worker.rest_after, asyncio.Event()

    def noted(took: float, behind: int, rest: float) -> float:
        rests.append((behind, right(took, behind, rest) / took))
        return 0.0

    monkeypatch.setattr(worker, "rest_after", noted)
    async with asyncio.TaskGroup() as group:
        group.create_task(run(store, Log(io.StringIO()), stopping))
        await until_async("all to be projected", lambda: whole(store))
        stopping.set()
    assert rests == [(len(LOG) - 512, 0.0), (0, pytest.approx(REST))]
    check(store)


async def test_an_entry_that_cannot_be_read_is_told_once(store: Store) -> None:
    with store.engine.begin() as connection:
        damaged = {"id": (1 << SHARD_BITS) + 130, "told": bytes(90)}
        connection.execute(text("UPDATE entry SET told = :told WHERE id = :id"), damaged)
    lines, stopping = io.StringIO(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(store, Log(lines), stopping, rest=0.1))
        await until_async("a line in the log", lines.getvalue)
        stopping.set()
    assert [json.loads(line) for line in lines.getvalue().splitlines()] == [
        {"event": "projection_stopped", "level": "error", "shard": "1", "entry": 130}
    ]
    assert set(reached(store).values()) == {130}


async def test_a_store_out_of_reach_is_waited_for(store: Store, tmp_path: Path) -> None:
    lines, stopping = io.StringIO(), asyncio.Event()
    (tmp_path / "ledger.db").rename(tmp_path / "away.db")
    async with asyncio.TaskGroup() as group:
        group.create_task(run(store, Log(lines), stopping, rest=0.1))
        await until_async("a line in the log", lines.getvalue)
        (tmp_path / "away.db").rename(tmp_path / "ledger.db")
        await until_async("all to be projected", lambda: whole(store))
        stopping.set()
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["began", "ended"]
