"""Has drafts looked at (`child`), one at a time in a process, and remembers the last results.

The same files on the same day give the same, so that a result is kept by their digest.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Mapping

import msgspec
from cachetools import LRUCache

from gateway.bounds.children import OneAtATime, ran
from gateway.drafts.child import EVERYTHING, Edit, Found, Looked, Part, Purposed, Wanted

WITHIN = 90.0
"""Seconds that a look may take."""
WAITING = 8
"""Looks at once, the one that is on and those that wait for it."""
KEPT = 32


class Apart:
    """Looks at archives, with what of `gateway.yaml` names in files are read by."""

    def __init__(self, issuers: Mapping[str, str], registries: Collection[str] | None) -> None:
        self._issuers, self._registries = issuers, None if registries is None else tuple(registries)
        self._known: LRUCache[bytes, Found] = LRUCache(KEPT)
        self._process = OneAtATime(looked, WAITING, "other drafts are looked at now; try again")

    def asked(
        self,
        part: Part,
        files: bytes,
        day: datetime.date,
        wanted: Wanted = EVERYTHING,
        edit: Edit | Purposed | None = None,
    ) -> Looked:
        """What is asked of an archive, held to a day."""
        return Looked(part, files, day, self._issuers, self._registries, wanted, edit)

    async def look(self, asked: Looked) -> Found:
        """The result; raises `Refusal`."""
        key = hashlib.sha256(msgspec.msgpack.encode(asked)).digest()
        if key not in self._known:
            self._known[key] = await self._process.ask(asked)
        return self._known[key]


def looked(asked: Looked) -> Found:
    """What comes of a look; raises `CommandRefused` where it takes too much, or fails. Blocks."""
    return ran("gateway.drafts.child", asked, Found, WITHIN, "the draft cannot be looked at")
