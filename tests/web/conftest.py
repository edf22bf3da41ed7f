"""The routes behind the server that ships, and a browser to look at their pages with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.ports import free_port
from tests.waiting import until
from tests.web.looking import Looking, chromium

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    port = free_port()
    flag = tmp_path_factory.mktemp("web") / "down"
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--lifespan", "off", "--port", str(port), "tests.web.web_app:app"],
        cwd=ROOT,
        env={**os.environ, "WEB_DOWN": str(flag)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until("the server to listen", lambda: socket.create_connection(("127.0.0.1", port)), despite=(OSError,)).close()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
        client.headers["x-down-file"] = str(flag)
        yield client
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")  # while it runs, no test of its thread can have a loop of its own
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which tests drive; it loads nothing that a page does not name."""
    with chromium() as started:
        yield started


@pytest.fixture
def looking(browser: Browser) -> Iterator[Looking]:
    """Opens pages, and fails the test where one breaks its policy or throws."""
    looking = Looking(browser)
    yield looking
    looking.close()
