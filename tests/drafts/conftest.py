"""`room`: people at an empty store of each kind in turn, with the shipped policies active."""

from __future__ import annotations

from tests.proposals.conftest import room
from tests.storage.conftest import bare, place, server, store

__all__ = ["bare", "place", "room", "server", "store"]
