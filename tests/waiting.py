"""Waiting for what comes by itself: with a bound, and where it does not come, with words for what was waited for."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds. Nothing takes so long, on however busy a machine; and a test may take 300."""
_PAUSE, _LONGEST = 0.01, 0.05
"""Seconds between two looks: more each time, since what is waited for and what looks share the machine."""


def until(what: str, reached: Callable[[], T], *, despite: tuple[type[Exception], ...] = ()) -> T:
    """Ask until the answer is true, and give it. One of the exceptions `despite` means that it is not yet."""
    end, last, pause = time.monotonic() + PATIENCE, None, _PAUSE
    while True:
        try:
            if last := reached():
                return last
        except despite as error:
            last = error
        if time.monotonic() > end:
            raise _given_up(what, last)
        time.sleep(pause)
        pause = min(1.2 * pause, _LONGEST)


async def until_async(
    what: str, reached: Callable[[], T | Awaitable[T]], *, despite: tuple[type[Exception], ...] = ()
) -> T:
    """The same beside other tasks. The answer may be one to be awaited."""
    end, last, pause = time.monotonic() + PATIENCE, None, _PAUSE
    while True:
        try:
            said = reached()
            if last := (await said if inspect.isawaitable(said) else said):
                return last
        except despite as error:
            last = error
        if time.monotonic() > end:
            raise _given_up(what, last)
        await asyncio.sleep(pause)
        pause = min(1.2 * pause, _LONGEST)


def _given_up(what: str, last: object) -> AssertionError:
    return AssertionError(f"waited {PATIENCE:g} s for {what}; at last it was {last!r}")
