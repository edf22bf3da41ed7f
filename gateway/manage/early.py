"""A process that is forked before its time, of a parent that has imported what it needs, and waits until it may begin.

To import anew takes longer than all else at its start. Invariant: it is forked while its parent has one thread, so that
nothing is held in it for ever; nothing that another process may hold, as a lock or an address, is open then. It is
called in lists of processes what it would be called had it been started by `python -m`.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, NoReturn, Self

import msgspec
from setproctitle import setproctitle

from gateway.config import store_key
from gateway.manage.link import SUPERVISOR

_LOOK = 0.5
"""Seconds between two looks whether the parent is there."""
_END_WITHIN = 10.0

Main = Callable[[list[str]], int]


class _Told(NamedTuple):
    arguments: list[str]
    supervisor: str | None
    key: bytes


class Early:
    """One such process. Once it began it is used as a `subprocess.Popen` is."""

    def __init__(self, module: str, main: Main) -> None:
        told, self._tell = os.pipe()
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_wait, args=(told, module, main, os.getpid()), name=module)
        self._process.start()
        os.close(told)

    def begin(self, arguments: Sequence[str]) -> Self:
        """Let it run its module's `main` with these."""
        told = _Told(list(arguments), os.environ.get(SUPERVISOR), store_key.handed())
        with contextlib.suppress(BrokenPipeError):  # where it was ended meanwhile, `poll` says so
            os.write(self._tell, msgspec.json.encode(told) + b"\n")
        return self

    def poll(self) -> int | None:
        """Its status, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """As `poll`."""
        return self.poll()

    def terminate(self) -> None:
        """Have it end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def wait(self, within: float | None = None) -> None:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        self._process.join(within)
        if within is not None and self.poll() is None:
            raise subprocess.TimeoutExpired(self._process.name, within)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()

    def close(self) -> None:
        """End it where nobody did."""
        if self.poll() is None:
            self.terminate()
            self._process.join(_END_WITHIN)
            self.kill()
            self._process.join()
        os.close(self._tell)


@contextlib.contextmanager
def early(module: str, main: Main) -> Iterator[Early | None]:
    """Such a process as long as this lasts; None where this process has threads, and none can be forked."""
    if threading.active_count() > 1:
        yield None
        return
    forked = Early(module, main)
    try:
        yield forked
    finally:
        forked.close()


def _wait(told: int, module: str, main: Main, parent: int) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    setproctitle(f"{sys.executable} -m {module}")
    gc.freeze()  # all of it is the parent's too: not walked here, its pages stay shared
    gc.enable()
    line = b""
    while not line.endswith(b"\n"):
        if os.getppid() != parent:
            sys.exit(0)
        if select.select([told], [], [], _LOOK)[0]:
            line += os.read(told, 65536)
    os.close(told)
    given = msgspec.json.decode(line, type=_Told)
    store_key.take(given.key)
    if given.supervisor is not None:
        os.environ[SUPERVISOR] = given.supervisor
    setproctitle(f"{sys.executable} -m {module} {' '.join(given.arguments)}")
    sys.exit(main(given.arguments))
