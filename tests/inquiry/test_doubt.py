"""While the time is in doubt nothing is disclosed, at whichever step the doubt begins, and nothing is entered ahead."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import strategies as st

from gateway import clock as clocks
from gateway.app import Gateway
from gateway.clock import MOST, SETTLED, Clock
from gateway.ledger.entry import entries
from gateway.telemetry.log import Log
from tests import world as worlds
from tests.docs.doors_served import built
from tests.inquiry.beside.test_release import DOCUMENT, Slow, held, not_released
from tests.properties.checking import holds
from tests.waiting import until_async
from tests.world import Ask, Reply, World


class Doubting:
    """A world with the gateway's own clock over a machine's that a test sets: `world.now`, and `ticks`."""

    def __init__(self, world: World) -> None:
        self.world, self.ticks = world, 0.0
        world.calm()
        world.now = max(world.now, world.ledger.floor)
        self.clock = Clock(lambda: world.ledger.floor, world.clock, lambda: self.ticks)
        world.tokens._clock = self.clock.sure

    def jump(self, seconds: float) -> None:
        self.world.now += datetime.timedelta(seconds=seconds)

    def compare(self) -> None:
        self.world.run(self.clock.compare(lambda: None))

    def ask(self, **ports: Any) -> Reply:
        world = self.world
        subject = held(world)
        who = world.requester("market-regulator", official="m.ivanova", expires=world.now.timestamp() + 4e8)
        ask = Ask(who, DOCUMENT, {"id": {"scheme": subject.scheme, "value": subject.value}})
        return world.ask(ask, **{"now": self.clock.sure, "stamp": self.clock, **ports})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def fresh() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


YEAR = 366 * 86_400.0


def test_in_doubt_nobody_is_answered_and_nothing_is_entered(world: World) -> None:
    doubting = Doubting(world)
    assert doubting.ask().data["organisation"]["businessLicences"]
    before = world.now
    doubting.jump(YEAR)
    reply = doubting.ask()
    assert (reply.codes, reply.entries, reply.asked) == (["LEDGER_UNAVAILABLE"], [], {})
    assert reply.answer.status == 503
    assert reply.answer.headers["retry-after"] == "60"
    assert reply.errors[0]["extensions"]["retryable"] is True
    doubting.jump(-YEAR)
    doubting.compare()
    doubting.ticks += SETTLED
    doubting.jump(SETTLED)
    doubting.compare()
    assert doubting.ask().data["organisation"]["businessLicences"]
    assert world.ledger.floor == before + datetime.timedelta(seconds=SETTLED)


def test_a_doubt_that_begins_while_departments_answer(world: World) -> None:
    doubting = Doubting(world)
    before = world.now
    for department in world.departments.values():
        department.meanwhile = lambda: doubting.jump(YEAR)
    reply = doubting.ask()
    assert reply.codes == ["LEDGER_UNAVAILABLE"]
    [entry] = reply.entries
    assert isinstance(entry.told, entries.Refused)
    assert entry.told.at == world.ledger.floor == before, "with the time that the monotonic clock vouches for"


def test_a_doubt_that_begins_while_the_entry_becomes_durable(world: World) -> None:
    doubting = Doubting(world)
    before = world.now
    reply = doubting.ask(ledger=Slow(world, lambda: doubting.jump(YEAR)))
    assert reply.codes == ["LEDGER_UNAVAILABLE"]
    not_released(reply, "clock")
    assert world.ledger.floor == before


JUMPS = st.sampled_from([-YEAR, -7200.0, -5.5, -4.0, 0.0, 4.0, 5.5, 7200.0, YEAR])
WHEN = st.sampled_from(["before", "fetching", "entering", "never"])


def check(world: World, clock: Callable[..., Any], by: float, when: str) -> None:
    """Nothing leaves where the clocks differ by then, and no entry is later than they vouch for."""
    doubting = Doubting(world)
    ports: dict[str, Any] = clock(doubting)
    vouched = world.now + datetime.timedelta(seconds=5)
    if when == "before":
        doubting.jump(by)
    for department in world.departments.values():
        department.meanwhile = (lambda: doubting.jump(by)) if when == "fetching" else None
    if when == "entering":
        ports["ledger"] = Slow(world, lambda: doubting.jump(by))
    reply = doubting.ask(**ports)
    if when != "never" and abs(by) > 5:
        assert "data" not in reply.said
        assert reply.codes == ["LEDGER_UNAVAILABLE"]
    else:
        assert reply.data["organisation"]["businessLicences"]
    assert all(each.told.at <= vouched for each in reply.entries)
    assert world.ledger.floor <= vouched
    assert len(reply.entries) == {"before": int(abs(by) <= 5), "entering": 1 + (abs(by) > 5)}.get(when, 1)


def none(_doubting: Doubting) -> dict[str, Any]:
    return {}


def test_nothing_is_disclosed_in_doubt(fresh: World) -> None:
    holds(lambda by, when: check(fresh, none, by, when), JUMPS, WHEN, examples=60)


def _machines(doubting: Doubting) -> dict[str, Any]:
    doubting.world.tokens._clock = doubting.world.clock
    return {"now": doubting.world.clock, "stamp": doubting.world.clock}


def _unrefusing(doubting: Doubting) -> dict[str, Any]:
    doubting.world.tokens._clock = doubting.clock
    return {"now": doubting.clock}


def _entering_at_any_time(doubting: Doubting) -> dict[str, Any]:
    return {"stamp": doubting.world.clock}


@pytest.mark.parametrize("faulty", [_machines, _unrefusing, _entering_at_any_time])
def test_the_property_fails_when_a_fault_is_planted(faulty: Callable[..., Any]) -> None:
    with worlds.opened() as spoiled, pytest.raises(AssertionError):  # its floor may be a year ahead afterwards
        holds(lambda by, when: check(spoiled, faulty, by, when), JUMPS, WHEN, examples=60)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return built(tmp_path)


async def test_a_gateway_in_doubt_is_not_ready_refuses_says_so_and_recovers_by_itself(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "EVERY", 0.01)
    lines = io.StringIO()
    monkeypatch.setattr(gateway._states, "_write", Log(lines).state)
    off, passed = 0.0, 0.0
    wall, ticks = gateway._now._wall, gateway._now._ticks
    monkeypatch.setattr(gateway._now, "_wall", lambda: wall() + datetime.timedelta(seconds=off + passed))
    monkeypatch.setattr(gateway._now, "_ticks", lambda: ticks() + passed)
    transport = httpx.ASGITransport(gateway)
    async with (
        gateway._pages.router.lifespan_context(gateway._pages),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as client,
    ):

        async def asked() -> httpx.Response:
            headers = {"Authorization": "Bearer x", "Accept": "application/graphql-response+json"}
            return await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)

        async def status() -> int:
            return (await client.get("/health/ready")).status_code

        assert (await asked()).status_code == 401
        assert await status() == 200
        off = YEAR
        refused = await asked()
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "60"
        assert refused.json()["errors"][0]["extensions"]["code"] == "LEDGER_UNAVAILABLE"
        assert await status() == 503
        off = 0.0
        await until_async("the clocks to agree again", lambda: gateway._now._agreed is not None)
        assert (await asked()).status_code == 503

        async def ready() -> bool:
            nonlocal passed
            # By little, or a comparison that is under way takes too long, and a real minute passes until the next.
            passed += MOST / 2
            return await status() == 200

        await until_async("the gateway to be ready", ready)
        assert (await asked()).status_code == 401
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(each["event"], each["part"]) for each in told] == [("began", "clock"), ("ended", "clock")]
    assert "jumped" in told[0]["why"]
