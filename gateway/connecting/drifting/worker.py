"""The process that watches departments' systems, beside those that serve, as `dutybound source watch` does by hand.

`python -m gateway.connecting.drifting.worker --config FILE` works until it is told to stop, or its parent is gone;
`dutybound serve` keeps it where `gateway.yaml` has `source_watch` (`beside`). Of all on one store one looks: it holds
the name `watching-sources`. The others wait, and one takes its place when it ends, however it ends.

Each look reads the files anew, so that a mapping that was changed, or another rule set, counts from the next one on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.settings import Settings
from gateway.config.source_watch import SourceWatch
from gateway.connecting.drifting.watching import look
from gateway.errors import DutyboundError, LedgerUnavailable, StoreUnavailable, printable
from gateway.ledger.log import operator
from gateway.ledger.log.operator import Workplace
from gateway.manage.beside import arguments, kept, rested, until_told
from gateway.manage.link import Link, supervisor
from gateway.manage.states import Heard, States
from gateway.saying import in_words
from gateway.storage.port import Held
from gateway.telemetry.log import Log, take_over

HOLD = "watching-sources"
PART = "drift"
"""Its name in what is told to the log."""
SOON = 60.0
"""Seconds until the next look at most, where the last one came to nothing."""
_NICE = 10
_AGAIN = 2.0
"""Seconds until it looks again whether the name is free, and whether it still has it."""


def beside(config: Path, stopping: threading.Event, settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Keep such a process as long as this lasts, where `source_watch` is set."""
    if settings.source_watch is None:
        return contextlib.nullcontext()
    return kept("gateway.connecting.drifting.worker", config, PART, stopping)


async def run(
    config: Path, place: Workplace, wanted: SourceWatch, log: Log, stopping: asyncio.Event, link: Link | None = None
) -> None:
    """Look again and again, while nobody else on this store does, until it is to stop."""
    heard = States(log.state).of(PART)
    while not stopping.is_set():
        try:
            held = await place.store.hold(HOLD)
            if held is not None:
                try:
                    await _watching(config, wanted, log, held, heard, stopping, link)
                finally:
                    await held.release()
        except (StoreUnavailable, SQLAlchemyError) as error:
            heard("", f"the store is out of reach ({in_words(error)})")
        await rested(stopping, _AGAIN)


async def _watching(
    config: Path,
    wanted: SourceWatch,
    log: Log,
    held: Held,
    heard: Heard,
    stopping: asyncio.Event,
    link: Link | None,
) -> None:
    loop = asyncio.get_running_loop()
    while not stopping.is_set() and held.alive:
        looking = asyncio.create_task(look(config, wanted.state, wanted.metrics, None, log, link))
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait({looking, told}, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        told.cancel()
        (found, _) = await asyncio.gather(looking, told, return_exceptions=True)
        if stopping.is_set():
            return
        why = _why(found)
        heard("", why)
        until = loop.time() + (wanted.every if why is None else min(wanted.every, SOON))
        while not stopping.is_set() and held.alive and loop.time() < until:
            await rested(stopping, min(_AGAIN, max(0.0, until - loop.time())))


def _why(found: object) -> str | None:
    """Why a look came to nothing, for the log."""
    if isinstance(found, DutyboundError | LedgerUnavailable | StoreUnavailable):
        return printable(str(found))
    if isinstance(found, BaseException):
        return f"a defect of this program ({type(found).__name__}); report it"
    return None


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM, or the end of the parent."""
    given = arguments(argv, __doc__)
    log = Log()
    try:
        with operator.opened(given.config) as place:
            wanted = place.settings.source_watch
            if wanted is None:
                return 0
            take_over(log)
            os.nice(_NICE)
            link = supervisor()
            asyncio.run(
                until_told(
                    lambda stopping: run(given.config, place, wanted, log, stopping, link), given.parent, PART, link
                )
            )
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
