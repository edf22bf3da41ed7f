"""A form that is sent twice, by a double click or where the network is slow, is answered as it was the first time.

A browser shows the answer to what it sent last. Of an act that was done already that would be a refusal, though the act
stands, and what the person reads would be false. So the same form of the same session waits for the one before it in
this process, and leads to where that led, with the same receipt; nothing is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from weakref import WeakValueDictionary

import msgspec

from gateway.console.sessions import Done, Session

AGAIN = 10
"""Seconds in which the same form counts as sent twice. Later it is meant anew, and the API judges it."""


def digest(place: str, form: Mapping[str, list[str]]) -> str:
    """A digest by which one form differs from another: of where it was sent, and of every field."""
    return hashlib.sha256(msgspec.json.encode([place, sorted(form.items())])).hexdigest()


def done_before(session: Session, sent: str, now: float) -> Done | None:
    """What came of the same form just before; None where it is the first. `now` is in seconds since the epoch."""
    before = session.done
    return before if before is not None and before.form == sent and now - before.at <= AGAIN else None


class Turns:
    """The forms that are being answered in this process."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def of(self, word: str, sent: str) -> AsyncIterator[bool]:
        """The turn of a session's form; gives whether the same one was under way, so that it had to wait."""
        lock = self._locks.setdefault((word, sent), asyncio.Lock())
        waited = lock.locked()
        async with lock:
            yield waited
