"""All that is served to everybody without a token, put together for one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.routing import Route

from gateway.clock import Now
from gateway.config.settings import Settings
from gateway.inquiry.journey import Journey
from gateway.ledger.entry.registry import OPEN
from gateway.ledger.log.build import ledger_of
from gateway.ledger.log.floor import Floor
from gateway.public.gate import Gate
from gateway.public.place import Place
from gateway.public.record import OpenRecords
from gateway.public.routes import Routes
from gateway.public.transparency import Transparency
from gateway.storage.port import Store
from gateway.texts.words import Words


class Public:
    """`using` gives the ports of an inquiry's steps, for as long as they are used; `words` are the pages' texts.

    `floor` rises with the entries of what was shown.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        private: Ed25519PrivateKey,
        now: Now,
        using: Callable[[], AbstractContextManager[Journey]],
        words: Words,
        floor: Floor,
    ) -> None:
        self._place = Place(lambda: ledger_of(store, settings.ledger, private, now, OPEN, floor=floor))
        self._records = OpenRecords(self._place)
        gate = Gate(settings.open.per_second, time.monotonic)
        self._routes = Routes(using, self._records, gate, settings.open.proxies, now, words)
        self._transparency = Transparency(store, using, gate, settings.open.proxies, words)

    def routes(self) -> list[Route]:
        """What is served."""
        return [*self._routes.routes(), *self._transparency.routes()]

    async def close(self) -> None:
        """Enter what is left to enter, and let the shard go."""
        await self._records.close()
        await self._place.close()
