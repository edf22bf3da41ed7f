"""A process beside those that serve: kept as long as they are, and ended with them.

`kept` starts it, or lets one begin that was forked (`gateway.manage.early`), and starts it again when it ends before
its time. In it, `arguments` reads what it was started with, and `until_told` runs its work until it is told to stop, or
its parent is gone, however that ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.config import store_key
from gateway.manage.early import Early
from gateway.manage.link import Link
from gateway.manage.messages import Turns
from gateway.manage.states import States
from gateway.telemetry.log import Log

LOOK = 0.5
"""Seconds between two looks whether the parent is there, or the process that it keeps."""
_AFTER_START = 2.0
_AFTER_END = 1.0
_END_WITHIN = 10.0
_SOUND = 5.0
_LONG = 30.0
"""Seconds: one that ended sooner is not started again at once, and the longest that it is waited."""


@contextlib.contextmanager
def kept(module: str, config: Path, name: str, stopping: threading.Event, first: Early | None = None) -> Iterator[None]:
    """Keep a process of `module` as long as this lasts. `name` is its part's, in what is logged.

    Once `stopping` is set, one that ended is in order and not started again: a signal may have reached all processes.
    The `first` one may be there already; those that take its place are started.
    """
    ended = threading.Event()
    given = (module, config, name, stopping, first, ended)
    keeper = threading.Thread(target=_keep, args=given, name=name, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join(_END_WITHIN + 5)


def _keep(
    module: str, config: Path, name: str, stopping: threading.Event, first: Early | None, ended: threading.Event
) -> None:
    arguments = ["--config", str(config), "--parent", str(os.getpid())]
    command = [sys.executable, "-m", module, *arguments]
    heard = States(Log().state).of(name)
    pause = _AFTER_START  # those that serve start first
    while not (ended.wait(pause) or stopping.is_set()):
        begun = time.monotonic()
        started, first = (first.begin(arguments) if first else _started(command)), None
        with started as process:
            while process.poll() is None:
                if time.monotonic() - begun > _SOUND:
                    heard("", None)
                if ended.wait(LOOK):
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_END_WITHIN)
                    process.kill()
        if not (ended.is_set() or stopping.wait(LOOK)):  # the parent may be about to hear the same signal
            heard("", f"it ended with status {process.returncode}, and is started again")
        pause = _AFTER_END if time.monotonic() - begun > _LONG else min(2 * pause, _LONG)


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    handed = store_key.handed()
    more = ["--key-handed"] if handed else []
    process = subprocess.Popen([*command, *more], stdin=subprocess.PIPE)  # noqa: S603 - our own
    assert process.stdin is not None, "it is a pipe"
    with contextlib.suppress(BrokenPipeError), process.stdin as given:
        given.write(handed)
    return process


def arguments(argv: Sequence[str] | None, about: str | None) -> argparse.Namespace:
    """What the process was started with: `config`, and the `parent` that it ends with.

    What a command printed as the key of the store comes on the standard input, and is held.
    """
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="gateway.yaml")
    # Not asked for by the process itself: a parent that ended while this began is not the parent any more.
    parser.add_argument("--parent", type=int, default=os.getppid(), metavar="PID", help="end with this process")
    parser.add_argument("--key-handed", action="store_true", help="the key of the store is on the standard input")
    given = parser.parse_args(argv)
    if given.key_handed:
        store_key.take(sys.stdin.buffer.read())
    return given


async def until_told(
    work: Callable[[asyncio.Event], Coroutine[Any, Any, None]], parent: int, part: str = "", link: Link | None = None
) -> None:
    """Run `work`, which ends once the event that it is given is set: by SIGTERM, or the parent's end.

    Ctrl-C reaches a whole terminal: the parent hears it too, and ends this once those that serve are done. Over `link`
    the supervisor hears that the part still runs.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    working = asyncio.create_task(work(stopping))
    while not working.done() and os.getppid() == parent:
        if link is not None:
            link.tell(Turns(part))
        await asyncio.wait([working], timeout=LOOK)
    stopping.set()
    await working


async def rested(stopping: asyncio.Event, seconds: float) -> None:
    """Rest for so long, or until it is to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
