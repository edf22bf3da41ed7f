"""The server: uvicorn, with workers that are forked, and replaced as they end.

A worker has what the supervisor imported, read and checked. However few there are, each is a process below this one.
"""

from __future__ import annotations

import _thread
import functools
import multiprocessing
import signal
import socket
import sys
import time
from typing import Any

import uvicorn
from setproctitle import getproctitle, setproctitle
from uvicorn._subprocess import subprocess_started
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from gateway.bounds.connections import OPTIONS
from gateway.manage.alone import own, shared
from gateway.serving.direct import DirectProtocol
from gateway.serving.forking import STOPS, alive, anew, unheard

_FORK = multiprocessing.get_context("fork")
_READY = 60.0
"""Seconds that a worker has to begin, where it is to replace another."""


class _Worker(Process):
    """A worker that is forked."""

    def __init__(self, config: uvicorn.Config, address: socket.socket, name: str) -> None:
        super().__init__(config, [])
        forked = functools.partial(self._forked, address, f"{getproctitle()} {name}")
        self.process = _FORK.Process(target=forked)  # type: ignore[assignment]

    def start(self) -> None:
        """Fork it."""
        unheard(super().start)

    def is_alive(self, timeout: float = 0) -> bool:
        """Whether it runs. It is not asked: one that has much to do has no time to answer."""
        return alive(self.process)

    def _forked(self, address: socket.socket, title: str) -> None:
        anew()
        setproctitle(title)
        subprocess_started(self.config, self.target, [own(address)], None)


class _Workers(Multiprocess):
    """Replaces a worker however often it ends; uvicorn gives up where one cannot start."""

    def __init__(self, config: uvicorn.Config, address: socket.socket, patience: float) -> None:
        super().__init__(config, [])
        self._address, self._patience = address, patience
        for each in STOPS:  # at once, and not at the next look; by a thread, as this one may hold the event's lock
            signal.signal(each, lambda *_: _thread.start_new_thread(self.should_exit.set, ()))

    def init_processes(self) -> None:
        """Start the workers."""
        self.processes = [self._made(index) for index in range(self.processes_num)]
        for each in self.processes:
            each.start()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended. One that cannot start costs a start per second."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive():
                continue
            process.join()
            if not self.should_exit.wait(1):
                self.processes[index] = self._made(index)
                self.processes[index].start()

    def join_all(self) -> None:
        """Wait for the workers to end; one that does not is killed."""
        until = time.monotonic() + self._patience
        for each in self.processes:
            each.process.join(max(0.0, until - time.monotonic()))
            if each.process.exitcode is None:
                print(f"warning: worker {each.pid} did not stop and is killed", file=sys.stderr, flush=True)
                each.process.kill()
                each.process.join()

    def restart_all(self) -> None:
        """On SIGHUP, replace each worker by another, which reads the certificates again and serves before that ends."""
        for index, before in enumerate(self.processes):
            made = self._made(index)
            made.start()
            if not made.wait_until_ready(_READY, self.should_exit):
                made.kill()
                made.join()
                return
            before.terminate()
            before.join()
            self.processes[index] = made

    def handle_ttin(self) -> None:
        """There are as many workers as the start was given."""

    def handle_ttou(self) -> None:
        """There are as many workers as the start was given."""

    def _made(self, index: int) -> _Worker:
        return _Worker(self.config, self._address, f"worker-{index + 1}")


def server(
    application: str, address: socket.socket, workers: int, grace: float, patience: float, **more: Any
) -> Multiprocess:
    """What serves the application that the factory `application` (`module:function`) makes, until SIGINT or SIGTERM.

    A worker that is to stop waits `grace` seconds for connections to end, and is killed after `patience` seconds.
    `more` is for uvicorn.
    """
    config = uvicorn.Config(
        application,
        factory=True,
        workers=workers,
        **{**OPTIONS, "http": DirectProtocol, **more},
        loop="uvloop",
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=max(1, round(grace)),
    )
    shared(address)
    return _Workers(config, address, patience)
