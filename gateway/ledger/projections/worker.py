"""The projector as a process of its own, beside those that serve: no inquiry waits for it.

`python -m gateway.ledger.projections.worker --config FILE` projects until it is told to stop, or its parent is gone.
`beside` starts it, and again when it ends before its time. Of all on one store one works (it holds the name
`projector`, as a process holds its shard); the others wait, and one of them takes its place when it ends.

It rests the less the more it is behind (`rest_after`): three times as long as it works where it is not, so that it
takes a quarter of a core, and not at all from a thousand entries on, so that it never falls further behind than it can
work. What it takes then it takes from nobody's inquiry before its turn: its priority is lower (`_NICE`).

A shard that it cannot go on with is told to the log, once a process; its lag then grows in `/metrics`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway import settings
from gateway.errors import DutyboundError, StoreUnavailable
from gateway.ledger.projections.projector import Projector
from gateway.manage.states import States
from gateway.storage.port import Store
from gateway.storage.projections import unhurried
from gateway.storage.store import open_configured
from gateway.telemetry import Log, take_over

HOLD = "projector"
REST = 3.0
HURRY = 1024
"""From so many entries behind it does not rest at all."""
_NICE = 5
"""Inquiries come first on a busy core; no more than this, since it also holds the store's lock for moments."""
IDLE = 0.5
"""Seconds between two looks for new entries, where there were none; and between two tries to take the work over."""
_AFTER_START = 2.0
_AFTER_END = 1.0
_END_WITHIN = 10.0
_SOUND = 5.0
_LONG = 30.0
"""Seconds: one that ended sooner is not started again at once, and the longest that it is waited."""


async def run(store: Store, log: Log, stopping: asyncio.Event, rest: float = REST) -> None:
    """Project while nobody else on this store does, until `stopping` is set; it rests at most `rest` times its work.

    A store out of reach is tried again and again.
    """
    projector = Projector(store)
    told: set[int] = set()
    heard = States(log.state).of("projector")
    try:
        while not stopping.is_set():
            try:
                held = await store.hold(HOLD)
                if held is not None:
                    try:
                        while not stopping.is_set() and held.alive:
                            begun = time.monotonic()
                            worked = await asyncio.to_thread(projector.turn)
                            took = time.monotonic() - begun
                            for shard in projector.stopped.keys() - told:
                                told.add(shard)
                                log.projection_stopped(projector.stopped[shard].shard, projector.stopped[shard].entry)
                            heard("", None)
                            await _rest(stopping, rest_after(took, projector.behind, rest) if worked else IDLE)
                    finally:
                        await held.release()
            except (StoreUnavailable, SQLAlchemyError) as error:
                heard("", type(error).__name__)
            await _rest(stopping, IDLE)
    finally:
        await asyncio.to_thread(projector.close)


def rest_after(took: float, behind: int, rest: float = REST) -> float:
    """How many seconds to rest after so many of work, with so many entries still to be taken."""
    return rest * took * max(0.0, 1 - behind / HURRY)


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


@contextlib.contextmanager
def beside(config: Path) -> Iterator[None]:
    """Keep a projector process as long as this lasts."""
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(config, ended), name="projector", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join(_END_WITHIN + 5)


def _keep(config: Path, ended: threading.Event) -> None:
    command = [sys.executable, "-m", "gateway.ledger.projections.worker", "--config", str(config)]
    command += ["--parent", str(os.getpid())]
    heard = States(Log().state).of("projector")
    pause = _AFTER_START  # those that serve start first
    while not ended.wait(pause):
        begun = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 - our own
            while process.poll() is None:
                if time.monotonic() - begun > _SOUND:
                    heard("", None)
                if ended.wait(0.25):
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_END_WITHIN)
                    process.kill()
        if not ended.is_set():
            heard("", f"it ended with status {process.returncode}, and is started again")
        pause = _AFTER_END if time.monotonic() - begun > _LONG else min(2 * pause, _LONG)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT, or the end of the parent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="gateway.yaml")
    # Not asked for here: a parent that ended while this began is not the parent any more.
    parser.add_argument("--parent", type=int, default=os.getppid(), metavar="PID", help="end with this process")
    arguments = parser.parse_args(argv)
    try:
        store = open_configured(settings.load(arguments.config, os.environ))
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1
    log = Log()
    take_over(log)
    unhurried(store.engine)
    os.nice(_NICE)
    # Entries leave few cycles behind, and the collector would walk all that is here for every few hundred of them:
    # that was a third of the work.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        asyncio.run(_until_told(store, log, arguments.parent))
    finally:
        store.close()
    return 0


async def _until_told(store: Store, log: Log, parent: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    working = asyncio.create_task(run(store, log, stopping))
    while not working.done() and os.getppid() == parent:
        await asyncio.wait([working], timeout=IDLE)
    stopping.set()
    await working


if __name__ == "__main__":
    sys.exit(main())
