"""Counts in a real Valkey: the same rules as in one process, by the same naive models; loss, faults and secrecy."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from valkey.asyncio import Valkey

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.counting.counts import Counted
from gateway.inquiry.counting.shared_counts import SharedAdmission
from gateway.rules.model import Purpose, Quota, Quotas
from tests.inquiry import test_admit as frequencies
from tests.inquiry.counting import test_quotas as distinct
from tests.inquiry.counting.counted import counted
from tests.inquiry.counting.test_quotas import HOUR, NOW, ORGS, SECOND, purpose, requester
from tests.oauth.valkey import ValkeyServer
from tests.waiting import until_async

_names = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


class Replicas:
    """Several processes' counts, as far as Valkey can tell, of one ledger of their own."""

    def __init__(self, url: str, *, name: str = "", secret: bytes = b"secret") -> None:
        self.url, self.name, self.secret = url, name or f"gateway.example/{next(_names)}", secret
        self.purposes: dict[str, Purpose] = {"TENDER": purpose(Quota(2, 3))}
        self.ledger: list[Counted] = []
        self.made: list[SharedAdmission] = []
        self.clock = lambda: datetime.datetime.now(datetime.UTC)

    async def counted(self) -> list[Counted]:
        return list(self.ledger)

    async def new(self, **changes: Any) -> SharedAdmission:
        given = {"name": self.name, "secret": self.secret, **changes}
        made = SharedAdmission(
            self.url, given["name"], given["secret"], lambda: self.purposes, self.counted, self.clock
        )
        self.made.append(made)
        await made.start()
        return made

    async def close(self) -> None:
        for each in self.made:
            await each.close()


@pytest.fixture
async def replicas(server: ValkeyServer) -> AsyncIterator[Replicas]:
    replicas = Replicas(server.url)
    yield replicas
    await replicas.close()


async def ask(admission: SharedAdmission, *numbers: int, at: datetime.datetime = NOW, **given: Any) -> bool:
    who = requester(given.get("official", "m.ivanova"), given.get("client", "market-regulator"))
    allowed = given.get("purpose", purpose(Quota(2, 3)))
    subjects, reference = [ORGS[number] for number in numbers], given.get("reference")
    asked = counted(who, allowed, subjects, at, "C-1", reference, given.get("id", ""))
    return (await admission.reserve(allowed, asked)).counted


async def refused(asked: Awaitable[bool], code: Code = Code.QUOTA_EXCEEDED) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await asked
    assert refusal.value.code is code
    return refusal.value


async def test_replicas_count_together(replicas: Replicas) -> None:
    one, other = await replicas.new(), await replicas.new()
    assert await ask(one, 0)
    assert await ask(other, 1)
    for replica in (one, other):
        refusal = await refused(ask(replica, 2))
        assert refusal.extensions == {"quota": "official-hour", "resetsAt": (NOW + HOUR).isoformat()}
    assert await ask(other, 0)
    assert await ask(one, 2, at=NOW + HOUR)


async def test_a_retry_at_another_replica_counts_once(replicas: Replicas) -> None:
    one, other = await replicas.new(), await replicas.new()
    assert await ask(one, 0, 1, reference="r-1")
    assert not await ask(other, 1, 0, reference="r-1", at=NOW + 599 * SECOND)
    assert await ask(other, 1, 0, reference="r-1", at=NOW + 600 * SECOND)
    assert await ask(other, 1, 0, reference="r-1", official="p.sorel")


async def test_many_at_once_are_counted_one_by_one(replicas: Replicas) -> None:
    both = [await replicas.new(), await replicas.new()]
    wide = purpose(Quota(40, 40))
    replicas.purposes = {"TENDER": wide}
    for each in both:
        await each.start()
    subjects = [Subject("organisation", "LEI", str(number)) for number in range(400)]

    async def one(number: int) -> bool:
        admission = both[number % 2]
        return (await admission.reserve(wide, counted(requester(), wide, [subjects[number]], NOW))).counted

    said = await asyncio.gather(*map(one, range(400)), return_exceptions=True)
    assert said.count(True) == 40
    assert all(each is True or (isinstance(each, Refusal) and each.code is Code.QUOTA_EXCEEDED) for each in said)


async def test_no_identifier_official_or_case_stands_in_valkey(replicas: Replicas) -> None:
    await ask(await replicas.new(), 0, reference="r-1")
    valkey: Any = Valkey.from_url(replicas.url)
    try:
        keys = [key async for key in valkey.scan_iter(b"*")]
        held = b"".join(keys)
        for key in keys:
            kind = await valkey.type(key)
            if kind == b"zset":
                held += b"".join(await valkey.zrange(key, 0, -1))
            assert kind in (b"zset", b"set", b"string")
            assert await valkey.ttl(key) > 0 or key.endswith(b"filled")
    finally:
        await valkey.aclose()
    assert len(keys) >= 7
    for word in (ORGS[0].value, "m.ivanova", "C-1", "r-1", "market-regulator", "TENDER"):
        assert word.encode() not in held


async def test_a_valkey_that_lost_its_counts_is_filled_from_the_ledger_before_it_counts(replicas: Replicas) -> None:
    now = datetime.datetime.now(datetime.UTC)  # filling leaves out what its windows no longer reach
    one = await replicas.new()
    for number, name in ((0, "a"), (1, "b")):
        await ask(one, number, at=now, id=name)
        named = (ORGS[number][1:],)
        at = now + SECOND
        replicas.ledger.append(
            Counted("https://login.example", "market-regulator", "TENDER", named, "C-1", None, at, "m.ivanova", name)
        )
    valkey: Any = Valkey.from_url(replicas.url)
    async for key in valkey.scan_iter(one._prefix + b"*"):
        await valkey.delete(key)
    await valkey.script_flush()
    await valkey.aclose()
    refusal = await refused(ask(one, 2, at=now + 2 * SECOND), Code.DECISION_UNAVAILABLE)
    assert refusal.extensions["retryable"] is True
    assert one._filling is not None
    await one._filling
    assert await one.healthy()
    await refused(ask(one, 2, at=now + 2 * SECOND))
    assert await ask(one, 1, at=now + 2 * SECOND)


async def test_one_that_came_back_with_an_older_copy_is_filled_before_it_counts(tmp_path: Path) -> None:
    """As after its machine lost power: its disk has the counts of some time before."""
    server = ValkeyServer(tmp_path)
    replicas, now = Replicas(server.url), datetime.datetime.now(datetime.UTC)
    one = await replicas.new()
    assert await ask(one, 0, at=now, id="a")
    async with _asked(server) as valkey:
        await valkey.save()
    assert await ask(one, 1, at=now, id="b")
    for number, name in ((0, "a"), (1, "b")):
        named = (ORGS[number][1:],)
        replicas.ledger.append(
            Counted("https://login.example", "market-regulator", "TENDER", named, "C-1", None, now, "m.ivanova", name)
        )
    server.stop()
    server.start()
    try:
        async with _asked(server) as valkey:
            assert await valkey.exists(*one._keys) == 2, "it has an older copy, which was filled"
        await refused(ask(one, 2, at=now + SECOND), Code.DECISION_UNAVAILABLE)
        assert one._filling is not None
        await one._filling
        assert await one.healthy()
        assert (await refused(ask(one, 2, at=now + SECOND))).extensions["quota"] == "official-hour"
    finally:
        await replicas.close()
        server.stop()


@contextlib.asynccontextmanager
async def _asked(server: ValkeyServer) -> AsyncIterator[Any]:
    """Valkey, asked directly; after a start it reads its disk first."""
    valkey: Any = Valkey.from_url(server.url)
    try:
        yield valkey
    finally:
        await valkey.aclose()


@pytest.mark.parametrize(
    ("setting", "right"),
    [
        ("config set maxmemory 100kb", "config set maxmemory 0"),
        ("replicaof 127.0.0.1 9", "replicaof no one"),
    ],
)
async def test_one_that_takes_no_writes_is_not_healthy(tmp_path: Path, setting: str, right: str) -> None:
    server = ValkeyServer(tmp_path)
    replicas = Replicas(server.url)
    try:
        one = await replicas.new()
        assert await one.healthy()
        async with _asked(server) as valkey:
            await valkey.execute_command(*setting.split())
            assert not await one.healthy()
            await refused(ask(one, 0), Code.DECISION_UNAVAILABLE)
            await valkey.execute_command(*right.split())
        await until_async("it to be healthy", one.healthy)
        assert await ask(one, 0)
    finally:
        await replicas.close()
        server.stop()


async def test_one_that_comes_to_drop_keys_is_filled_once_it_drops_none(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path)
    replicas = Replicas(server.url)
    try:
        one = await replicas.new()
        async with _asked(server) as valkey:
            await valkey.config_set("maxmemory", "100mb")
            await valkey.config_set("maxmemory-policy", "allkeys-lru")
            assert not await one.healthy()
            await refused(ask(one, 0), Code.DECISION_UNAVAILABLE)
            await valkey.config_set("maxmemory-policy", "noeviction")
        await until_async("it to be healthy", one.healthy)
        assert await ask(one, 0)
    finally:
        await replicas.close()
        server.stop()


async def test_filling_counts_nothing_twice(replicas: Replicas) -> None:
    thrice = Purpose(**{f: getattr(purpose(), f) for f in Purpose.__struct_fields__} | {
        "frequency": frequencies.Frequency(3, frequencies.P1D)})  # fmt: skip
    replicas.purposes = {"TENDER": thrice}
    one = await replicas.new()
    for name in ("a", "b"):
        assert await ask(one, 0, purpose=thrice, id=name)
        named = (ORGS[0][1:],)
        replicas.ledger.append(
            Counted("https://login.example", "market-regulator", "TENDER", named, "C-1", None, NOW, "m.ivanova", name)
        )
    other = await replicas.new()
    await other.fill()
    assert await ask(other, 0, purpose=thrice)
    assert (await refused(ask(one, 0, purpose=thrice))).extensions["quota"] == "frequency"


@pytest.mark.parametrize(("days", "counted_again"), [(0, True), (400, False)])
async def test_what_is_filled_is_by_the_gateways_clock(replicas: Replicas, days: int, counted_again: bool) -> None:
    now = datetime.datetime.now(datetime.UTC)
    replicas.clock = lambda: now + datetime.timedelta(days=days)
    for number, name in ((0, "a"), (1, "b")):
        named = (ORGS[number][1:],)
        replicas.ledger.append(
            Counted("https://login.example", "market-regulator", "TENDER", named, "C-1", None, now, "m.ivanova", name)
        )
    one = await replicas.new()
    if counted_again:
        await refused(ask(one, 2, at=now + SECOND))
    else:
        assert await ask(one, 2, at=now + SECOND)


async def test_counts_under_another_key_are_not_mixed(replicas: Replicas) -> None:
    assert await ask(await replicas.new(), 0)
    other = await replicas.new(secret=b"another")
    await refused(ask(other, 0), Code.DECISION_UNAVAILABLE)
    assert await ask(await replicas.new(secret=b"another", name="elsewhere"), 0)


async def test_out_of_reach_refuses_and_heals(tmp_path: Any) -> None:
    server = ValkeyServer(tmp_path)
    replicas = Replicas(server.url)
    one = await replicas.new()
    assert await ask(one, 0)
    server.stop()
    for _ in range(2):
        refusal = await refused(ask(one, 0), Code.DECISION_UNAVAILABLE)
        assert (refusal.status, refusal.extensions["retryable"]) == (503, True)
    assert not await one.healthy()
    never = await replicas.new()
    await refused(ask(never, 0), Code.DECISION_UNAVAILABLE)
    await replicas.close()


async def test_a_valkey_that_may_evict_counts_is_not_used(tmp_path: Any) -> None:
    server = ValkeyServer(tmp_path)
    try:
        valkey: Any = Valkey.from_url(server.url)
        await valkey.config_set("maxmemory", "100mb")
        await valkey.config_set("maxmemory-policy", "allkeys-lru")
        await valkey.aclose()
        replicas = Replicas(server.url)
        await refused(ask(await replicas.new(), 0), Code.DECISION_UNAVAILABLE)
        await replicas.close()
    finally:
        server.stop()


# The models of the counts in memory, held to the script too

property_settings = settings(
    max_examples=60, derandomize=True, database=None, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def run(url: str, work: Callable[[Replicas], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        replicas = Replicas(url)
        try:
            await work(replicas)
        finally:
            await replicas.close()

    asyncio.run(all_of_it())


@property_settings
@given(frequencies.frequencies, frequencies.steps)
def test_frequency_equals_the_naive_model(server: ValkeyServer, frequency: Any, asked: list[tuple[Any, ...]]) -> None:
    allowed = frequencies.purpose(frequency.max, frequency.per)

    async def check(replicas: Replicas) -> None:
        replicas.purposes = {"TENDER": allowed}
        naive, at, both = frequencies.Naive(), NOW, [await replicas.new(), await replicas.new()]
        for number, (later, client, subjects, reference) in enumerate(asked):
            at += later
            who = frequencies.requester(client)
            try:
                reserved = await both[number % 2].reserve(
                    allowed, counted(who, allowed, subjects, at, reference=reference)
                )
                said = "counted" if reserved.counted else "retry"
            except Refusal as refusal:
                later = datetime.datetime.fromisoformat(refusal.extensions["resetsAt"]) > at
                said = "refused" if later else "refused until the past"
            assert said == naive.ask(at, frequency, client, subjects, reference)

    run(server.url, check)


@property_settings
@given(distinct.quotas, distinct.steps)
def test_quotas_equal_the_naive_model(server: ValkeyServer, allowed: Quotas, asked: list[tuple[Any, ...]]) -> None:
    bound = purpose(allowed.official, allowed.requester)

    async def check(replicas: Replicas) -> None:
        replicas.purposes = {"TENDER": bound}
        naive, at, both = distinct.Naive(), NOW, [await replicas.new(), await replicas.new()]
        for number, (later, official, subjects) in enumerate(asked):
            at += later
            try:
                asks = counted(requester(official), bound, subjects, at)
                admitted = (await both[number % 2].reserve(bound, asks)).counted
            except Refusal as refusal:
                admitted = datetime.datetime.fromisoformat(refusal.extensions["resetsAt"]) <= at
            assert admitted == naive.ask(at, allowed, official, subjects)

    run(server.url, check)
