"""`key`: the file of a key. `sealed`: an empty place whose rows are sealed by it, of each kind in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.storage.sealing import key_file
from tests.storage.conftest import Place, place, server

__all__ = ["place", "server"]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    key_file.generate(tmp_path / "store.key")
    return tmp_path / "store.key"


@pytest.fixture
def sealed(place: Place, key: Path) -> Place:
    place.key = key
    return place
