"""The memory of proofs that were taken, so that each counts once (RFC 9449, 11.1).

Two kinds: one process's own, and one in Valkey that all replicas share. Invariants: nothing is forgotten before its
time; a memory that is full or out of reach says so, and never says "first".
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.saying import in_words

MAX_REMEMBERED = 500_000
"""Proofs that one process remembers: about 60 MB; at `max_age` 60 s some 7,000 per second."""
WAIT = 1.0


class ReplaysUnavailable(Exception):
    """It cannot be determined now whether a proof is new."""


class Replays(Protocol):
    """Remembers."""

    async def first(self, key: bytes, seconds: float, now: float) -> bool:
        """Whether this is the first time within `seconds` that `key` is asked about; raises `ReplaysUnavailable`."""
        ...

    async def close(self) -> None:
        """Give up what is held."""
        ...


class OwnReplays:
    """Remembers in this process: enough where there is one process only.

    Keys stand in two generations; the older one is dropped when all of it is past its time.
    """

    def __init__(self) -> None:
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()
        self._turned = float("-inf")

    async def first(self, key: bytes, seconds: float, now: float) -> bool:
        """See `Replays`."""
        if now - self._turned >= seconds:
            self._old = self._new if now - self._turned < 2 * seconds else set()
            self._new, self._turned = set(), now
        if key in self._new or key in self._old:
            return False
        if len(self._new) + len(self._old) >= MAX_REMEMBERED:
            raise ReplaysUnavailable("too many proofs are remembered")
        self._new.add(key)
        return True

    async def close(self) -> None:
        """See `Replays`."""
        self._new, self._old = set(), set()


class SharedReplays:
    """Remembers in Valkey, for every process that asks the same one. Waits at most `WAIT` seconds."""

    def __init__(self, url: str) -> None:
        # Imported where it is configured: it would be a tenth of every start.
        from valkey.asyncio import Valkey
        from valkey.exceptions import ValkeyError

        self._faults = (ValkeyError, TimeoutError, OSError)
        self._valkey: Valkey = Valkey.from_url(
            url, socket_timeout=WAIT, socket_connect_timeout=WAIT, max_connections=64, client_name="dutybound"
        )

    async def first(self, key: bytes, seconds: float, now: float) -> bool:
        """See `Replays`."""
        del now
        try:
            async with asyncio.timeout(WAIT):
                name = b"dutybound:dpop:" + key
                return bool(await self._valkey.set(name, b"1", nx=True, px=int(seconds * 1000)))
        except self._faults as error:
            raise ReplaysUnavailable(in_words(error)) from error

    async def close(self) -> None:
        """See `Replays`."""
        await self._valkey.aclose()
