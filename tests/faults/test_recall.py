"""A short run of `tests.faults.recall`, with both kills; and planted faults that it finds."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from gateway.storage.store import open_store
from tests.faults.recall import Found, Size, Trial, run

SMALL = Size(disclosures=600, recipients=5, corrected=60, messages=2, alone=0.2, pause=0.5, leases=False)


class Ran(NamedTuple):
    """A run: what it found, and where its store is."""

    found: Found
    trial: Trial
    folder: Path


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run, for both tests that want it: to be read by the first of them, and altered by the other."""
    folder = tmp_path_factory.mktemp("recalled")
    return Ran(*run(SMALL, "sqlite", folder), folder)


@pytest.mark.long_cases("postgresql")
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_everybody_is_told_once_also_where_processes_are_killed(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue("on_sqlite").found if store == "sqlite" else run(SMALL, store, tmp_path)[0]
    assert (found.doubled, found.missed, found.failed) == (0, 0, 0), found  # how long it took, `make trials` looks at
    assert (found.selected, found.delivered, found.kills) == (120, 120, 2)
    assert found.inquiries > 0


def test_what_is_missed_or_doubled_is_found(on_sqlite: Ran) -> None:
    trial = on_sqlite.trial
    doubled = (
        "UPDATE recall SET place = (SELECT max(place) FROM recall), job = id, records = (SELECT records FROM recall"
    )
    doubled += " WHERE place = (SELECT max(place) FROM recall)) WHERE place = (SELECT min(place) FROM recall)"
    with contextlib.closing(open_store(f"sqlite:///{on_sqlite.folder / 'ledger.db'}")) as store:
        with store.engine.begin() as connection:
            connection.execute(text(doubled))
        assert (judged(trial, store).doubled, trial.found.missed) == (1, 1)
        with store.engine.begin() as connection:
            connection.execute(text("DELETE FROM recall WHERE id IN (SELECT id FROM recall LIMIT 3)"))
        assert judged(trial, store).missed >= 3
        trial.told.clear()
        assert judged(trial, store).missed >= SMALL.corrected


def judged(trial: Trial, store) -> Found:  # type: ignore[no-untyped-def]
    trial.found = Found()
    trial.judge(store)
    return trial.found
