"""A gateway whose lines nobody takes serves like any other: the log's disk is full, or its reader stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from gateway.config.oauth import IssuerSettings
from tests.oauth.serving import Serving, plain_environment
from tests.waiting import until


@contextlib.contextmanager
def a_full_disk() -> Iterator[int]:
    with open("/dev/full", "wb") as full:
        yield full.fileno()


@contextlib.contextmanager
def a_pipe_that_nobody_reads() -> Iterator[int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, b"x" * 4096):
            """Until it takes no more."""
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("log", [a_full_disk, a_pipe_that_nobody_reads])
def test_it_serves_replaces_workers_and_ends(log: Callable[[], AbstractContextManager[int]], tmp_path: Path) -> None:
    login = IssuerSettings("http://127.0.0.1:9", "login")
    serving = Serving(tmp_path, login, "https://gateway.example", None, begin=False)

    def processes() -> list[int]:
        found = httpx.get(f"{serving.manage}/health")
        return [each["pid"] for each in found.json()["processes"]] if found.status_code == 200 else []

    with log() as lines, subprocess.Popen(serving.command, stderr=lines, env=plain_environment()) as run:
        try:
            before = until("it to serve", processes, despite=(httpx.TransportError,))
            os.kill(before[0], signal.SIGKILL)
            until("another in its place", lambda: (now := processes()) and now[0] != before[0])
            assert httpx.get(f"{serving.url}/health/live").status_code == 200
        finally:
            run.send_signal(signal.SIGINT)
            status = run.wait(60)
    assert status in (0, 120)  # Python's own, where it could not flush the standard error at its end
