"""A gateway of its own, as `dutybound serve` starts it, with departments that nobody asks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from gateway.oauth import IssuerSettings
from tests.bench import data, world

QUERY = json.dumps({"query": "{ catalogue { id } }"}).encode()


class Serving:
    """A running gateway. `tls` is that key of `gateway.yaml`; `client` reaches it."""

    def __init__(self, folder: Path, issuer: IssuerSettings, audience: str, tls: dict[str, Any] | None, **extra: Any):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.direct = tls is not None and "cert_file" in tls
        self.url = f"{'https' if self.direct else 'http'}://127.0.0.1:{self.port}"
        config = world.write(folder, dict.fromkeys(data.DEPARTMENTS, "http://127.0.0.1:9"), issuer.issuer, self.port)
        text = config.read_text("utf-8").replace(f"audience: {world.AUDIENCE}", f"audience: {audience}")
        if issuer.introspection is not None and issuer.introspection.secret_file is not None:
            asked = {"client_id": issuer.introspection.client_id}
            asked["client_secret_file"] = str(issuer.introspection.secret_file)
            text = text.replace("name: login}", f"name: login, introspection: {json.dumps(asked)}}}")
        text = text.replace(f"public_url: http://127.0.0.1:{self.port}", f"public_url: {self.url}")
        keys = {**({"tls": tls} if tls else {}), **extra}
        config.write_text(text + "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items()), "utf-8")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DUTYBOUND_")}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from gateway.cli import main; sys.exit(main())",
                "serve",
                "--config",
                str(config),
            ],
            env=environ,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self, verify: Any = True) -> None:
        """Wait until it answers; fails where it ended instead."""
        while True:
            assert self._process.poll() is None, "the gateway did not start"
            try:
                if httpx.get(f"{self.url}/health/live", verify=verify, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # SIGTERM would wait for a load balancer to notice
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def ask(client: httpx.Client, url: str, authorization: str, *more: tuple[str, str]) -> httpx.Response:
    """Ask for the catalogue, which names no subject."""
    headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
        ("Accept", "application/graphql-response+json"),
        *more,
    ]
    return client.post(f"{url}/graphql", headers=headers, content=QUERY)
