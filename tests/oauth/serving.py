"""A gateway of its own, as `dutybound serve` starts it, with departments that nobody asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from gateway.config.oauth import IssuerSettings
from tests.bench import data, world
from tests.ports import free_port
from tests.waiting import until

QUERY = json.dumps({"query": "{ catalogue { id } }"}).encode()


class Serving:
    """A running gateway. `tls` is that key of `gateway.yaml`, `extra` has others; `command` started it.

    With `begin=False` all is written, and the caller runs the command.
    """

    def __init__(
        self,
        folder: Path,
        issuer: IssuerSettings,
        audience: str,
        tls: dict[str, Any] | None,
        *,
        workers: int = 1,
        begin: bool = True,
        **extra: Any,
    ) -> None:
        self.port = free_port()
        manage = f"127.0.0.1:{free_port()}"
        self.manage = f"http://{manage}"
        self.direct = tls is not None and "cert_file" in tls
        self.url = f"{'https' if self.direct else 'http'}://127.0.0.1:{self.port}"
        login: dict[str, Any] = {"issuer": issuer.issuer, "name": "login"}
        if issuer.introspection is not None and issuer.introspection.secret_file is not None:
            asked = {"client_id": issuer.introspection.client_id}
            asked["client_secret_file"] = str(issuer.introspection.secret_file)
            login["introspection"] = asked
        keys = {
            "manage": manage,
            "public_url": self.url,
            "oauth": {"audience": audience, "issuers": [login]},
            "tls": tls,
        }
        departments = dict.fromkeys(data.DEPARTMENTS, "http://127.0.0.1:9")
        self.config = world.write(folder, departments, issuer.issuer, self.port, **keys, **extra)
        run = "import sys; from gateway.cli import main; sys.exit(main())"
        self.command = [sys.executable, "-c", run, "serve", "--config", str(self.config), "--workers", str(workers)]
        if begin:
            self._process = subprocess.Popen(self.command, env=plain_environment())

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self, verify: Any = True) -> None:
        """Wait until it answers; fails where it ended instead."""

        def lives() -> bool:
            assert self._process.poll() is None, "the gateway did not start"
            return httpx.get(f"{self.url}/health/live", verify=verify, trust_env=False).status_code == 200

        until("the gateway to answer", lives, despite=(httpx.TransportError,))

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # SIGTERM would wait for a load balancer to notice
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def plain_environment() -> dict[str, str]:
    """This process's, without variables that would change a configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DUTYBOUND_")}


def ask(client: httpx.Client, url: str, authorization: str, *more: tuple[str, str]) -> httpx.Response:
    """Ask for the catalogue, which names no subject."""
    headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
        ("Accept", "application/graphql-response+json"),
        *more,
    ]
    return client.post(f"{url}/graphql", headers=headers, content=QUERY)
