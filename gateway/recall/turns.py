"""A turn: what the process that recalls does again and again, and all that turns are made of.

Each has a task of its own: one that fails, or takes long, keeps no other from its turn. What fails is told by the
turn's name, once, and tried again later and later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.acts.office import Office
from gateway.config.settings import Settings
from gateway.errors import Refusal
from gateway.manage.beside import rested
from gateway.manage.link import Link
from gateway.manage.states import Heard, States
from gateway.recall.measuring import Counting
from gateway.saying import in_words
from gateway.telemetry.log import Log

IDLE = 0.5
"""Seconds between two looks at what is due, and until the next turn, where the last had nothing to do."""
SELDOM = 30.0
"""The same of a turn that is woken once there is something for it, within `IDLE`."""
REST = 1.0
"""A turn that did something rests so many times as long as it took: what it takes of a core is bounded."""
LEAST, LONGEST = 0.02, 30.0
"""Seconds that it rests at least, and at most after a fault."""


class Around(NamedTuple):
    """What the process has, of which turns are made. `office` acts in the process's own shard of the ledger."""

    office: Office
    settings: Settings
    states: States
    log: Log
    counting: Counting
    link: Link | None = None


class Turn(NamedTuple):
    """`turn` does some of what waits, and returns whether it did anything; there is more then. `close` ends what it
    began.

    `every` is how many seconds pass until the next where there was nothing, `rest` how long it rests else, as a part of
    what it took. It is woken before where one of `wakes` is due: members of `gateway.recall.due.Due`.
    """

    name: str
    turn: Callable[[], Awaitable[bool]]
    every: float = IDLE
    rest: float = REST
    close: Callable[[], Awaitable[None]] | None = None
    wakes: tuple[str, ...] = ()


async def again(
    turn: Turn, heard: Heard, stopping: asyncio.Event, in_doubt: Callable[[], bool], wake: asyncio.Event
) -> None:
    """Take turns until it is to stop. `heard` gets by the turn's name why it stands still.

    While there is nothing to do, `wake` ends the rest; whoever sets `stopping` sets it too. While the time is in doubt
    nothing is due, and that is reported by the clock's own name.
    """
    failures = 0
    try:
        while not stopping.is_set():
            begun = time.monotonic()
            wake.clear()  # before it looks: what wakes it meanwhile may be what it has not seen
            try:
                worked = await turn.turn()
            except Exception as error:  # whatever it is, it goes on once that is over
                failures += 1
                if not (isinstance(error, Refusal) and in_doubt()):
                    heard(turn.name, f"it stands still ({in_words(error)})")
                await rested(stopping, min(LONGEST, IDLE * 2 ** min(failures, 10)))
                continue
            failures = 0
            heard(turn.name, None)
            took = time.monotonic() - begun
            if worked:
                await rested(stopping, max(LEAST, turn.rest * took))
            else:
                await rested(wake, turn.every)
    finally:
        if turn.close is not None:
            await turn.close()
