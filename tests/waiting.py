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
_PAUSE = 0.01


def until(what: str, reached: Callable[[], T], *, despite: tuple[type[Exception], ...] = ()) -> T:
    """Ask until the answer is true, and give it. One of the exceptions `despite` means that it is not yet."""
    end, last = time.monotonic() + PATIENCE, None
    while True:
        try:
            if last := reached():
                return last
        except despite as error:
            last = error
        if time.monotonic() > end:
            raise _given_up(what, last)
        time.sleep(_PAUSE)


async def until_async(
    what: str, reached: Callable[[], T | Awaitable[T]], *, despite: tuple[type[Exception], ...] = ()
) -> T:
    """The same beside other tasks. The answer may be one to be awaited."""
    end, last = time.monotonic() + PATIENCE, None
    while True:
        try:
            said = reached()
            if last := (await said if inspect.isawaitable(said) else said):
                return last
        except despite as error:
            last = error
        if time.monotonic() > end:
            raise _given_up(what, last)
        await asyncio.sleep(_PAUSE)


def _given_up(what: str, last: object) -> AssertionError:
    return AssertionError(f"waited {PATIENCE:g} s for {what}; at last it was {last!r}")
