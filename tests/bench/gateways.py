"""The gateways under test, each started as its users would start it, and the check of what they answer."""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.bench.processes import BenchError, Child, Cores
from tests.ports import free_port

HERE = Path(__file__).resolve().parent


class Reply(NamedTuple):
    """One answer: its status, JSON and size on the wire."""

    status: int
    json: Any
    size: int


def post(url: str, body: str, token: str | None = None, path: str = "/graphql") -> Reply:
    """Send one body and give the reply; raises `OSError` or `HTTPException` where there is none."""
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("POST", path, body.encode(), headers)
        response = connection.getresponse()
        content = response.read()
        head = 17 + len(response.reason) + sum(len(key) + len(value) + 4 for key, value in response.getheaders())
        try:
            return Reply(response.status, json.loads(content), head + len(content))
        except ValueError:
            return Reply(response.status, content.decode(errors="replace"), head + len(content))
    finally:
        connection.close()


class Gateway:
    """A started gateway: its processes' tree and address. `startup_s` is from spawning to the first answer."""

    def __init__(self, name: str, child: Child, url: str) -> None:
        self.name, self.child, self.url = name, child, url
        self.startup_s = 0.0

    def await_answer(self, body: str, token: str | None = None, within_s: float = 30) -> None:
        """Ask until the first answer comes with status 200."""
        last: Reply | None = None
        while time.perf_counter() - self.child.started < within_s:
            self.child.check()
            try:
                last = post(self.url, body, token)
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
                continue
            if last.status == 200:
                self.startup_s = time.perf_counter() - self.child.started
                return
            time.sleep(0.05)
        raise BenchError(f"{self.name} gave no answer within {within_s} s; last {last}\n{self.child.told()}")


def dutybound(config: Path, port: int, cores: Cores, on: list[int] | None = None) -> Gateway:
    """The project's own gateway."""
    command = [str(Path(sys.executable).parent / "dutybound"), "serve", "--config", str(config)]
    child = Child(command, config.with_name("gateway.log"), cores=on or cores.gateway)
    return Gateway("dutybound", child, f"http://127.0.0.1:{port}")


def naive(folder: Path, departments: dict[str, str], cores: Cores) -> Gateway:
    """Strawberry and httpx, under granian like the gateway itself."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "tests.bench.naive.app:app"]
    env = {"BENCH_DEPARTMENTS": json.dumps(departments)}
    child = Child(command, folder / "naive.log", cores=cores.gateway, env=env)
    return Gateway("strawberry-httpx", child, f"http://127.0.0.1:{port}")


def apollo(folder: Path, departments: dict[str, str], cores: Cores) -> Gateway:
    """@apollo/gateway under @apollo/server."""
    if not (HERE / "apollo" / "node_modules").is_dir():
        raise BenchError("the npm packages of tests/bench/apollo are missing; run `npm ci` there (or `make bench`)")
    port = free_port()
    command = ["node", str(HERE / "apollo" / "server.mjs"), str(port), json.dumps(departments)]
    child = Child(command, folder / "apollo.log", cores=cores.gateway, env={"NODE_ENV": "production"})
    return Gateway("apollo-gateway", child, f"http://127.0.0.1:{port}")


def size_of_ledger(receipt: str) -> int:
    """The tree size in the checkpoint that a receipt (a C2SP tlog-proof) ends with: origin, size, root."""
    checkpoint = receipt.split("\n\n", 1)[1].splitlines()
    return int(checkpoint[1])
