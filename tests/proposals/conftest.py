"""`room`: people at an empty store of each kind in turn, with the shipped policies active."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.proposals.room import Room, room_on
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["bare", "place", "room", "server", "store"]


@pytest.fixture
async def room(place: Place) -> AsyncIterator[Room]:
    async with room_on(place.open()) as made:
        yield made
