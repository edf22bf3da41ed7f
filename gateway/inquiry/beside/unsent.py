"""Second entries that the ledger did not take: kept, and tried again until it does or the process ends.

Without one, the first entry says alone that its subject's data was received, which is more than happened. Which are
missing is known to this process only: one that was killed leaves them missing, and the next start cannot tell them
from answers that left.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
import logging
from typing import NamedTuple

from gateway.errors import LedgerUnavailable
from gateway.inquiry.disclose import LedgerPort
from gateway.ledger.entry.parts import EntryParts

log = logging.getLogger("dutybound.inquiry")

MOST = 10_000
"""Second entries that are kept; one more is given up, and told to the log."""
AGAIN = 1.0
LONGEST = 30.0


class Second(NamedTuple):
    """A second entry, of one subject of an inquiry."""

    inquiry: str
    parts: EntryParts
    at: datetime.datetime
    by: tuple[str, str]


class Unsent:
    """The second entries of one process, in the order in which they came. It belongs to one event loop."""

    def __init__(self, ledger: LedgerPort, again: float = AGAIN) -> None:
        self._ledger, self._again = ledger, again
        self._left: collections.deque[Second] = collections.deque()
        self._trying: asyncio.Task[None] | None = None

    async def enter(self, entry: Second) -> None:
        """Enter it now, or keep it."""
        if await self._entered(entry):
            return
        if len(self._left) >= MOST:
            log.error("inquiry %s did not leave, and that will not be entered: %s wait already", entry.inquiry, MOST)
            return
        log.error("inquiry %s did not leave, and that could not be entered yet", entry.inquiry)
        self._left.append(entry)
        if self._trying is None:
            self._trying = asyncio.get_running_loop().create_task(self._try())

    async def _try(self) -> None:
        wait = self._again
        while self._left:
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)
            while self._left and await self._entered(self._left[0]):
                self._left.popleft()
        self._trying = None

    async def _entered(self, entry: Second) -> bool:
        parts = entry.parts
        try:
            await self._ledger.append(parts.told, parts.oversight, entry.at, entry.by, (), parts.subjects)
        except LedgerUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Try what is left once more, and report what stays so."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait([self._trying])
        while self._left and await self._entered(self._left[0]):
            self._left.popleft()
        for entry in self._left:
            log.error("inquiry %s did not leave, and that was never entered", entry.inquiry)
