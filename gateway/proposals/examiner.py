"""Has proposed rule sets examined (`examination`), one at a time in a process, and remembers the last results.

What is stored never changes, and the same files over the same base give the same: so a result is kept by the digests of
both archives.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping

import msgspec
from cachetools import LRUCache

from gateway.errors import Code, CommandRefused, Refusal, printable
from gateway.ledger.acting.planned import invalid
from gateway.proposals.examination import Asked, Examined

WITHIN = 180.0
"""Seconds that an examination may take."""
WAITING = 4
"""Examinations that may wait for the one that runs."""

Examine = Callable[[Asked], Examined]


class Examiner:
    """Examines, with what of `gateway.yaml` names in files are read by; `examine` does so, and blocks."""

    def __init__(
        self, issuers: Mapping[str, str], registries: Collection[str] | None, examine: Examine | None = None
    ) -> None:
        self.issuers, self.registries = issuers, None if registries is None else tuple(registries)
        self._examine = examine or examined
        self._known: LRUCache[bytes, Examined] = LRUCache(32)
        self._turn, self._waiting = asyncio.Lock(), 0

    async def of(self, candidate: bytes, base: bytes | None, since: tuple[bytes, ...] = ()) -> Examined:
        """What there is to say of a candidate; raises `Refusal`."""
        key = b"".join(hashlib.sha256(each).digest() for each in (candidate, base or b"", *since))
        if key not in self._known:
            self._known[key] = await self._examined(Asked(candidate, base, self.issuers, self.registries, since))
        return self._known[key]

    async def table(self, candidate: bytes, base: bytes) -> str:
        """All that differs between the two as CSV; raises `Refusal`. It is large, and is not remembered."""
        found = await self._examined(Asked(candidate, base, self.issuers, self.registries, table=True))
        if found.problems:
            raise invalid("LIMIT", found.problems[0])
        return found.table

    async def _examined(self, asked: Asked) -> Examined:
        if self._waiting >= WAITING:
            busy = "other rule sets are examined now; try again"
            raise Refusal(Code.DECISION_UNAVAILABLE, busy, headers={"Retry-After": "5"}, retryable=True)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._refusing, asked)
        finally:
            self._waiting -= 1

    def _refusing(self, asked: Asked) -> Examined:
        try:
            return self._examine(asked)
        except CommandRefused as error:
            raise invalid("LIMIT", str(error)) from error


def examined(asked: Asked) -> Examined:
    """What comes of an examination; raises `CommandRefused` where it takes too much, or fails. Blocks."""
    command = [sys.executable, "-m", "gateway.proposals.examination"]
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            command, input=msgspec.msgpack.encode(asked), capture_output=True, timeout=WITHIN, check=True
        )
        return msgspec.msgpack.decode(done.stdout, type=Examined)
    except (subprocess.SubprocessError, OSError, msgspec.MsgspecError) as error:
        raise CommandRefused(f"the rule set cannot be examined: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Whether it took too much, or the examination itself failed at it: then its last line says by what."""
    if isinstance(error, subprocess.CalledProcessError) and error.returncode > 0:
        *_, last = error.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        kind = last.partition(":")[0]
        if kind and kind != "MemoryError":
            return (
                f"the examination failed at it ({printable(kind)}): a fault of this program, not the files'; report it"
            )
    return "that takes too long, or too much memory; make it smaller"
