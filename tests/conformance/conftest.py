"""What the conformance tests stand on: node, the npm packages of this folder, and clients run in their own process."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
Client = Callable[[str, dict[str, Any]], Any]


def _installed() -> bool:
    """Whether `npm ci` has run since the lock file last changed."""
    mark = HERE / "node_modules" / ".package-lock.json"
    return mark.exists() and mark.stat().st_mtime >= (HERE / "package-lock.json").stat().st_mtime


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder with the packages of `package-lock.json` installed, once for all workers."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            pytest.fail(f"{tool} is missing: install Node.js 20 or later with npm (Debian: apt-get install nodejs npm)")
    with (HERE / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _installed():
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.fail(f"`npm ci` in tests/conformance failed; a package index must be in reach:\n{done.stderr}")
    return HERE


@pytest.fixture(scope="session")
def client(npm_packages: Path) -> Client:
    """Runs one of `clients/*.mjs`: JSON in, JSON out."""

    def run(name: str, given: dict[str, Any]) -> Any:
        done = subprocess.run(
            ["node", f"clients/{name}.mjs"],
            cwd=npm_packages,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"clients/{name}.mjs ended with {done.returncode}:\n{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    return run
