"""The memory of proofs that were taken, so that each counts once (RFC 9449, 11.1).

Two kinds: one process's own, and one in Valkey that all replicas share. Invariants: nothing is forgotten before its
time; a memory that is full or out of reach says so, and never says "first". A Valkey that was restarted, emptied or
replaced is another memory, by another name: what was asked of the earlier one is not taken by it.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import secrets
from typing import Protocol

from gateway.saying import in_words

MAX_REMEMBERED = 500_000
"""Proofs that one process remembers: about 60 MB; at `max_age` 60 s some 7,000 per second."""
WAIT = 1.0


_SCRIPT = importlib.resources.files("gateway.identity") / "replay.lua"


class ReplaysUnavailable(Exception):
    """It cannot be determined now whether a proof is new."""


class Forgotten(Exception):
    """The memory that was named is gone; another one has begun, which knows of no proof."""


class Replays(Protocol):
    """Remembers."""

    async def memory(self) -> str:
        """The name of what remembers now; raises `ReplaysUnavailable`."""
        ...

    async def first(self, key: bytes, seconds: float, now: float, memory: str) -> bool:
        """Whether this is the first time within `seconds` that `key` is asked about.

        Raises `Forgotten` where another memory remembers by now, and `ReplaysUnavailable`.
        """
        ...

    async def close(self) -> None:
        """Give up what is held."""
        ...


class OwnReplays:
    """Remembers in this process: enough where there is one process only.

    Keys stand in two generations; the older one is dropped when all of it is past its time. It has no name: workers
    that share nothing take each other's nonces, and a process that is started anew takes those of the one before.
    """

    def __init__(self) -> None:
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()
        self._turned = float("-inf")

    async def memory(self) -> str:
        """See `Replays`."""
        return ""

    async def first(self, key: bytes, seconds: float, now: float, memory: str = "") -> bool:
        """See `Replays`."""
        del memory
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
        self._remember = self._valkey.register_script(_SCRIPT.read_text("utf-8"))
        self._memory = ""

    async def memory(self) -> str:
        """See `Replays`; asked for once, and kept until it is another's."""
        if not self._memory:
            await self._asked(b"", 0)
        return self._memory

    async def first(self, key: bytes, seconds: float, now: float, memory: str) -> bool:
        """See `Replays`."""
        del now
        known = self._memory
        said = await self._asked(key, int(seconds * 1000))
        if memory != known or self._memory != known:
            raise Forgotten
        return said == 1

    async def _asked(self, key: bytes, milliseconds: int) -> object:
        """What Valkey says of a proof: 1 for a new one, 0 for one that was taken, or the name of another memory."""
        try:
            async with asyncio.timeout(WAIT):
                said = await self._remember(
                    keys=[b"{dutybound:dpop}:memory", b"{dutybound:dpop}:" + key],
                    args=[self._memory, secrets.token_hex(8), milliseconds],
                )
        except self._faults as error:
            raise ReplaysUnavailable(in_words(error)) from error
        if isinstance(said, bytes):
            self._memory = said.decode()
        return said

    async def close(self) -> None:
        """See `Replays`."""
        await self._valkey.aclose()
