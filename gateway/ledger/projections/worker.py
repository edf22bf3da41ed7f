"""The projector as a process of its own, beside those that serve: no inquiry waits for it.

`python -m gateway.ledger.projections.worker --config FILE` projects until it is told to stop, or its parent is gone.
`beside` starts it, and again when it ends before its time. Of all on one store one works (it holds the name
`projector`, as a process holds its shard); the others wait, and one of them takes its place when it ends.

It rests twenty times as long as it works (`rest_after`), since many entries cost little more than few: each turn takes
the store's write lock, and changes pages all over the tables. It rests half a second at least and three at most, and no
longer than until so many entries wait as one turn takes: to wait for more would save nothing. So it never falls further
behind than it can work, and under full load no further than two such turns. What it takes then it takes from nobody's
inquiry before its turn: its priority is lower (`_NICE`).

A shard that it cannot go on with is told to the log, once a process; its lag then grows in `/metrics`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.config import settings
from gateway.errors import DutyboundError, StoreUnavailable
from gateway.ledger.projections.projector import BATCH, Projector
from gateway.manage.beside import arguments, kept, rested, until_told
from gateway.manage.early import Early, early
from gateway.manage.states import States
from gateway.saying import in_words
from gateway.storage.port import Store
from gateway.storage.projections.projecting import unhurried
from gateway.storage.store import open_configured
from gateway.telemetry.log import Log, take_over

_MODULE = "gateway.ledger.projections.worker"
HOLD = "projector"
REST = 20.0
LEAST, LONGEST = 0.025, 3.0
"""Seconds of work that it rests for where it worked less; and the longest that it rests."""
HURRY = BATCH
"""With so many entries behind it does not rest: they fill a turn."""
LOOK = 0.5
"""Seconds of rest between two looks at how many entries wait."""
_NICE = 5
"""Inquiries come first on a busy core; no more than this, since it also holds the store's lock for moments."""
IDLE = 0.5
"""Seconds between two looks for new entries, where there were none; and between two tries to take the work over."""


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
                    took = 0.0
                    try:
                        while not stopping.is_set() and held.alive:
                            begun = time.monotonic()
                            worked = await asyncio.to_thread(projector.turn)
                            took += time.monotonic() - begun
                            for shard in projector.stopped.keys() - told:
                                told.add(shard)
                                log.projection_stopped(projector.stopped[shard].shard, projector.stopped[shard].entry)
                            heard("", None)
                            if not projector.waiting:
                                pause = rest_after(took, projector.behind, rest) if worked else IDLE
                                await _rested(stopping, projector, pause)
                                took = 0.0
                    finally:
                        await held.release()
            except (StoreUnavailable, SQLAlchemyError) as error:
                heard("", in_words(error))
            await rested(stopping, IDLE)
    finally:
        await asyncio.to_thread(projector.close)


def rest_after(took: float, behind: int, rest: float = REST) -> float:
    """How many seconds to rest at most after so many of work, with so many entries still to be taken."""
    return min(rest * max(took, LEAST), LONGEST) if behind < HURRY else 0.0


async def _rested(stopping: asyncio.Event, projector: Projector, seconds: float) -> None:
    """Rest for so long, or until the entries that wait fill a turn, or it is to stop."""
    while seconds > LOOK and not stopping.is_set():
        await rested(stopping, LOOK)
        seconds -= LOOK
        if await asyncio.to_thread(projector.look) >= HURRY:
            return
    await rested(stopping, seconds)


def forked() -> contextlib.AbstractContextManager[Early | None]:
    """A projector process that was forked, as long as this lasts, for `beside` to let it begin."""
    return early(_MODULE, main)


def beside(
    config: Path, stopping: threading.Event, first: Early | None = None
) -> contextlib.AbstractContextManager[None]:
    """Keep a projector process as long as this lasts."""
    return kept(_MODULE, config, "projector", stopping, first)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM, or the end of the parent."""
    given = arguments(argv, __doc__)
    try:
        store = open_configured(settings.load(given.config, os.environ))
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
        asyncio.run(until_told(lambda stopping: run(store, log, stopping), given.parent))
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
