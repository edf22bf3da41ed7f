"""Has drafts looked at (`child`), one at a time in a process, and remembers the last results.

The same files on the same day give the same, so that a result is kept by their digest.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import subprocess
import sys
from collections.abc import Collection, Mapping

import msgspec
from cachetools import LRUCache

from gateway.drafts.child import EVERYTHING, Edit, Found, Looked, Part, Purposed, Wanted
from gateway.errors import Code, Refusal
from gateway.ledger.acting.planned import invalid

WITHIN = 90.0
"""Seconds that a look may take."""
WAITING = 8
"""Looks that may wait for the one that is on."""
KEPT = 32


class Apart:
    """Looks at archives, with what of `gateway.yaml` names in files are read by."""

    def __init__(self, issuers: Mapping[str, str], registries: Collection[str] | None) -> None:
        self._issuers, self._registries = issuers, None if registries is None else tuple(registries)
        self._known: LRUCache[bytes, Found] = LRUCache(KEPT)
        self._turn, self._waiting = asyncio.Lock(), 0

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
        """What there is to say; raises `Refusal`."""
        key = hashlib.sha256(msgspec.msgpack.encode(asked)).digest()
        if key in self._known:
            return self._known[key]
        if self._waiting >= WAITING:
            busy = "other drafts are looked at now; try again"
            raise Refusal(Code.DECISION_UNAVAILABLE, busy, headers={"Retry-After": "5"}, retryable=True)
        self._waiting += 1
        try:
            async with self._turn:
                made = self._known[key] = await asyncio.to_thread(looked, asked)
        finally:
            self._waiting -= 1
        return made


def looked(asked: Looked) -> Found:
    """What comes of a look; raises `Refusal` where it takes too much. Blocks."""
    command = [sys.executable, "-m", "gateway.drafts.child"]
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            command, input=msgspec.msgpack.encode(asked), capture_output=True, timeout=WITHIN, check=True
        )
        return msgspec.msgpack.decode(done.stdout, type=Found)
    except (subprocess.SubprocessError, OSError, msgspec.MsgspecError) as error:
        said = "the draft cannot be looked at: that takes too long, or too much memory; make it smaller"
        raise invalid("LIMIT", said) from error
