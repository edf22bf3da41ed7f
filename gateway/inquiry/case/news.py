"""Changed cases between replicas: what a registry reports to one of them reaches all of them, through Valkey.

A registry's notice comes to one process, behind a load balancer; the others have verifications of their own to drop.
Invariants: a process that does not hear the news keeps no verification, so that none outlives a change it did not hear
of; when it hears again, it begins with nothing. A notice is done only once the news is out: until then the registry is
told to send it again.

Left to others: whose notice it is (`gateway.web.hooks`), what is dropped (`registries`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from hashlib import blake2b
from typing import Any

import msgspec
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from gateway.inquiry.case.registries import CaseRegistries
from gateway.saying import in_words

log = logging.getLogger("dutybound.cases")

WAIT = 1.0
"""Seconds that Valkey may take to answer; so often it is asked whether it is still there."""


class CaseNews:
    """Keeps `cases` up to date with what other processes of the ledger `name` hear from registries, by the Valkey at
    `url`."""

    def __init__(self, url: str, name: str, cases: CaseRegistries) -> None:
        self._valkey: Any = Valkey.from_url(
            url, socket_timeout=WAIT, socket_connect_timeout=WAIT, client_name="dutybound", max_connections=4
        )
        self._channel = f"dutybound:cases:{blake2b(name.encode(), digest_size=8).hexdigest()}"
        self._cases = cases
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; until Valkey is heard, no verification is kept."""
        self._cases.keep(False)
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def changed(self, registry: str, case: str | None) -> None:
        """Notify this process and all others; raises `ConnectionError` where the others cannot be notified."""
        self._cases.changed(registry, case)
        try:
            async with asyncio.timeout(WAIT):
                await self._valkey.publish(self._channel, msgspec.msgpack.encode((registry, case)))
        except (ValkeyError, OSError, TimeoutError) as error:
            raise ConnectionError("other replicas cannot be notified now") from error

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        await self._valkey.aclose()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._valkey.pubsub() as news:
                    await news.subscribe(self._channel)
                    await self._hear(news)
            except (ValkeyError, OSError, TimeoutError, msgspec.MsgspecError) as error:
                log.warning("the news of changed cases is not heard (%s)", in_words(error))
            finally:
                self._cases.keep(False)
            await asyncio.sleep(WAIT)

    async def _hear(self, news: Any) -> None:
        asked = False
        while True:
            message = await news.get_message(timeout=WAIT)
            if message is None:
                if asked:
                    raise TimeoutError
                await news.ping(b"there")
                asked = True
                continue
            asked = False
            if message["type"] == "subscribe":
                self._cases.keep(True)
            elif message["type"] == "message":
                self._cases.changed(*msgspec.msgpack.decode(message["data"], type=tuple[str, str | None]))
