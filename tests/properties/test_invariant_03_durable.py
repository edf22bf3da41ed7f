"""3. No durable entry, no data: whatever happens to the commit, an answer with data has its entry in the store.

The store is opened anew, for reading only, once the answers are there: what a process believes does not count.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from gateway.errors import Refusal, StoreUnavailable
from gateway.inquiry import answer, disclose
from gateway.ledger.entry import entries
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof import leaf
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage.engines.sqlite_held import SqliteHeld
from gateway.storage.store import open_copy
from tests import stores
from tests import world as worlds
from tests.ledger.support import FaultyStore
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import Scene, scenes, whole
from tests.world import Reply, World


class Fault(NamedTuple):
    """The statements that fail, by how they begin, and how often, before all is well again."""

    statement: str
    times: int


STATEMENTS = (
    "BEGIN IMMEDIATE",
    "INSERT INTO entry ",
    "INSERT INTO entry_requester",
    "UPDATE shard",
    "COMMIT",
    "AFTER COMMIT",
)
FAULTS = st.one_of(
    st.none(), st.builds(Fault, st.sampled_from(STATEMENTS), st.integers(1, 6)), st.just(Fault("", 1000))
)


def faulty_store(path: Any) -> FaultyStore:
    stores.make(path)
    return FaultyStore(path)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened(store=faulty_store) as opened:
        yield opened


def stored(world: World) -> dict[str, entries.Told]:
    """Every entry, by the inquiry's id, from the file."""
    store = open_copy(world.path)
    connection = store.reader()
    try:
        return {
            told.id: told
            for head in read.heads(connection)
            for each in read.read_entries(connection, head.id, 0, head.size)
            if each.told is not None
            for told in [each.read_told()]
        }
    finally:
        connection.close()
        store.close()


def check(world: World, made: list[Scene], fault: Fault | None, **ports: Any) -> None:
    """Ask all at once while statements fail."""
    left = [fault.times if fault else 0]

    def fail(statement: str) -> None:
        if fault and left[0] and statement.lstrip().startswith(fault.statement):
            left[0] -= 1
            error = sqlite3.OperationalError("planted: disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    store = world.store
    assert isinstance(store, FaultyStore)
    asks = [staged(world, scene).ask for scene in made]
    store.fault = fail
    try:
        replies = world.ask_all(asks, **ports)
    finally:
        store.fault = None
    known = stored(world)
    for reply in replies:
        proven(reply, known)


def proven(reply: Reply, known: dict[str, entries.Told]) -> None:
    """An answer's entry is in the store and commits to exactly its bytes; a refusal's receipt has its entry too."""
    if reply.inquiry:
        assert reply.inquiry["id"] in known, "an answer left without a durable entry"
        told = known[reply.inquiry["id"]]
        if "data" in reply.said:
            assert isinstance(told, entries.Inquiry)
            assert told.data.sha256 == leaf.data_digest(told.data.salt, reply.data_bytes)
        else:
            assert isinstance(told, entries.Refused)
            assert reply.codes == [told.code]
    else:
        assert not reply.said.get("data"), "an answer left without a receipt"
        assert "data" in reply.said or reply.codes[0] in ("LEDGER_UNAVAILABLE", "UNAUTHENTICATED"), reply.said


GROUPS = st.lists(scenes(plain=True), min_size=1, max_size=3)


def test_no_data_without_a_durable_entry(world: World) -> None:
    holds(lambda made, fault: check(world, made, fault), GROUPS, FAULTS, examples=25)


def test_the_ledger_goes_on_after_a_fault(world: World) -> None:
    """The property would hold of a ledger that never takes anything again."""
    check(world, [], None)
    before = len(stored(world))
    scene = Scene("market-regulator", "LICENCE_RENEWAL", "organisation", whole("organisation", "LICENCE_RENEWAL"))
    check(world, [scene] * 3, None)
    assert len(stored(world)) == before + 3


class _Swallows:
    """A ledger that says yes whatever happens, with a receipt of before."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def append(self, *given: Any) -> Receipt:
        try:
            return await self._ledger.append(*given)
        except Exception:
            return Receipt("1", 0, b"c2sp.org/tlog-proof@v1")


class _Hurries:
    """A ledger that answers before the commit, and commits later or never."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._later = ledger, []

    async def append(self, *given: Any) -> Receipt:
        self._later.append(given)
        return Receipt("1", 0, b"c2sp.org/tlog-proof@v1")


@pytest.mark.parametrize("port", [_Swallows, _Hurries])
def test_the_property_fails_when_the_ledger_lies(world: World, port: Callable[[Ledger], Any]) -> None:
    is_found(lambda made, fault: check(world, made, fault, ledger=port(world.ledger)), GROUPS, FAULTS)


def _takes_an_unknown_commit_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SqliteHeld._write

    def faulty(self: Any, group: Any) -> float:
        with contextlib.suppress(StoreUnavailable):
            return real(self, group)
        return 0.0

    monkeypatch.setattr(SqliteHeld, "_write", faulty)


def _goes_on_without_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(ledger: Any, entry: Any, got: Any, data: Any, codes: Any, at: Any) -> Receipt:
        try:
            return await disclose.disclose(ledger, entry, got, data, codes, at)
        except Refusal:
            return Receipt("1", 0, b"")

    monkeypatch.setattr(answer, "disclose", faulty)


def _enters_other_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(ledger: Any, entry: Any, got: Any, data: Any, codes: Any, at: Any) -> Receipt:
        return await disclose.disclose(ledger, entry, got, data + b" ", codes, at)

    monkeypatch.setattr(answer, "disclose", faulty)


@pytest.mark.parametrize(
    "plant",
    [_takes_an_unknown_commit_for_one, _goes_on_without_the_ledger, _enters_other_bytes],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    with worlds.opened(store=faulty_store) as world:
        is_found(lambda made, fault: check(world, made, fault), GROUPS, FAULTS)
