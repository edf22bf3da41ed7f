"""A short run of `tests.faults.changes`, with kills in the middle of messages; and planted faults that it finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.storage.store import open_store
from tests.faults.changes import Found, judge, run


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_change_is_lost_or_doubled_when_workers_are_killed(store: str, tmp_path: Path) -> None:
    found = run(120, 2, 2, store, tmp_path, seed=5)
    assert found.sound, found
    assert (found.changes, found.entries, found.kills) == (120, 120, 2)
    assert found.inquiries > 0


def test_what_is_lost_doubled_or_skipped_is_found(tmp_path: Path) -> None:
    run(20, 1, 0, "sqlite", tmp_path, seed=6)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    for changes, what in ((21, "lost"), (19, "lost")):
        judge(found := Found(changes=changes), url, tmp_path, changes)
        assert getattr(found, what) > 0
    store = open_store(url)
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM fact WHERE change = (SELECT max(change) FROM fact)"))
    store.close()
    judge(found := Found(changes=20), url, tmp_path, 20)
    assert found.numbers_wrong > 0
    assert found.broken == 1
