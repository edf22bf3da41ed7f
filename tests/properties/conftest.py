"""`world`: one in-process world a module (`tests/world.py`); it takes the place of the region of processes here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import world as worlds


@pytest.fixture(scope="module")
def world() -> Iterator[worlds.World]:
    with worlds.opened() as opened:
        yield opened
