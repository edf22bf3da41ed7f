"""Several workers on one store: what an inquiry costs as they become more, on SQLite and on PostgreSQL.

With a core for each worker beside those of the load and the departments, rates say how it scales. With fewer, workers
take turns on the gateway's core: what can be seen there is only what is lost, in CPU or in waiting, when another
process writes to the same store. PostgreSQL has a core that the gateway has not. Its JIT is off, as the handbook wants.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench import gateways, load, world
from tests.bench.compared import unrefused
from tests.bench.journey import CHECKED, USUAL, Lengths, Scene, first, measure, row
from tests.bench.processes import Cores, cpu_seconds, running, start_departments, tree
from tests.bench.report import Row
from tests.ports import free_port
from tests.services import Postgres, postgres

EACH = 32
"""Connections of the load for each worker."""

SHAPES = tuple((store, workers) for store in ("SQLite", "PostgreSQL") for workers in (1, 2, 4))


def run(
    folder: Path,
    cores: Cores,
    say: Callable[[str], None],
    lengths: Lengths = USUAL,
    shapes: Sequence[tuple[str, int]] = SHAPES,
) -> list[Row]:
    """A row for each store and number of workers; one worker has to be among a store's."""
    load.require_wrk()
    issuer = world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child), _database(cores) as server:
        scene = Scene(folder, cores, urls, issuer)
        rows = []
        for store, workers in shapes:
            say(f"{store}, {workers} worker{'s' if workers > 1 else ''}")
            rows.append(_row(scene, store, server if store == "PostgreSQL" else None, workers, lengths))
        unrefused(child)
    alone = {each["store"]: each["requests_per_s"] for each in rows if each["workers"] == 1}
    return [{**each, "to_one": each["requests_per_s"] / alone[each["store"]]} for each in rows]


@contextlib.contextmanager
def _database(cores: Cores) -> Iterator[Postgres]:
    """A PostgreSQL that waits for the disk, on cores that are not the gateway's."""
    with postgres(fsync="on", jit="off", shared_buffers="128MB", autovacuum="on") as server:
        for pid in tree(server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cores.departments)
        yield server


def _row(scene: Scene, store: str, server: Postgres | None, workers: int, lengths: Lengths) -> Row:
    own = scene.cores.all[2:]
    spread = len(own) > workers
    port = free_port()
    folder = scene.folder / f"{store}-{workers}"
    placed = {"store": server.url(server.database()), "durability": "single-node"} if server else {}
    config = world.write(folder, scene.departments, scene.issuer_url, port, **placed)
    ask = scene.inquiry("200")
    gateway = gateways.dutybound(config, port, scene.cores, own[-workers:] if spread else (), workers)
    with running(gateway.child):
        gateway.await_answer(*first(ask))
        if lengths.warm:
            measure(gateway, ask, scene.cores, EACH * workers, lengths.warm, warming=True)
        used = cpu_seconds(server.pid) if server else 0.0
        found = measure(gateway, ask, scene.cores, EACH * workers, lengths.other)
        used = cpu_seconds(server.pid) - used if server else 0.0
    stored = used * 1000 / (found.requests + 2 * CHECKED)
    return row(
        f"{store}, {workers} worker{'s' if workers > 1 else ''}",
        EACH * workers,
        found,
        bench="workers",
        store=store,
        workers=workers,
        cores=workers if spread else 1,
        store_ms=stored,
        store_share=stored / (stored + found.cpu_ms),
    )
