"""`dutybound serve`: processes on granian, each with its own event loop, ledger shard and application.

Where connections that show client certificates end here (`tls`), uvicorn serves instead: see `gateway.serving.tls`.
Beside either run a process that makes the ledger's projections (`gateway.ledger.projections.worker`), and one that
recalls (`gateway.recall.worker`); where departments deliver files, one that takes them in
(`gateway.connecting.delivering.worker`); and where it is wanted, one that watches departments' systems
(`gateway.connecting.drifting.worker`).

Everything that a start would refuse is refused here, before a process is started: once, and in words. So is a second
one at the address, or on a SQLite store. Workers end with this process, however it ends (`gateway.manage.link`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from setproctitle import getproctitle

from gateway import app, check
from gateway.activation.activating import by_files
from gateway.activation.stored import NothingActive
from gateway.config import settings
from gateway.connecting.delivering import worker as deliverer
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.ledger.log.build import examine_registry, warnings
from gateway.ledger.log.operator import Workplace
from gateway.ledger.projections import worker as projector
from gateway.manage.alone import shared, taken
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.server import served as managed
from gateway.recall import worker as recaller
from gateway.serving.forking import alive, anew, unheard
from gateway.storage.alone import served_alone
from gateway.storage.store import later, open_configured, opened
from gateway.web import listen

APPLICATION = "gateway.serving.serve:application"
CONFIG, WORKERS = "_DUTYBOUND_SERVED_CONFIG", "_DUTYBOUND_SERVED_WORKERS"

TOGETHER = 4096
"""Connections that a process has at once; more wait."""
IDLE = 5.0
"""Seconds that a connection may take for a request's line and headers, also to begin with them."""
COLLECTED = (10_000, 5, 2000)
"""How often the garbage collector looks (`gc.set_threshold`)."""
_LOOK = 1.0
"""Seconds between two looks whether a rule set was activated."""
SWITCH = 0.0005
"""Seconds that a thread computes while another waits."""

_prepared: tuple[settings.Settings, check.Loaded] | None = None
"""What `serve` read and checked; a worker that is forked from it need not read it again."""


class _Server(MPServer):
    """Replaces a worker however often it ends, and forks each so that it can be stopped from its first moment.

    Granian ends every worker as soon as one ends twice within 5.5 seconds, and with it what the others serve: a killed
    worker whose replacement finds the store away would take the gateway down, though the store comes back.
    """

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any, *given: Any) -> Any:
        worker = super()._spawn_worker(idx, functools.partial(_forked, target), callback_loader, *given)
        worker.start = functools.partial(unheard, worker.start)  # type: ignore[method-assign]
        # So that none is killed, and reported as one that refused to stop, which has just ended.
        worker.is_alive = functools.partial(alive, worker.inner)  # type: ignore[method-assign]
        return worker

    def _respawn_workers(self, workers: Any, spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        # A worker that cannot start costs a start per second.
        super()._respawn_workers(workers, spawn_target, target_loader, delay=max(delay, 1))
        self.respawned_wrks.clear()


def _forked(target: Any, *given: Any) -> None:
    anew()
    target(*given)


def serve(config: Path, workers: int) -> int:
    """Serve until SIGINT or SIGTERM, as `gateway.web.drain` describes. Raises `ConfigurationError`."""
    global _prepared
    _prepared = _loaded(config)
    found, parts = _prepared
    _allow_connections()
    with contextlib.ExitStack() as held:
        # Before there is a thread, a lock or an address.
        projecting, recalling = (
            held.enter_context(each) for each in (projector.forked(), recaller.forked(parts.rules))
        )
        # One connection stays open meanwhile: the last one that SQLite closes copies the log, and removes it.
        with settings.placing(found), contextlib.closing(open_configured(found)) as store:
            held.enter_context(served_alone(found))
            if wrong := listen.hindrance(found.host):
                raise ConfigurationError([Problem(str(found.file), 0, 0, "listen", wrong)])
            address = held.enter_context(taken(found.host, found.port, str(found.file)))
            newer = later(store.engine)
            examine_registry(found.store, found.ledger, str(found.file), found.store_key)
            if parts.archive is not None:
                epoch = _activated(found, parts, parts.archive)
                _prepared = found, msgspec.structs.replace(parts, epoch=epoch)
        for warning in (*newer, *settings.warnings(found, workers), *warnings(found.ledger)):
            print(f"warning: {warning}", file=sys.stderr)
        os.environ[CONFIG], os.environ[WORKERS] = str(config.resolve()), str(workers)
        # What this process holds is every worker's too, once it is forked: not walked there, its pages stay shared.
        gc.freeze()
        gc.enable()
        hub = held.enter_context(Hub(workers))
        held.enter_context(managed(found.manage, hub, str(found.file)))
        held.enter_context(projector.beside(config, projecting))
        held.enter_context(recaller.beside(config, recalling))
        held.enter_context(deliverer.beside(config, [*parts.departments.connectors.values()]))
        if found.source_watch is not None:
            from gateway.connecting.drifting import worker as watcher

            held.enter_context(watcher.beside(config, found))
        if found.tls.cert_file and found.tls.key_file and found.tls.client_ca_file:
            from gateway.serving import tls  # and with it uvicorn, only here

            files = (found.tls.cert_file, found.tls.key_file, found.tls.client_ca_file)
            certified = tls.server(APPLICATION, address, workers, *files)
            hub.stop = certified.should_exit.set
            certified.run()
        else:
            shared(address)
            server = _server(found, workers)
            hub.stop = server.signal_handler_interrupt
            try:
                server.serve()
            except SystemExit:
                if hub.refused is None:
                    raise
    if hub.refused is not None:
        raise CommandRefused(f"nothing is served: {hub.refused}")
    return 0


def _loaded(config: Path) -> tuple[settings.Settings, check.Loaded]:
    """What a start depends on; while no rule set was ever activated, nothing is served and this waits for one."""
    told = False
    while True:
        try:
            return check.load(config, os.environ)
        except NothingActive as error:
            if not told:
                print(f"waiting: {error}", file=sys.stderr, flush=True)
            told = True
            time.sleep(_LOOK)


def _activated(found: settings.Settings, parts: check.Loaded, archived: bytes) -> int:
    """Have the files of the folder active, and nothing else; the epoch since which they are."""
    from gateway.rules.compare.clients import schema_digest  # the supervisor needs a schema for nothing else

    with opened(found, make=True) as store:  # it is made already, and need not be looked at again
        place, digest = Workplace(found, store, parts.private), parts.rules.digest
        return by_files(place, digest, archived, lambda: schema_digest(parts.rules))


def _allow_connections() -> None:
    """Let each process have a file for each connection, where the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * TOGETHER if hard == resource.RLIM_INFINITY else min(hard, 2 * TOGETHER)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _server(found: settings.Settings, workers: int) -> _Server:
    return _Server(
        APPLICATION,
        address=found.host,
        port=found.port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        factory=True,
        log_level=LogLevels.warning,
        backpressure=TOGETHER,
        http1_settings=HTTP1Settings(header_read_timeout=round(IDLE * 1000)),
        respawn_failed_workers=True,
        workers_kill_timeout=round(found.drain + 2 * found.limits.deadline) + 20,
        process_name=getproctitle(),  # as it was called, and not granian's words
    )


def application() -> app.Gateway:
    """The application of one process, of the configuration that `serve` was given."""
    link = Link(os.environ[SUPERVISOR])
    with link.starting():
        found, parts = _prepared or check.load(Path(os.environ[CONFIG]), os.environ)
        shared_out = msgspec.structs.replace(found, open=found.open.among(int(os.environ[WORKERS])))
        built = app.build(shared_out, parts)
    built.link = link
    return made(built)


def made(gateway: app.Gateway) -> app.Gateway:
    """The application, with all that a start made marked to stay."""
    # Beside a thread that computes, the event loop gets its turn after this, many times in an inquiry: by Python's own
    # 5 milliseconds, one document of a stranger's would slow everybody's down.
    sys.setswitchinterval(SWITCH)
    # What a start makes stays to the end: the collector need not walk it again and again while inquiries run, which
    # cost two fifths of an inquiry's CPU and most of its slowest hundredth. Inquiries leave few cycles behind.
    gc.collect()
    gc.freeze()
    # What it does walk is little at a time: a flood of new documents leaves cycles, and a walk stops everybody.
    gc.set_threshold(*COLLECTED)
    return gateway
