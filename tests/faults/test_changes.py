"""A short run of `tests.faults.changes`, with kills in the middle of messages; and planted faults that it finds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from gateway.storage.store import open_store
from tests.faults.changes import Found, judge, run

CHANGES = 120


class Ran(NamedTuple):
    """A run: what it found, and where its store is."""

    found: Found
    folder: Path


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run, for both tests that want it: to be read by the first of them, and altered by the other."""
    folder = tmp_path_factory.mktemp("changed")
    return Ran(run(CHANGES, 2, 2, "sqlite", folder, seed=5, alone_for=0.2), folder)


@pytest.mark.long_cases("postgresql")
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_change_is_lost_or_doubled_when_workers_are_killed(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if store == "sqlite":
        found = request.getfixturevalue("on_sqlite").found
    else:
        found = run(CHANGES, 2, 2, store, tmp_path, seed=5, alone_for=0.2)
    assert found.sound, found
    assert (found.changes, found.entries, found.kills) == (CHANGES, CHANGES, 2)
    assert found.inquiries > 0


def test_what_is_lost_doubled_or_skipped_is_found(on_sqlite: Ran) -> None:
    folder = on_sqlite.folder
    url = f"sqlite:///{folder / 'ledger.db'}"
    for changes in (CHANGES + 1, CHANGES - 1):
        judge(found := Found(changes=changes), url, folder, changes)
        assert found.lost > 0
    store = open_store(url)
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM fact WHERE change = (SELECT max(change) FROM fact)"))
    store.close()
    judge(found := Found(changes=CHANGES), url, folder, CHANGES)
    assert found.numbers_wrong > 0
    assert found.broken == 1
