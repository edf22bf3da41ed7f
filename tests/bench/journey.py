"""One inquiry through three gateways: what it costs, how long it takes, and how that changes with what is asked.

The gateway under test has one core alone; departments and load have the other. Everything of the gateway is on: token,
decision, restraints, durable entry, receipt. Before and after each load some answers are checked value by value; in
between, every answer must have status 200 and the size of a checked one, and the ledger must have grown by as many
entries as there were requests.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import data, gateways, load, world
from tests.bench.gateways import Gateway, Reply
from tests.bench.load import Load, Measured
from tests.bench.processes import BenchError, Child, Cores, running, start_departments
from tests.bench.report import Line, Row
from tests.ports import free_port

SECONDS = 6.0
SHORT = 3.0
WARM = 2.0
CHECKED = 20
GROUPED = 400
"""Bytes that a receipt may be longer under load: within a group of entries its proof has a few hashes more."""


class Ask(NamedTuple):
    """What a row asks: the load, and the check of one reply to its index-th body."""

    load: Load
    check: Callable[[int, Reply], None]


class Scene:
    """Everything that the rows share: departments, files, cores, today."""

    def __init__(self, folder: Path, cores: Cores, departments: dict[str, str], issuer: world.Issuer) -> None:
        self.folder, self.cores, self.issuer = folder, cores, issuer
        self.issuer_url = departments["issuer"]
        self.departments = {name: url for name, url in departments.items() if name != "issuer"}
        self.today = datetime.date.today()
        self.tokens = world.tokens(folder / "tokens", issuer, self.issuer_url)
        self.strangers = world.tokens(folder / "strangers", issuer, self.issuer_url, stranger=True)

    def bare(self) -> Ask:
        """The 200 leaf values from a gateway that asks for no token."""
        group = data.GROUPS["200"]
        bodies = world.bodies(self.folder / "bare", group)
        return Ask(Load(bodies), lambda index, reply: self._values(group, index, reply))

    def inquiry(self, leaves: str) -> Ask:
        """A permitted inquiry for as many leaf values."""
        group = data.GROUPS[leaves]
        bodies = world.bodies(self.folder / f"inquiry-{leaves}", group, world.DIRECTIVE)

        def check(index: int, reply: Reply) -> None:
            self._values(group, index, reply)
            receipt(reply)

        return Ask(Load(bodies, self.tokens), check)

    def novel(self) -> Ask:
        """The 200 leaf values and five more, under a name that no earlier document had."""
        group = data.GROUPS["200"]
        bodies = world.bodies(self.folder / "novel", group, world.DIRECTIVE, alias="n__SERIAL__")

        def check(index: int, reply: Reply) -> None:
            renamed = [key for key in reply.json["data"]["organisation"] if key.startswith("n")]
            extra = reply.json["data"]["organisation"].pop(renamed[0])
            first = reply.json["data"]["organisation"][data.graphql_name(data.DEPARTMENTS[0])]
            if extra != [{data.ALL[0]: record[data.ALL[0]]} for record in first]:
                raise BenchError(f"the renamed field has other values: {extra}")
            self._values(group, index, reply)
            receipt(reply)

        return Ask(Load(bodies, self.tokens, vary=True), check)

    def denial(self) -> Ask:
        """The same inquiry by a client without a grant."""
        group = data.GROUPS["200"]
        bodies = world.bodies(self.folder / "denial", group, world.DIRECTIVE)

        def check(_: int, reply: Reply) -> None:
            codes = {error["extensions"]["code"] for error in reply.json.get("errors", [])}
            told = [value for value in reply.json["data"]["organisation"].values() if value is not None]
            if codes != {"UNAUTHORIZED_FIELD_OR_TYPE"} or told:
                raise BenchError(f"not a denial of everything: {str(reply.json)[:500]}")
            receipt(reply)

        return Ask(Load(bodies, self.strangers), check)

    def _values(self, group: data.Group, index: int, reply: Reply) -> None:
        wanted = data.expected(group, data.subjects(group)[index], self.today)
        if reply.status != 200 or reply.json.get("errors") or reply.json["data"] != wanted:
            raise BenchError(f"wrong answer ({reply.status}): {str(reply.json)[:1500]}\nexpected {str(wanted)[:500]}")


def receipt(reply: Reply) -> str:
    """The answer's receipt; raises where it has none."""
    told = reply.json.get("extensions", {}).get("inquiry", {}).get("receipt")
    if not isinstance(told, str) or not told:
        raise BenchError(f"an answer without a receipt: {str(reply.json)[:500]}")
    return told


def check(gateway: Gateway, ask: Ask, serial: int) -> list[Reply]:
    """Send some of the bodies, spread over all, and check each reply."""
    bodies = ask.load.bodies.read_text().splitlines()
    tokens = ask.load.tokens.read_text().splitlines() if ask.load.tokens else [None]
    replies = []
    for index in range(0, len(bodies), len(bodies) // CHECKED):
        body = bodies[index].replace("__SERIAL__", str(serial + index))
        reply = gateways.post(gateway.url, body, tokens[index % len(tokens)])
        if reply.status != 200:
            raise BenchError(f"{gateway.name} answered {reply.status}: {str(reply.json)[:800]}")
        ask.check(index, reply)
        replies.append(reply)
    return replies


_checks = 0


def measure(gateway: Gateway, ask: Ask, cores: Cores, connections: int, seconds: float) -> Measured:
    """One measured run between two checks; raises where an answer, a size or the ledger's growth is not right."""
    global _checks
    _checks += 2
    before = check(gateway, ask, _checks * 100_000)
    run = load.run(ask.load, gateway.url, [gateway.child], connections=connections, seconds=seconds, cores=cores.load)
    after = check(gateway, ask, (_checks + 1) * 100_000)
    sizes = [reply.size for reply in before + after]
    if not min(sizes) * 0.97 <= run.bytes_each <= max(sizes) * 1.03 + GROUPED:
        raise BenchError(
            f"under load answers had {run.bytes_each:.0f} bytes, checked ones {min(sizes)} to {max(sizes)}"
        )
    if ask.load.tokens:
        grown = gateways.size_of_ledger(receipt(after[0])) - gateways.size_of_ledger(receipt(before[-1])) - 1
        if not run.requests <= grown <= run.requests + connections:
            raise BenchError(f"{run.requests} inquiries left {grown} entries in the ledger")
    return run


def row(name: str, connections: int, run: Measured, **more: Any) -> Row:
    return {
        "bench": "journey",
        "name": name,
        "connections": connections,
        "cpu_ms": run.cpu_ms,
        "requests_per_s": run.requests_per_s,
        "p50_ms": run.p50_ms,
        "p99_ms": run.p99_ms,
        "requests": run.requests,
        **more,
    }


def first(ask: Ask) -> tuple[str, str | None]:
    """The first body and token of a load."""
    body = ask.load.bodies.read_text().splitlines()[0]
    return body, ask.load.tokens.read_text().splitlines()[0] if ask.load.tokens else None


def department(scene: Scene) -> Row:
    """How long one department takes to answer by itself."""
    paths = scene.folder / "paths"
    paths.write_text("\n".join(f"/subjects/LEI/{subject}/notices" for subject in data.subjects(data.GROUPS["200"])))
    url = scene.departments[data.DEPARTMENTS[0]]
    counts = load.wrk(url, ["get", str(paths)], connections=1, seconds=2, cores=scene.cores.load)
    return {
        "bench": "journey",
        "name": "one-department",
        "connections": 1,
        "requests_per_s": counts["requests"] * 1e6 / counts["duration_us"],
        "p50_ms": counts["p50_us"] / 1000,
        "p99_ms": counts["p99_us"] / 1000,
    }


def own(scene: Scene) -> list[Row]:
    """The project's gateway: every row."""
    port = free_port()
    folder = scene.folder / "own"
    config = world.write(folder, scene.departments, scene.issuer_url, port)
    usual = scene.inquiry("200")
    gateway = gateways.dutybound(config, port, scene.cores)
    rows: list[Row] = []

    def add(name: str, ask: Ask, connections: int, seconds: float, **more: Any) -> None:
        rows.append(row(name, connections, measure(gateway, ask, scene.cores, connections, seconds), **more))

    with running(gateway.child):
        gateway.await_answer(*first(usual))
        idle = gateway.child.rss_mb()
        measure(gateway, usual, scene.cores, 32, WARM)
        add("dutybound", usual, 32, SECONDS)
        add("dutybound", usual, 1, SECONDS)
        add("denial", scene.denial(), 32, SHORT)
        for leaves in ("50", "800"):
            add(f"{leaves}-leaves", scene.inquiry(leaves), 32, SHORT, leaves=int(leaves))
        loaded = gateway.child.rss_mb()
        add("new-document", scene.novel(), 1, SHORT)
    for name, sizes in (("idle", idle), ("after the load", loaded)):
        rows.append(
            {"bench": "memory", "name": name, "rss_mb": sizes[0], "tree_mb": sum(sizes), "processes": len(sizes)}
        )
    rows.append({"bench": "startup", "name": "spawn to first answer", "seconds": gateway.startup_s})
    return rows


def pair(scene: Scene) -> list[Row]:
    """Two processes on one store, under load at once.

    With four cores or more each has one alone, and their rates add up. With fewer they take turns on one core: what can
    be seen there is only what is lost, in CPU or in waiting, when another process writes to the same store.
    """
    spread = len(scene.cores.all) >= 4
    ask = scene.inquiry("200")
    started: list[Gateway] = []
    try:
        for index in range(2):
            port = free_port()
            folder = scene.folder / f"pair{index}"
            shared = {"store": "sqlite:///../pair.db", "ledger": {"key_file": "../pair0/ledger.key"}}
            config = world.write(folder, scene.departments, scene.issuer_url, port, **shared)
            on = [scene.cores.all[-1 - index]] if spread else scene.cores.gateway
            gateway = gateways.dutybound(config, port, scene.cores, on)
            started.append(gateway)
            gateway.await_answer(*first(ask))
        cores = scene.cores.all[:-2] if spread else scene.cores.load
        _together(started, ask, cores, WARM)
        runs = _together(started, ask, cores, SECONDS)
        for gateway in started:
            check(gateway, ask, 0)
    finally:
        for gateway in started:
            gateway.child.stop()
    requests = sum(run.requests for run in runs)
    total = Measured(
        requests,
        sum(run.requests_per_s for run in runs),
        sum(run.cpu_ms * run.requests for run in runs) / requests,
        max(run.p50_ms for run in runs),
        max(run.p99_ms for run in runs),
        0,
    )
    return [row("two-processes", 64, total, cores=2 if spread else 1)]


def _together(started: Sequence[Gateway], ask: Ask, cores: Sequence[int], seconds: float) -> list[Measured]:
    runs: list[Measured] = []
    problems: list[BenchError] = []

    def one(gateway: Gateway) -> None:
        try:
            runs.append(load.run(ask.load, gateway.url, [gateway.child], connections=32, seconds=seconds, cores=cores))
        except BenchError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(gateway,)) for gateway in started]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return runs


def rival(scene: Scene, start: Callable[[Path, dict[str, str], Cores], Gateway], warm: float) -> list[Row]:
    """A comparison gateway: 32 connections and one."""
    ask = scene.bare()
    gateway = start(scene.folder, scene.departments, scene.cores)
    with running(gateway.child):
        gateway.await_answer(*first(ask))
        measure(gateway, ask, scene.cores, 32, warm)
        return [
            row(gateway.name, connections, measure(gateway, ask, scene.cores, connections, SECONDS))
            for connections in (32, 1)
        ]


def run(folder: Path, cores: Cores, say: Callable[[str], None]) -> list[Row]:
    """All rows of the part."""
    load.require_wrk()
    issuer = world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        scene = Scene(folder, cores, urls, issuer)
        rows = [department(scene)]
        say("dutybound")
        rows += own(scene)
        say("two processes")
        rows += pair(scene)
        say("@apollo/gateway")
        rows += rival(scene, gateways.apollo, 6)
        say("Strawberry and httpx")
        rows += rival(scene, gateways.naive, WARM)
        _unrefused(child)
    return rows


def _unrefused(departments: Child) -> None:
    if told := departments.told():
        raise BenchError(f"the departments refused a request:\n{told[:2000]}")


def budget(rows: list[Row]) -> list[Line]:
    """The rows held against the budget."""
    by = {(line["name"], line.get("connections")): line for line in rows}
    full, alone = by["dutybound", 32], by["dutybound", 1]
    direct, apollo = by["one-department", 1], by["apollo-gateway", 32]
    two = by["two-processes", 64]
    leaf = (by["800-leaves", 32]["cpu_ms"] - by["50-leaves", 32]["cpu_ms"]) / 750 * 1000
    scaling, how = two["requests_per_s"] / full["requests_per_s"], "a core each"
    if two["cores"] == 1:
        scaling, how = 2 * scaling, "estimated: twice the rate of two on one core"
    return [
        Line("CPU per inquiry, 32 connections", full["cpu_ms"], "ms", 0.40, 0.17),
        Line("the same, to @apollo/gateway's bare fan-out", full["cpu_ms"] / apollo["cpu_ms"], "", 0.25, 0.25),
        Line("CPU per inquiry, 1 connection", alone["cpu_ms"], "ms", 0.80, 0.45),
        Line("added latency over a department, p50", alone["p50_ms"] - direct["p50_ms"], "ms", 1.0, 0.5),
        Line("added latency over a department, p99", alone["p99_ms"] - direct["p99_ms"], "ms", 3.0, 1.5),
        Line("p99 over p50, 32 connections", full["p99_ms"] / full["p50_ms"], "times", 4.0, 2.0),
        Line("CPU of one more leaf value", leaf, "us", 0.3, 0.1),
        Line("CPU of a document never seen before", by["new-document", 1]["cpu_ms"], "ms", 4.0, 2.0),
        Line(
            "a denial of everything, to a permitted inquiry", by["denial", 32]["cpu_ms"] / full["cpu_ms"], "", 0.5, 0.25
        ),
        Line(f"two processes to one ({how})", scaling, "times", 1.8, 1.95, more=True),
        Line("resident memory of the largest process, idle", by["idle", None]["rss_mb"], "MB", 120, 90),
        Line("the same, after the load", by["after the load", None]["rss_mb"], "MB", 160, 110),
        Line("spawn to first answer", by["spawn to first answer", None]["seconds"], "s", 1.5, 0.7),
    ]
