"""Where an inquiry's CPU goes: the gateway without its server, one inquiry at a time, each step measured.

A step's figure is the CPU of all threads while it ran (the HTTP client's and the ledger's included); steps that call
one another are told apart by taking the inner ones off. The HTTP server is not in it: the application is called by
ASGI. With inquiries one at a time nothing is shared between them, so this is the shape of the cost at one connection;
at 32 the ledger, the facts and the wake-ups cost a fraction.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from gateway import app, check
from gateway.serving import worker
from tests.bench import data, world
from tests.bench.processes import BenchError, Child, Cores, running, start_departments
from tests.bench.report import Row
from tests.ports import free_port

INQUIRIES = 2000

STEPS = (
    ("endpoint", "gateway.inquiry.http.endpoint", "GraphQLEndpoint.__call__"),
    ("answer", "gateway.served", "answer"),
    ("request", "gateway.inquiry.answer", "read"),
    ("authenticate", "gateway.inquiry.authenticate", "Authenticator.authenticate"),
    ("plan", "gateway.inquiry.plan", "Planner.known"),
    ("bind", "gateway.inquiry.plan", "Plan.bind"),
    ("facts", "gateway.inquiry.facts", "FactsReader.read"),
    ("decide", "gateway.inquiry.answer", "decide"),
    ("admit", "gateway.inquiry.admit", "Admission.reserve"),
    ("fetch", "gateway.inquiry.fetch", "Fetcher.fetch"),
    ("restrain", "gateway.inquiry.answer", "restrain_all"),
    ("render", "gateway.inquiry.render", "Renderer.render"),
    ("disclose", "gateway.inquiry.answer", "disclose"),
    ("ledger", "gateway.ledger.log.ledger", "Ledger.append"),
    ("extension", "gateway.inquiry.answer", "extension"),
    ("response", "gateway.inquiry.answer", "answered"),
)
"""Name, module and function of each step, where its caller finds it."""


class Watch:
    """CPU seconds by step; what runs within a step of its own is not counted for the outer one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inner = [0.0]

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, measured."""
        self.spent[name] = 0.0
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def measured(*args: Any, **kwargs: Any) -> Any:
                began = self._begin()
                try:
                    return await function(*args, **kwargs)
                finally:
                    self._end(name, began)

            return measured

        @functools.wraps(function)
        def plain(*args: Any, **kwargs: Any) -> Any:
            began = self._begin()
            try:
                return function(*args, **kwargs)
            finally:
                self._end(name, began)

        return plain

    def _begin(self) -> float:
        self._inner.append(0.0)
        return time.process_time()

    def _end(self, name: str, began: float) -> None:
        spent = time.process_time() - began
        self.spent[name] += spent - self._inner.pop()
        self._inner[-1] += spent


def _owner(module: str, path: str) -> tuple[Any, str]:
    owner: Any = importlib.import_module(module)
    *outer, last = path.split(".")
    for part in outer:
        owner = getattr(owner, part, None)
    if owner is None or not hasattr(owner, last):
        raise BenchError(f"there is no `{path}` in {module}; tell tests/bench/steps.py what it is called now")
    return owner, last


def steps(folder: Path, cores: Cores, inquiries: int = INQUIRIES) -> list[Row]:
    """CPU microseconds of each step, an inquiry; in a process of its own, on the gateway's core."""
    issuer = world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        config = world.write(folder / "steps", urls, urls["issuer"], free_port())
        bodies = world.bodies(folder / "steps" / "bodies", data.GROUPS["200"], world.DIRECTIVE)
        tokens = world.tokens(folder / "steps" / "tokens", issuer, urls["issuer"])
        command = [sys.executable, "-m", "tests.bench.steps", str(config), str(bodies), str(tokens), str(inquiries)]
        with running(Child(command, folder / "steps.log", cores=cores.gateway, piped=True)) as measured:
            assert measured.process.stdout
            told = measured.process.stdout.read()
            if measured.process.wait():
                raise BenchError(f"the profile by step failed:\n{measured.told()}")
    rows: list[Row] = msgspec.json.decode(told)
    return rows


def _main(config: str, bodies: str, tokens: str, inquiries: str) -> None:
    watch = Watch()
    for name, module, path in STEPS:
        owner, last = _owner(module, path)
        setattr(owner, last, watch.wrap(name, getattr(owner, last)))
    gateway = worker.made(app.build(*check.load(Path(config), os.environ)))
    held = Path(tokens).read_text().splitlines()
    lines = Path(bodies).read_text().splitlines()
    asked = [(body.encode(), held[index % len(held)]) for index, body in enumerate(lines)]
    rows = uvloop.run(_ask(gateway, asked, int(inquiries), watch))
    sys.stdout.buffer.write(msgspec.json.encode(rows))


async def _ask(gateway: app.Gateway, asked: list[tuple[bytes, str]], inquiries: int, watch: Watch) -> list[Row]:
    started, stop, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if started.is_set():
            await stop.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        if not message["type"].endswith(".complete"):
            raise BenchError(f"the gateway did not start: {message}")
        (ended if started.is_set() else started).set()

    lifespan = asyncio.create_task(gateway({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    await asyncio.wait({lifespan, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if lifespan.done():
        lifespan.result()
    for body, token in asked[:200]:
        await _one(gateway, body, token)
    for name in watch.spent:
        watch.spent[name] = 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    for index in range(inquiries):
        await _one(gateway, *asked[index % len(asked)])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    stop.set()
    await lifespan
    spent = {**watch.spent, "all": cpu}
    return [
        {"bench": "steps", "name": name, "connections": 1, "cpu_us": seconds / inquiries * 1e6, "share": seconds / cpu}
        for name, seconds in spent.items()
    ] + [{"bench": "steps", "name": "wall", "connections": 1, "wall_us": wall / inquiries * 1e6}]


async def _one(gateway: app.Gateway, body: bytes, token: str) -> None:
    headers = [
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
        (b"accept", b"application/graphql-response+json"),
        (b"content-length", str(len(body)).encode()),
        (b"authorization", b"Bearer " + token.encode()),
    ]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    answer: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        answer.append(message.get("body", b""))

    await gateway(scope, receive, send)
    told = msgspec.json.decode(b"".join(answer))
    if told.get("errors") or "receipt" not in told["extensions"]["inquiry"]:
        raise BenchError(f"not an answer: {str(told)[:500]}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
