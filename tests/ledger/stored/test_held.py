"""Entries that are read held to their head: whatever is missing or altered of what is read is found, from wherever."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.ledger.stored import held, read
from gateway.storage.store import open_file
from tests.ledger.support import disclosed, opened, store_in

SIZE = 11
FIRST = st.integers(0, SIZE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("held")


@pytest.fixture
async def store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of some inquiries in one shard, read four at a time; made once."""
    monkeypatch.setattr(held, "_CHUNK", 4)
    path = folder / "ledger.db"
    if not path.exists():
        made = store_in(folder)
        async with opened(made) as ledger:
            for number in range(SIZE):
                await disclosed(ledger, number)
        made.close()
    return path


def taken(path: Path, first: int) -> list[int]:
    with contextlib.closing(open_file(path)) as store, contextlib.closing(store.reader()) as reader:
        (head,) = read.heads(reader)
        return [entry.index for entry in held.entries(reader, head, first, renew=True)]


def altered(path: Path, statement: str) -> Path:
    """A copy of the store, altered."""
    copy = path.with_name("altered.db")
    shutil.copy(path, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount > 0
    return copy


KEEP = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(FIRST)
@KEEP
def test_it_gives_what_is_there_from_any_place_on(store: Path, first: int) -> None:
    assert taken(store, first) == list(range(first, SIZE))


ALTERED = st.sampled_from(
    (
        "DELETE FROM entry WHERE {place}",
        "UPDATE entry SET leaf = zeroblob(32) WHERE {place}",
        "UPDATE entry SET leaf = (SELECT leaf FROM entry ORDER BY id LIMIT 1 OFFSET {other}) WHERE {place}",
        "UPDATE shard SET root = zeroblob(32)",
        "UPDATE shard SET size = size - 1",
    )
)


@given(FIRST, st.integers(0, SIZE - 1), ALTERED)
@KEEP
def test_whatever_was_altered_is_found(store: Path, first: int, index: int, statement: str) -> None:
    found(store, first, index, statement)


def found(path: Path, first: int, index: int, statement: str) -> None:
    """Raises `AssertionError` where nothing is told of what was altered, at or behind the place that is read from."""
    if index < first and "entry" in statement:
        return  # not read: its hash, as it is stored, is proven with the rest
    place = f"id = (SELECT min(id) FROM entry) + {index}"
    made = statement.format(place=place, other=(index + 1) % SIZE)
    try:
        taken(altered(path, made), first)
    except VerificationFailed:
        return
    raise AssertionError(f"nothing was found of: {made}")


def test_the_property_fails_when_a_fault_is_planted(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that holds nothing to its head does not see that the last entry was removed."""
    last = "DELETE FROM entry WHERE {place}"
    found(store, 2, SIZE - 1, last)
    monkeypatch.setattr(
        held, "entries", lambda reader, head, first, renew: read.read_entries(reader, head.id, first, 99)
    )
    with pytest.raises(AssertionError, match="nothing was found"):
        found(store, 2, SIZE - 1, last)
