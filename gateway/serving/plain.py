"""The server where TLS ends in front of it, or nowhere: granian, with workers that are replaced as they end."""

from __future__ import annotations

import functools
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from setproctitle import getproctitle

from gateway.config.settings import Settings
from gateway.serving.connections import IDLE, TOGETHER
from gateway.serving.forking import alive, anew, unheard
from gateway.serving.worker import APPLICATION


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


def server(found: Settings, workers: int) -> MPServer:
    """What serves with so many workers; `serve()` of it blocks, until a signal or its `signal_handler_interrupt`."""
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
