"""The process that watches beside those that serve: one of all on a store looks, and it is off by default."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.config import settings
from gateway.connecting.drifting import worker
from gateway.storage.store import open_store
from gateway.storage.watch.source_findings import findings
from tests.connecting.test_commands import VALUE, folder, permit, written
from tests.connectors.servers import Request, answer, serve
from tests.manage.supervising import supervised
from tests.waiting import until

__all__ = ["folder"]  # a fixture

WATCH = "source_watch: {every: 200ms, state: watched.json, metrics: drift.prom}"


def events(log: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event and line.get("dataset") == "emission-permits"]


@contextlib.contextmanager
def process(config: Path, log: Path, parent: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", worker.__name__, "--config", str(config), "--parent", str(parent)]
    with log.open("w") as output, subprocess.Popen(command, stderr=output) as started:
        try:
            yield started
        finally:
            started.kill()


def configured(folder: Path, more: str) -> Path:
    config = folder / "gateway.yaml"
    text = "\n".join(line for line in config.read_text().splitlines() if not line.startswith("store:"))
    config.write_text(f"{text}\nstore: sqlite:///watched.db\n{more}\n")
    open_store(f"sqlite:///{folder / 'watched.db'}").close()
    return config


async def test_one_of_two_looks_and_the_other_takes_its_place(folder: Path) -> None:
    wrong = ["substance"]

    async def department(request: Request, writer: asyncio.StreamWriter) -> None:
        held = {name: each for name, each in permit(1).items() if name not in wrong}
        writer.write(answer({"results": [held] if VALUE in request.target else [], "paging": {}}))

    config, store = configured(folder, WATCH), open_store(f"sqlite:///{folder / 'watched.db'}")
    logs = [folder / "one.log", folder / "two.log"]

    def held() -> list[tuple[str, str]]:
        with store.engine.connect() as connection:
            found = findings(connection, ["environment"])
        return [(each.dataset, each.kind) for each in found if each.dataset == "emission-permits"]

    async with serve(department) as server:
        written(folder, server.port)
        with (
            supervised() as scraped,
            process(config, logs[0], os.getpid()) as one,
            process(config, logs[1], os.getpid()) as two,
        ):
            await asyncio.to_thread(until, "a finding", held)
            first = 0 if events(logs[0], "drift_began") else 1
            assert held() == [("emission-permits", "wrong")]
            drift = 'dutybound_source_drift{dataset="emission-permits",department="environment",kind="wrong"}'
            assert drift in (folder / "drift.prom").read_text()
            await asyncio.to_thread(until, "it at the management address", lambda: drift in scraped())
            (one, two)[first].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread((one, two)[first].wait, 60) == 0
            assert not events(logs[1 - first], "drift_ended")
            wrong.clear()
            await asyncio.to_thread(until, "its end", lambda: events(logs[1 - first], "drift_ended"))
            await asyncio.to_thread(until, "its end in the store", lambda: not held())
            assert drift not in scraped()
            assert [len(events(log, "drift_began")) for log in logs] == [first == 0, first == 1]
    store.close()


def test_it_is_off_where_nobody_wants_it_and_ends_with_its_parent(folder: Path) -> None:
    config = configured(folder, "")
    assert isinstance(worker.beside(config, threading.Event(), settings.load(config, {})), contextlib.nullcontext)
    config.write_text(f"{config.read_text()}{WATCH}\n")
    wanted = settings.load(config, {}).source_watch
    assert wanted is not None
    assert (wanted.every, wanted.state, wanted.metrics) == (0.2, folder / "watched.json", folder / "drift.prom")
    with process(config, folder / "log", 1) as started:
        assert started.wait(100) == 0
