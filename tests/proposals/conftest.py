"""`room`: people at an empty store of each kind in turn, with the shipped policies active; and `in_this_process`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.proposals import examiner
from gateway.proposals.examination import Asked, Examined
from gateway.proposals.examined import examined
from tests.proposals.room import Room, room_on
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["bare", "place", "room", "server", "store"]


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule sets are examined in the tests' own process, where what was parsed is kept; others' tests have theirs."""

    def found(_module: str, asked: Asked, *_: object) -> Examined:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(examined(asked)), type=Examined)

    monkeypatch.setattr(examiner, "ran", found)


@pytest.fixture
async def room(place: Place) -> AsyncIterator[Room]:
    async with room_on(place.open()) as made:
        yield made
