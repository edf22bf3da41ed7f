"""The project's gateway and three others, one after the other: what an inquiry costs each, and how long it takes.

The others enforce and record nothing: they ask the same departments, and merge what they answer.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench import data, gateways, load, world
from tests.bench.gateways import Gateway
from tests.bench.journey import USUAL, Ask, Lengths, Scene, first, measure, row
from tests.bench.processes import BenchError, Child, Cores, running, start_departments
from tests.bench.report import Row
from tests.ports import free_port

Start = Callable[[Path, dict[str, str], Cores], Gateway]
SIZES = ("50", "800")
"""Leaf values of answers that are smaller and larger than the usual one: what one more costs."""


def run(folder: Path, cores: Cores, say: Callable[[str], None], lengths: Lengths = USUAL) -> list[Row]:
    """All rows of the part."""
    load.require_wrk()
    issuer = world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        scene = Scene(folder, cores, urls, issuer)
        rows = [department(scene, lengths)]
        say("dutybound")
        rows.append(startup(scene, lengths))
        rows += own(scene, lengths)
        say("@apollo/gateway")
        rows += rival(scene, gateways.apollo, lengths.warm_node, lengths, novel=True)
        say("fastify, mercurius and undici over REST")
        rows += rival(scene, gateways.node_rest, lengths.warm_node, lengths, sizes=SIZES)
        say("Strawberry and httpx")
        rows += rival(scene, gateways.naive, lengths.warm, lengths)
        unrefused(child)
    return rows


def department(scene: Scene, lengths: Lengths) -> Row:
    """How long one department takes to answer by itself."""
    paths = scene.folder / "paths"
    paths.write_text("\n".join(f"/subjects/LEI/{subject}/notices" for subject in data.subjects(data.GROUPS["200"])))
    url = scene.departments[data.DEPARTMENTS[0]]
    counts = load.wrk(url, ["get", str(paths)], connections=1, seconds=lengths.other, cores=scene.cores.load)
    return {
        "bench": "journey",
        "name": "one-department",
        "connections": 1,
        "requests_per_s": counts["requests"] * 1e6 / counts["duration_us"],
        "p50_ms": counts["p50_us"] / 1000,
        "p99_ms": counts["p99_us"] / 1000,
    }


def startup(scene: Scene, lengths: Lengths) -> Row:
    """Seconds of a first start to its first answer: the median, after one that leaves the modules compiled."""
    seconds = []
    for number in range(lengths.starts):
        port = free_port()
        config = world.write(scene.folder / f"start-{number}", scene.departments, scene.issuer_url, port)
        gateway = gateways.dutybound(config, port, scene.cores)
        with running(gateway.child):
            gateway.await_answer(*first(scene.inquiry("200")))
        seconds.append(gateway.startup_s)
    return {"bench": "startup", "name": "spawn to first answer", "seconds": statistics.median(seconds[1:] or seconds)}


def own(scene: Scene, lengths: Lengths) -> list[Row]:
    """The project's gateway: every row."""
    port = free_port()
    config = world.write(scene.folder / "own", scene.departments, scene.issuer_url, port)
    usual = scene.inquiry("200")
    gateway = gateways.dutybound(config, port, scene.cores)
    rows: list[Row] = []
    loaded = 0.0

    def add(name: str, ask: Ask, connections: int, seconds: float, **more: Any) -> None:
        nonlocal loaded
        rows.append(row(name, connections, measure(gateway, ask, scene.cores, connections, seconds), **more))
        loaded += seconds

    with running(gateway.child):
        gateway.await_answer(*first(usual))
        rows.append(memory(gateway, 0))
        if lengths.warm:
            measure(gateway, usual, scene.cores, 32, lengths.warm, warming=True)
        add("dutybound", usual, 32, lengths.main)
        rows.append(memory(gateway, loaded := loaded + lengths.warm))
        add("dutybound", usual, 1, lengths.main)
        rows.append(memory(gateway, loaded))
        add("denial", scene.denial(), 32, lengths.other)
        for leaves in SIZES:
            add(f"{leaves}-leaves", scene.inquiry(leaves), 32, lengths.other, leaves=int(leaves))
        rows.append(memory(gateway, loaded, of="800 values"))
        add("new-document", scene.novel(), 1, lengths.other)
    return rows


def memory(gateway: Gateway, seconds: float, *, of: str = "") -> Row:
    """What the processes of the project's gateway hold after so many seconds of load; `rss_mb` is a worker's.

    `of` is what the answers had, where they were no usual ones.
    """
    sizes = gateway.child.rss_mb()
    name = f"after {seconds:.0f} s of load" if seconds else "idle"
    return {
        "bench": "memory",
        "name": f"{name}, answers of {of}" if of else name,
        "usual": not of,
        "load_s": seconds,
        "rss_mb": sizes["workers"],
        "projector_mb": sizes["projector"],
        "recalls_mb": sizes["recalls"],
        "tree_mb": sizes["tree"],
    }


def rival(
    scene: Scene, start: Start, warm: float, lengths: Lengths, *, novel: bool = False, sizes: Sequence[str] = ()
) -> list[Row]:
    """A comparison gateway: 32 connections and one; `novel`: with documents that it has not seen, too.

    `sizes` are numbers of leaf values that it is asked for beside the usual one.
    """
    ask = scene.bare()
    gateway = start(scene.folder, scene.departments, scene.cores)
    with running(gateway.child):
        gateway.await_answer(*first(ask))
        if warm:
            measure(gateway, ask, scene.cores, 32, warm, warming=True)
        rows = [
            row(gateway.name, connections, measure(gateway, ask, scene.cores, connections, lengths.main))
            for connections in (32, 1)
        ]
        if novel:
            unseen = measure(gateway, scene.novel(bare=True), scene.cores, 1, lengths.other)
            rows.append(row(f"{gateway.name}, new-document", 1, unseen))
        for leaves in sizes:
            measured = measure(gateway, scene.bare(leaves), scene.cores, 32, lengths.other)
            rows.append(row(f"{gateway.name}, {leaves}-leaves", 32, measured, leaves=int(leaves)))
    return rows


def unrefused(departments: Child) -> None:
    """Raise where a department was sent what it does not serve."""
    if told := departments.told():
        raise BenchError(f"the departments refused a request:\n{told[:2000]}")


def keep(folder: Path, cores: Cores, say: Callable[[str], None], minutes: int = 10) -> list[Row]:
    """What a worker holds after each minute of load; not in a usual run, which has two points of it."""
    load.require_wrk()
    issuer, port = world.Issuer(folder), free_port()
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        scene = Scene(folder, cores, urls, issuer)
        config = world.write(folder / "own", scene.departments, scene.issuer_url, port)
        usual = scene.inquiry("200")
        gateway = gateways.dutybound(config, port, cores)
        with running(gateway.child):
            gateway.await_answer(*first(usual))
            rows = [memory(gateway, 0)]
            for minute in range(1, minutes + 1):
                say(f"minute {minute} of {minutes}")
                measure(gateway, usual, cores, 32, 60)
                rows.append(memory(gateway, 60 * minute))
        unrefused(child)
    return rows
