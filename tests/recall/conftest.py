"""`place`: an empty store of each kind in turn. On one, `room`: a desk with answers; `region`: two gateways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.acts.whole.replicas import together
from tests.recall.room import Room, room_on
from tests.recall.telling import Telling
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["Place", "bare", "place", "room", "server", "store"]


@pytest.fixture
async def room(place: Place) -> AsyncIterator[Room]:
    async with room_on(place.open()) as made:
        yield made


@pytest.fixture
def region(place: Place) -> Iterator[Telling]:
    with together(place) as (world, both):
        yield Telling(world, both)
