"""The gateways under test, each started as its users would start it, and the check of what they answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gateway.config import settings
from gateway.ledger.projections import positions
from gateway.ledger.stored.read import heads
from gateway.storage.projections.tables import NAMES
from gateway.storage.store import read_configured
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
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
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
    """A started gateway: its processes' tree and address. `startup_s` is from spawning to the first answer.

    `config` is the `gateway.yaml` of the project's own; others have no ledger.
    """

    def __init__(self, name: str, child: Child, url: str, config: Path | None = None) -> None:
        self.name, self.child, self.url, self.config = name, child, url, config
        self.startup_s = 0.0

    def entries(self) -> int:
        """How many entries all shards of its ledger have; 0 of a gateway that has no ledger."""
        if self.config is None:
            return 0
        store = read_configured(settings.load(self.config, {}))
        with contextlib.closing(store), contextlib.closing(store.reader()) as reader:
            return sum(head.size for head in heads(reader))

    def rest(self, within_s: float = 30) -> None:
        """Wait until all that it entered is projected, so that each row has the CPU of its own entries."""
        if self.config is None:
            return
        store, end = read_configured(settings.load(self.config, {})), time.monotonic() + within_s
        with contextlib.closing(store):
            sizes: dict[int, int] | None = None
            while True:
                with contextlib.closing(store.reader()) as reader:
                    sizes = {head.id: head.size for head in heads(reader)} if sizes is None else sizes
                    if all(positions.passed(reader, name, sizes) for name in NAMES):
                        return
                if time.monotonic() > end:
                    raise BenchError(
                        f"{self.name} did not project its entries within {within_s} s\n{self.child.told()}"
                    )
                time.sleep(0.1)

    def await_answer(self, body: str, token: str | None = None, within_s: float = 120) -> None:
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


def dutybound(config: Path, port: int, cores: Cores, on: Sequence[int] = (), workers: int = 1) -> Gateway:
    """The project's own gateway; `on` are its cores, if it has others than the usual one."""
    command = [str(Path(sys.executable).parent / "dutybound"), "serve", "--config", str(config)]
    child = Child([*command, "--workers", str(workers)], config.with_name("gateway.log"), cores=on or cores.gateway)
    return Gateway("dutybound", child, f"http://127.0.0.1:{port}", config)


def naive(folder: Path, departments: dict[str, str], cores: Cores) -> Gateway:
    """Strawberry and httpx, under uvicorn like the gateway itself."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--ws", "none"]
    command += [
        "--no-access-log",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "tests.bench.naive.app:app",
    ]
    env = {"BENCH_DEPARTMENTS": json.dumps(departments)}
    child = Child(command, folder / "naive.log", cores=cores.gateway, env=env)
    return Gateway("strawberry-httpx", child, f"http://127.0.0.1:{port}")


def apollo(folder: Path, departments: dict[str, str], cores: Cores) -> Gateway:
    """@apollo/gateway under @apollo/server, over the departments as subgraphs."""
    return _node("apollo-gateway", HERE / "apollo", folder, departments, cores)


def node_rest(folder: Path, departments: dict[str, str], cores: Cores) -> Gateway:
    """fastify, mercurius and undici, over the departments' REST interfaces."""
    return _node("node-rest", HERE / "node-rest", folder, departments, cores)


def _node(name: str, where: Path, folder: Path, departments: dict[str, str], cores: Cores) -> Gateway:
    if not (where / "node_modules").is_dir():
        raise BenchError(
            f"the npm packages of tests/bench/{where.name} are missing; run `npm ci` there (or `make bench`)"
        )
    port = free_port()
    command = ["node", str(where / "server.mjs"), str(port), json.dumps(departments)]
    child = Child(command, folder / f"{name}.log", cores=cores.gateway, env={"NODE_ENV": "production"})
    return Gateway(name, child, f"http://127.0.0.1:{port}")
