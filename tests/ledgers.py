"""Ledgers as tests need them: whole, as `gateway.ledger.log.build` makes them; or one shard by itself.

A shard by itself is neither registered nor published: what it leaves is what versions left that had no registry yet,
and what stays readable. Tests that are about one log take it, so that a store holds nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import machines
from gateway.ledger.entry.registry import SERVING
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.proof.note import Verifier
from gateway.storage.port import Store


class Unpublished(Publisher):
    """Publishes nothing; and nobody outside the store remembers anything."""

    async def remembered(self, shard: str, keys: Sequence[Verifier]) -> list[SeenOutside]:
        return []

    async def publish(self, shard: str) -> None: ...

    async def publish_sealed(self, shard: str) -> None: ...

    async def fresh(self, shard: str, size: int) -> None: ...


class Unregistered(Registrar):
    """Registers nothing."""

    async def check(self) -> None: ...

    async def register(self, shard: str, size: int, root: bytes) -> None: ...

    async def publish(self) -> None: ...


def ledger_on(
    store: Store,
    private: Ed25519PrivateKey,
    origin: str,
    *,
    shard: str | None = None,
    publisher: Publisher | None = None,
    registered: bool = False,
    names: Sequence[str] = SERVING,
    **settings: Any,
) -> Ledger:
    """A ledger, not yet started; a shard by itself unless it is `registered`."""
    made = publisher or (Publisher(store, origin, machines) if registered else Unpublished(store, origin, machines))
    registrar = (Registrar if registered else Unregistered)(store, private, origin, made)
    return Ledger(store, private, registrar, made, names=(shard,) if shard else names, **settings)
