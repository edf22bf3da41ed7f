"""A desk before the open pages of a world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import world as worlds
from tests.public.desk import Desk
from tests.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


@pytest.fixture
def desk(world: World) -> Desk:
    world.calm()
    world.entries()
    return Desk(world)
