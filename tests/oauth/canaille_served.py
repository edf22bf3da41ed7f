"""Canaille in a process of its own, as a client and a gateway see it. Nothing of it is simulated."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest

_HERE = Path(__file__).resolve().parent
PYTHON = _HERE.parents[1] / ".venv" / "canaille" / "bin" / "python"
GATEWAY = "gateway"
SECRETS = {GATEWAY: "gateway-secret-1", "tax-service": "tax-secret-1", "strangers": "strangers-secret-1"}


class Canaille:
    """The server, with the gateway, a client whose tokens are for it, and one whose tokens are for another."""

    def __init__(self, lifetime: int = 3600) -> None:
        if not PYTHON.exists():
            pytest.fail("Canaille is missing: run .ci/services")
        audiences = {GATEWAY: [], "tax-service": [GATEWAY], "strangers": ["tax-service", "strangers"]}
        clients = {
            name: {"secret": SECRETS[name], "scope": ["inquire"], "audience": audiences[name]} for name in SECRETS
        }
        self._process = subprocess.Popen(
            [PYTHON, _HERE / "canaille_server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"lifetime": lifetime, "clients": clients}) + "\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith('{"issuer"'):
            assert line, "Canaille did not start"
        self.url: str = json.loads(line)["issuer"]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def token(self, client: str = "tax-service") -> str:
        form = {"grant_type": "client_credentials", "scope": "inquire"}
        answer = httpx.post(f"{self.url}/oauth/token", data=form, auth=(client, SECRETS[client]), timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def revoke(self, token: str, client: str = "tax-service") -> None:
        answer = httpx.post(
            f"{self.url}/oauth/revoke", data={"token": token}, auth=(client, SECRETS[client]), timeout=30
        )
        assert answer.status_code == 200, answer.text
