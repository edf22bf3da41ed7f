"""An office whose commands find PostgreSQL's own programs, of the version of the tests' server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.services import PROGRAMS
from tests.storage.conftest import Place, bare, place
from tests.storage.office import office, server

__all__ = ["bare", "office", "place", "server"]


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")


def lose(place: Place) -> None:
    """The store is gone, as with its disk; of PostgreSQL there is an empty database."""
    if place.kind == "sqlite":
        place.close()
        for each in Path(place.url.removeprefix("sqlite:///")).parent.glob("store.db*"):
            each.unlink()
        return
    with place.open().engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    place.close()
