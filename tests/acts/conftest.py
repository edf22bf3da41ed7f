"""`desk`: an office on an empty store of each kind in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.acts.desk import Desk, desk_on
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["bare", "desk", "place", "server", "store"]


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    async with desk_on(place.open()) as made:
        yield made
