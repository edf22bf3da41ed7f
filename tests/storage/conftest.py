"""`place`: an empty store of each kind in turn, for the contract that both keep. `server`: the worker's PostgreSQL.

The tables of an empty store are copied; where a test is about how they are made, `bare` is a place without them.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.store_key import StoreKey
from gateway.storage.port import Store
from gateway.storage.store import open_store
from tests import stores
from tests.services import Postgres, postgres


class Place:
    """Where a store is: its URL, and as many openings of it as a test likes."""

    def __init__(self, url: str, server: Postgres | None = None) -> None:
        self.url = url
        self.key: StoreKey | None = None  # of a place whose rows are sealed
        self._server = server
        self._opened: list[Store] = []
        self._copies: list[Place] = []

    @property
    def kind(self) -> str:
        return self.url.partition(":")[0].partition("+")[0]

    def open(self) -> Store:
        store = open_store(self.url, key=self.key)
        self._opened.append(store)
        return store

    def copy(self) -> Place:
        """Another place that has what this one has now, as a backup does; what is open here is closed."""
        self.close()
        if self._server is not None:
            url = self._server.url(self._server.database(self.url.rpartition("/")[2]))
        else:
            url = f"{self.url}.{len(self._copies)}"
            with (
                contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as here,
                contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as there,
            ):
                here.backup(there)
        self._copies.append(Place(url, self._server))
        self._copies[-1].key = self.key
        return self._copies[-1]

    def dump(self) -> bytes:
        """What whoever has a copy sees: PostgreSQL's own dump, or all bytes of SQLite's files."""
        if self._server is not None:
            return self._server.dump(self.url.rpartition("/")[2])
        file = Path(self.url.removeprefix("sqlite:///"))
        return b"".join(each.read_bytes() for each in sorted(file.parent.glob(f"{file.name}*")))

    def close(self) -> None:
        for each in (*self._opened, *self._copies):
            each.close()
        self._opened.clear()

    def remove(self) -> None:
        """Close it for good: files end with the test's folder, and databases here."""
        self.close()
        for each in self._copies:
            each.remove()
        if self._server is not None:
            self._server.drop(self.url.rpartition("/")[2])


@contextlib.contextmanager
def _removing(place: Place) -> Iterator[Place]:
    try:
        yield place
    finally:
        place.remove()


_RUNNING = pytest.StashKey[dict[tuple[tuple[str, str], ...], Postgres]]()


def kept_running(config: pytest.Config, **settings: str) -> Postgres:
    """The worker's server with these settings, to its end: a fixture that is imported is another one in each module."""
    running = config.stash.setdefault(_RUNNING, {})
    wanted = tuple(sorted(settings.items()))
    if wanted not in running:
        made = contextlib.ExitStack()
        config.add_cleanup(made.close)
        running[wanted] = made.enter_context(postgres(**settings))
    return running[wanted]


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Postgres:
    return kept_running(pytestconfig)


@functools.cache
def _made(server: Postgres) -> str:
    """A database of the server with the tables of an empty store."""
    name = server.database()
    open_store(server.url(name)).close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    else:
        running: Postgres = request.getfixturevalue("server")
        place = Place(running.url(running.database()), running)
    with _removing(place):
        yield place


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        stores.make(tmp_path / "store.db")
        place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    else:
        running: Postgres = request.getfixturevalue("server")
        place = Place(running.url(running.database(_made(running))), running)
    with _removing(place):
        yield place


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
