"""A gateway whose lines nobody takes, as where the log's disk is full, serves like any other."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx

from gateway.config.oauth import IssuerSettings
from tests.oauth.serving import Serving, plain_environment
from tests.waiting import until


def test_it_serves_replaces_workers_and_ends(tmp_path: Path) -> None:
    serving = Serving(
        tmp_path, IssuerSettings("http://127.0.0.1:9", "login"), "https://gateway.example", None, begin=False
    )

    def processes() -> list[int]:
        found = httpx.get(f"{serving.manage}/health")
        return [each["pid"] for each in found.json()["processes"]] if found.status_code == 200 else []

    with open("/dev/full", "w") as full, subprocess.Popen(serving.command, stderr=full, env=plain_environment()) as run:
        try:
            before = until("it to serve", processes, despite=(httpx.TransportError,))
            os.kill(before[0], signal.SIGKILL)
            until("another in its place", lambda: (now := processes()) and now[0] != before[0])
            assert httpx.get(f"{serving.url}/health/live").status_code == 200
        finally:
            run.send_signal(signal.SIGINT)
            status = run.wait(60)
    assert status in (0, 120)  # Python's own, where it could not flush the standard error at its end
