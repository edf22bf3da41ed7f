"""Changed cases between replicas, through a real Valkey: what one is told counts at all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.base import Case, Subject
from gateway.inquiry.case.news import CaseNews
from gateway.inquiry.case.registries import CaseRegistries, ConfiguredRegistry
from tests.oauth.valkey import ValkeyServer
from tests.waiting import until_async

ORG = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
ASKS = ("https://login.example", "market-regulator")


class Told:
    """A registry in memory that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def find(self, case: str, seconds: float) -> Case | None:
        self.asked += 1
        return Case(True, frozenset({ORG[1:]}), frozenset({"m.ivanova"}))

    async def close(self) -> None:
        self.asked = -1


class Replica:
    def __init__(self, url: str, name: str = "gateway.example/ledger") -> None:
        self.registry = Told()
        self.cases = CaseRegistries({"market": ConfiguredRegistry(self.registry, cache=60.0)})
        self.news = CaseNews(url, name, self.cases)

    async def asks(self, case: str = "C-1") -> bool:
        """Whether verifying asks the registry, and not what is kept."""
        before = self.registry.asked
        await self.cases.verify("market", case, "m.ivanova", [ORG], ASKS)
        return self.registry.asked > before


@pytest.fixture
def server(tmp_path: Path) -> ValkeyServer:
    return ValkeyServer(tmp_path)


@pytest.fixture
async def replicas(server: ValkeyServer) -> AsyncIterator[list[Replica]]:
    made = [Replica(server.url), Replica(server.url), Replica(server.url, "another.example/ledger")]
    for each in made:
        each.news.start()
        await until_async("the replica to hear", lambda each=each: each.cases._keeps)  # type: ignore[misc]
    yield made
    for each in made:
        await each.news.close()
        await each.cases.close()
    server.stop()


async def test_what_one_is_told_counts_at_all_of_them(replicas: list[Replica]) -> None:
    one, other, stranger = replicas
    for each in replicas:
        assert [await each.asks(), await each.asks(), await each.asks("C-2")] == [True, False, True]
    before = other.cases._changes["market"]
    await one.news.changed("market", "C-1")
    assert await one.asks()
    await until_async("the other replica to be told", lambda: other.cases._changes["market"] > before)
    assert [await other.asks(), await other.asks("C-2")] == [True, False]
    assert not await stranger.asks(), "another ledger's gateway hears nothing"


async def test_who_cannot_hear_keeps_nothing_and_says_that_nobody_was_told(
    replicas: list[Replica], server: ValkeyServer
) -> None:
    one, *_ = replicas
    assert [await one.asks(), await one.asks()] == [True, False]
    server.stop()
    await until_async("the loss to be noticed", lambda: not one.cases._keeps)
    assert [await one.asks(), await one.asks()] == [True, True]
    with pytest.raises(ConnectionError):
        await one.news.changed("market", "C-1")
