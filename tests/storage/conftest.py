"""`place`: an empty store of each kind in turn, for the contract that both keep. `server`: the worker's PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.storage.port import Store
from gateway.storage.store import open_store
from tests.services import Postgres, postgres


class Place:
    """Where a store is: its URL, and as many openings of it as a test likes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[Store] = []

    @property
    def kind(self) -> str:
        return self.url.partition(":")[0].partition("+")[0]

    def open(self) -> Store:
        store = open_store(self.url)
        self._opened.append(store)
        return store

    def close(self) -> None:
        for store in self._opened:
            store.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        running: Postgres = request.getfixturevalue("server")
        url = running.url(running.database())
    with contextlib.closing(Place(url)) as made:
        yield made


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
