"""What the conformance tests stand on: clients written by others, each run in a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.npm import installed

Client = Callable[[str, dict[str, Any]], Any]


@pytest.fixture(scope="session")
def client() -> Client:
    """Runs one of `clients/*.mjs`: JSON in, JSON out."""
    folder = installed(Path(__file__).resolve().parent)

    def run(name: str, given: dict[str, Any]) -> Any:
        done = subprocess.run(
            ["node", f"clients/{name}.mjs"],
            cwd=folder,
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
