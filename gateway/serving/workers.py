"""The server: uvicorn, with workers that are forked, and replaced as they end.

A worker has what the supervisor imported, read and checked. However few there are, each is a process below this one.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn
from setproctitle import getproctitle, setproctitle
from uvicorn._subprocess import subprocess_started
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from gateway.bounds.connections import OPTIONS
from gateway.manage.alone import own, shared
from gateway.manage.hanging import Hanging
from gateway.serving.direct import DirectProtocol
from gateway.serving.forking import STOPS, anew, unheard
from gateway.telemetry.log import put

_FORK = multiprocessing.get_context("fork")
_READY = 60.0
"""Seconds that a worker has to begin, where it is to replace another."""


class _Server(uvicorn.Server):
    """Sleeps a second at a time, and ends at once. uvicorn looks ten times a second whether it is to."""

    _wake: Callable[[], object] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        super().handle_exit(sig, frame)
        if self._wake is not None:
            self._wake()

    async def main_loop(self) -> None:
        """Serve until a signal."""
        ending = asyncio.Event()
        self._wake = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, ending.set)
        while not await self.on_tick(0):  # it renews the date that answers have
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), 1.0)


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
        return self.process.is_alive()

    def _forked(self, address: socket.socket, title: str) -> None:
        anew()
        setproctitle(title)
        self._server = _Server(self.config)  # before a thread is there, which would make another
        subprocess_started(self.config, self.target, [own(address)], None)


class _Workers(Multiprocess):
    """Replaces a worker however often it ends; uvicorn gives up where one cannot start. One that hangs is killed."""

    def __init__(
        self,
        config: uvicorn.Config,
        address: socket.socket,
        patience: float,
        hanging: Hanging,
        stopping: threading.Event,
    ) -> None:
        super().__init__(config, [])
        self.should_exit = stopping
        self._address, self._patience, self._hanging = address, patience, hanging
        for each in STOPS:  # at once, and not at the next look; by a thread, as this one may hold the event's lock
            signal.signal(each, lambda *_: _thread.start_new_thread(self.should_exit.set, ()))

    def init_processes(self) -> None:
        """Start the workers."""
        self.processes = [self._made(index) for index in range(self.processes_num)]
        for each in self.processes:
            each.start()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended. One that cannot start costs a start per second."""
        self._hanging.look([each.pid for each in self.processes if each.pid is not None])
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive():
                continue
            process.join()
            if not self.should_exit.wait(1):
                self.processes[index] = self._made(index)
                self.processes[index].start()

    def join_all(self) -> None:
        """Wait for the workers to end; one that does not is killed."""
        ended(self.processes, self._patience)

    def restart_all(self) -> None:
        """On SIGHUP, replace each worker by another, which reads the certificates again and serves before that ends."""
        for index, before in enumerate(self.processes):
            made = self._made(index)
            made.start()
            if not made.wait_until_ready(_READY, self.should_exit):
                put(f"warning: worker {made.pid} did not begin; the one before goes on")
                made.kill()
                made.join()
                return
            self.processes[index] = made
            if before.pid is not None and before.is_alive():
                os.kill(before.pid, signal.SIGINT)  # without notice: another serves already
            ended([before], self._patience)

    def handle_ttin(self) -> None:
        """There are as many workers as the start was given."""

    def handle_ttou(self) -> None:
        """There are as many workers as the start was given."""

    def _made(self, index: int) -> _Worker:
        return _Worker(self.config, self._address, f"worker-{index + 1}")


def ended(processes: Sequence[Process], patience: float) -> None:
    """Wait until they have ended; those that have not after `patience` seconds are killed, and reported."""
    until = time.monotonic() + patience
    for each in processes:
        each.process.join(max(0.0, until - time.monotonic()))
        if each.process.exitcode is None:
            put(f"warning: worker {each.pid} did not stop and is killed")
            each.process.kill()
            each.process.join()


def server(
    application: str,
    address: socket.socket,
    workers: int,
    grace: float,
    patience: float,
    hanging: Hanging,
    stopping: threading.Event,
    **more: Any,
) -> Multiprocess:
    """What serves the application that the factory `application` (`module:function`) makes, until SIGINT or SIGTERM.

    A worker that is to stop waits `grace` seconds for connections to end, and is killed after `patience` seconds.
    `hanging` is asked again and again which hang. `stopping` is set by the signal, and ends it by whoever else sets it;
    `more` is for uvicorn.
    """
    config = uvicorn.Config(
        application,
        factory=True,
        workers=workers,
        **{**OPTIONS, "http": DirectProtocol, "loop": "uvloop", **more},
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
    return _Workers(config, address, patience, hanging, stopping)
