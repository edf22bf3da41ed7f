"""`place`: an empty store of each kind in turn."""

from __future__ import annotations

from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["Place", "bare", "place", "server", "store"]
