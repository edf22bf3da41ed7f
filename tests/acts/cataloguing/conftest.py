"""`bureau`: stewards on an empty store of each kind in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.acts.cataloguing.bureau import Bureau, bureau_on
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["bare", "bureau", "place", "server", "store"]


@pytest.fixture
async def bureau(place: Place) -> AsyncIterator[Bureau]:
    async with bureau_on(place.open()) as made:
        yield made
