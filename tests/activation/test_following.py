"""Following the store: what is active is served, whole, and the last good one until then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from gateway.activation import following
from gateway.activation.following import Following
from gateway.activation.stored import Stored
from gateway.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.saying import in_words
from gateway.storage.port import Store
from gateway.storage.rules import rulesets
from gateway.storage.subjects.facts import fact_head
from tests.storage.conftest import Place, bare, place, server, store
from tests.waiting import until_async

__all__ = ["Path", "Place", "bare", "place", "server", "store"]


def activate(store: Store, epoch: int, digest: str, *, new: bool = True) -> None:
    """As the act does, but for its entry."""
    with store.engine.begin() as connection:
        if new:
            connection.execute(insert(rulesets.rule_set).values(digest=digest, files=digest.encode(), at=epoch))
        connection.execute(
            insert(rulesets.activation).values(epoch=epoch, digest=digest, how="proposal", at=epoch, filed_in=epoch)
        )
        connection.execute(update(fact_head).values(epoch=epoch))


def told(store: Store) -> tuple[object, ...]:
    """What the process says of itself."""
    with store.engine.connect() as connection:
        row = connection.execute(select(rulesets.replica)).first()
    return () if row is None else tuple(row)


class Process:
    """A process that follows: what it loaded and served, in order."""

    def __init__(self, store: Store) -> None:
        self.loaded: list[str] = []
        self.served: list[tuple[int, str]] = []
        self.said: list[str | None] = []
        self.broken: set[str] = set()
        self.faults: list[Exception] = []
        self.following: Following[str] = Following(
            store,
            self._load,
            self._exchange,
            lambda _, why: self.said.append(why),
            lambda: 7.0,
            lambda: "3",
            lambda: "50c5",
        )

    async def _load(self, found: Stored) -> str:
        if found.digest in self.broken:
            raise ConfigurationError([Problem("rule set", 0, 0, "", "cannot be read")])
        if self.faults:
            raise self.faults.pop()
        self.loaded.append(found.digest)
        return found.files.decode()

    async def _exchange(self, epoch: int, served: str) -> None:
        self.served.append((epoch, served))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.following.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def process(store: Store) -> Process:
    return Process(store)


def soon() -> float:
    return asyncio.get_running_loop().time() + 5


async def test_each_activation_is_served_and_a_rollback_is_not_loaded_again(store: Store, process: Process) -> None:
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    async with process.running():
        activate(store, 2, "two")
        assert await process.following.reached(2, soon())
        activate(store, 3, "one", new=False)
        assert await process.following.reached(3, soon())
        await until_async("its row", lambda: told(store) == ("3", 3, "one", 7_000_000, 7_000_000, None, "50c5"))
    assert process.served == [(2, "two"), (3, "one")]
    assert process.loaded == ["two"]


@pytest.mark.parametrize("fault", [OSError(12, "Cannot allocate memory"), ValueError("what nobody foresaw")])
async def test_whatever_fails_it_goes_on_once_that_is_over(store: Store, process: Process, fault: Exception) -> None:
    """As where no process can be begun, or a database is put back that has no row yet."""
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    process.faults.append(fault)
    async with process.running():
        activate(store, 2, "two")
        await until_async("the fault to be heard", lambda: [each for each in process.said if each is not None])
        assert await process.following.reached(2, soon())
        await until_async("its end to be heard", lambda: process.said[-1] is None)
    assert process.served == [(2, "two")]
    assert [each for each in process.said if each is not None] == [in_words(fault)]


async def test_what_is_served_at_first_is_since_the_start(store: Store, process: Process) -> None:
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    await process.following.look()
    assert told(store) == ("3", 1, "one", 7_000_000, 7_000_000, None, "50c5")


async def test_what_was_stored_last_is_loaded_ahead(store: Store, process: Process) -> None:
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    with store.engine.begin() as connection:
        connection.execute(insert(rulesets.rule_set).values(digest="next", files=b"next", at=9))
    await process.following.look()
    await until_async("it is loaded", lambda: process.following._ahead is None)
    assert (process.loaded, process.served) == (["next"], [])


async def test_what_is_looked_at_before_its_activation_is_loaded_once(store: Store, process: Process) -> None:
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    with store.engine.begin() as connection:
        for digest in ("next", "bad"):
            connection.execute(insert(rulesets.rule_set).values(digest=digest, files=digest.encode(), at=9))
    process.broken.add("bad")
    assert await process.following.made("next") == "next"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await process.following.made("bad")
    with pytest.raises(StoreUnavailable, match="not in the store any more"):
        await process.following.made("gone")
    activate(store, 2, "next", new=False)
    await process.following.look()
    assert (process.loaded, process.served) == (["next"], [(2, "next")])


async def test_one_that_cannot_be_loaded_hinders_and_the_last_good_one_stays(
    store: Store, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    process.broken.add("two")
    activate(store, 2, "two")
    await process.following.look()
    assert process.following.hindrance == "rule set: cannot be read"
    assert not await process.following.reached(2, soon()), "nobody waits for it"
    assert (process.served, process.following.digest) == ([], "one")
    with store.engine.connect() as connection:
        assert connection.execute(select(rulesets.replica.c.hindrance)).scalar_one() == "rule set: cannot be read"
    process.broken.clear()
    await process.following.look()
    assert process.served == [], "it is not tried at every look"
    monkeypatch.setattr(following, "AGAIN", 0.0)
    await process.following.look()
    assert process.served == [(2, "two")]
    assert process.following.hindrance is None
    assert process.said[-1] is None


async def test_a_store_that_was_set_back_is_followed_too(store: Store, process: Process) -> None:
    activate(store, 1, "one")
    process.following.begin(4, "four", "four")
    await process.following.look()
    assert process.served == [(1, "one")]


async def test_waiting_ends(store: Store, process: Process) -> None:
    activate(store, 1, "one")
    process.following.begin(1, "one", "one")
    assert not await process.following.reached(2, asyncio.get_running_loop().time() + 0.05)
