"""Both stores, as the contract of stores has them."""

from __future__ import annotations

from tests.storage.conftest import bare, place, server, store

__all__ = ["bare", "place", "server", "store"]
