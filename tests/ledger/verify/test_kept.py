"""What was found whole is not opened again, unless it is not the same any more; and nobody can make that up."""

from __future__ import annotations

import asyncio
import functools
import json
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, VerificationFailed
from gateway.ledger.projections.projector import Projector
from gateway.ledger.verify import spread
from gateway.ledger.verify.kept import Kept
from gateway.ledger.verify.spread import Jobs
from gateway.ledger.verify.store import verify_store
from gateway.storage.store import open_copy
from tests.ledger.support import KEY, VERIFIERS, disclosed, opened, store_in
from tests.ledger.verify.test_verify import ENTRY

SIZE = 600


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of one tile, so that a small store has several."""
    monkeypatch.setattr(spread, "LENGTH", 256)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = store_in(tmp_path_factory.mktemp("kept"))

    async def fill() -> None:
        async with opened(store) as ledger:
            await asyncio.gather(*(disclosed(ledger, n) for n in range(SIZE)))

    asyncio.run(fill())
    projector = Projector(store)
    while projector.turn():
        pass
    projector.close()
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store.path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "ledger.db"
    copy.write_bytes(made.read_bytes())
    return copy


def verify(path: Path, file: Path, processes: int = 1) -> int:
    """Check it; gives how many entries were not opened again."""
    store, kept = open_copy(path), Kept(file, KEY)
    try:
        whole = verify_store(store, VERIFIERS, kept=kept, jobs=Jobs(processes, functools.partial(open_copy, path)))
        assert [shard.size for shard in whole] == [SIZE]
        return kept.reused
    finally:
        kept.close()
        store.close()


def alter(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


@pytest.mark.long_cases("2")
@pytest.mark.parametrize("processes", [1, 2])
def test_what_was_found_whole_is_not_opened_again(path: Path, tmp_path: Path, processes: int) -> None:
    file = tmp_path / "checked"
    assert verify(path, file, processes) == 0
    assert verify(path, file, processes) == SIZE
    assert len(file.read_bytes().splitlines()) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(file.read_bytes()[:-40])  # the last line was cut short
    assert verify(path, file, processes) == 512
    assert verify(path, file, processes) == SIZE


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"UPDATE entry SET told = zeroblob(80) WHERE id = {ENTRY + 9}", "entry 9: its payload does not open"),
        (f"UPDATE entry SET leaf = zeroblob(32) WHERE id = {ENTRY + 300}", "entry 300"),
        (f"UPDATE entry SET at = at + 1 WHERE id = {ENTRY + 300}", "entry 300: its time"),
        (f"DELETE FROM entry WHERE id = {ENTRY + 9}", "entry 9 is missing"),
        ("UPDATE subject_key SET secret = NULL", "the key .* and no erasure explains"),
        ("UPDATE period_key SET secret = NULL", "entry 0: the key"),
        (f"DELETE FROM entry_requester WHERE entry = {ENTRY + 7}", "index of requesters"),
        ("UPDATE subtree SET hash = zeroblob(32) WHERE position = 1", "hash 1 of level 1"),
    ],
)
def test_what_was_altered_since_is_found(path: Path, tmp_path: Path, statement: str, named: str) -> None:
    file = tmp_path / "checked"
    verify(path, file)
    alter(path, statement)
    with pytest.raises(VerificationFailed, match=named):
        verify(path, file)


def test_a_file_that_was_made_up_hides_nothing(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "checked"
    verify(path, file)
    code, _, body = file.read_text().splitlines()[0].partition(" ")
    line = json.loads(body)
    line["checked"]["digest"] = ""
    file.write_text(f"{code} {json.dumps(line)}\n")
    with pytest.raises(VerificationFailed, match="line 1 was altered, or made with another ledger's key"):
        verify(path, file)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Kept(tmp_path, KEY)
