"""`dutybound serve`: processes on uvicorn, each with its own event loop, ledger shard and application.

Beside them run a process that makes the ledger's projections (`gateway.ledger.projections.worker`), and one that
recalls (`gateway.recall.worker`); where departments deliver files, one that takes them in
(`gateway.connecting.delivering.worker`); and where it is wanted, one that watches departments' systems
(`gateway.connecting.drifting.worker`).

Everything that a start would refuse is refused here, before a process is started: once, and in words. So is a second
one at the address, or on a SQLite store. Workers end with this process, however it ends (`gateway.manage.link`).
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway import check
from gateway.activation.activating import by_files
from gateway.activation.stored import NothingActive
from gateway.config import settings
from gateway.connecting.delivering import worker as deliverer
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.ledger.log.build import examine_registry, warnings
from gateway.ledger.log.operator import Workplace
from gateway.ledger.projections import worker as projector
from gateway.manage.alone import taken
from gateway.manage.hanging import Hanging
from gateway.manage.hub import Hub
from gateway.manage.server import served as managed
from gateway.recall import worker as recaller
from gateway.serving import connections
from gateway.storage.alone import served_alone
from gateway.storage.store import later, open_configured, opened
from gateway.telemetry.log import put
from gateway.web import listen

if TYPE_CHECKING:
    from gateway.served import Base

_LOOK = 1.0
"""Seconds between two looks whether a rule set was activated."""


def serve(config: Path, workers: int) -> int:
    """Serve until SIGINT or SIGTERM, as `gateway.web.drain` describes. Raises `ConfigurationError`."""
    found, parts = _loaded(config)
    connections.allow()
    with contextlib.ExitStack() as held:
        # Before there is a thread, a lock or an address.
        projecting, recalling = (
            held.enter_context(each) for each in (projector.forked(), recaller.forked(parts.rules))
        )
        # One connection stays open meanwhile: the last one that SQLite closes copies the log, and removes it.
        with (
            settings.placing(found), _meanwhile(found, parts) as making,
            contextlib.closing(open_configured(found)) as store,
        ):  # fmt: skip
            held.enter_context(served_alone(found))
            if wrong := listen.hindrance(found.host):
                raise ConfigurationError([Problem(str(found.file), 0, 0, "listen", wrong)])
            address = held.enter_context(taken(found.host, found.port, str(found.file)))
            newer = later(store.engine)
            examine_registry(found.store, found.ledger, str(found.file), found.store_key)
            if parts.archive is not None:
                parts = msgspec.structs.replace(parts, epoch=_activated(found, parts, parts.archive, making))
            first = making.result()
        for warning in (*newer, *settings.warnings(found, workers), *warnings(found.ledger)):
            put(f"warning: {warning}")
        from gateway.serving import worker  # it is imported by now

        worker.prepared = found, parts, first
        os.environ[worker.CONFIG], os.environ[worker.WORKERS] = str(config.resolve()), str(workers)
        # What this process holds is every worker's too, once it is forked: not walked there, its pages stay shared.
        gc.freeze()
        gc.enable()
        hub = held.enter_context(Hub(workers))
        held.enter_context(managed(found.manage, hub, str(found.file)))
        stopping = threading.Event()
        held.enter_context(projector.beside(config, stopping, projecting))
        held.enter_context(recaller.beside(config, stopping, recalling))
        held.enter_context(deliverer.beside(config, stopping, [*parts.departments.connectors.values()]))
        if found.source_watch is not None:
            from gateway.connecting.drifting import worker as watcher

            held.enter_context(watcher.beside(config, stopping, found))
        from gateway.serving import workers as server  # it is imported by now

        more = {}
        if found.tls.cert_file and found.tls.key_file and found.tls.client_ca_file:
            from gateway.serving import certificates

            more = certificates.options(found.tls.cert_file, found.tls.key_file, found.tls.client_ca_file)
        grace = 2 * found.limits.deadline
        patience, hanging = found.drain + grace + 20, Hanging(hub.rounds)
        serving = server.server(worker.APPLICATION, address, workers, grace, patience, hanging, stopping, **more)
        hub.stop = stopping.set
        serving.run()
    if hub.refused is not None:
        raise CommandRefused(f"nothing is served: {hub.refused}")
    return 0


@contextlib.contextmanager
def _meanwhile(found: settings.Settings, parts: check.Loaded) -> Iterator[Future[Base]]:
    """What all workers have of the rule set, made by a thread, and what they need imported.

    A start waits for the store's disk about as long as this takes.
    """
    with ThreadPoolExecutor(1, "making") as thread:
        making = thread.submit(_made, found, parts)
        thread.submit(_imported)
        yield making


def _made(found: settings.Settings, parts: check.Loaded) -> Base:
    # Imported here: neither the projector nor the process that recalls, forked before, needs any of it.
    from gateway.served import base

    return base(parts.rules, found)


def _imported() -> None:
    import gateway.serving.worker
    import gateway.serving.workers  # noqa: F401


def _loaded(config: Path) -> tuple[settings.Settings, check.Loaded]:
    """What a start depends on; while no rule set was ever activated, nothing is served and this waits for one."""
    told = False
    while True:
        try:
            return check.load(config, os.environ)
        except NothingActive as error:
            if not told:
                put(f"waiting: {error}")
            told = True
            time.sleep(_LOOK)


def _activated(found: settings.Settings, parts: check.Loaded, archived: bytes, making: Future[Base]) -> int:
    """Have the files of the folder active, and nothing else; the epoch since which they are."""

    def schema() -> str:
        from gateway.rules.compare.clients import schema_digest

        return schema_digest(parts.rules, making.result().schema)

    with opened(found, make=True) as store:  # it is made already, and need not be looked at again
        return by_files(Workplace(found, store, parts.private), parts.rules.digest, archived, schema)
