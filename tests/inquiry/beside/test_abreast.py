"""Where a crowd is under way, inquiries take each step together; answers and entries are the same as one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.inquiry.beside.abreast import CROWD
from tests import world as worlds
from tests.inquiry.beside.test_release import DOCUMENT, held
from tests.world import Admission, Ask, Reply, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


class Noting:
    """Notes that a step of one inquiry is taken, before `port` takes it."""

    def __init__(self, port: Any, method: str, taken: list[str]) -> None:
        self._port, self._method, self._taken = port, method, taken

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._taken.append(name)
        return getattr(self._port, name)


def asked(world: World, busy: int) -> tuple[list[Reply], list[str]]:
    """What several are answered at once, and in which order their steps were taken."""
    who = world.requester("market-regulator", official="m.ivanova")
    subjects = [held(world) for _ in range(4)]
    asks = [Ask(who, DOCUMENT, {"id": {"scheme": each.scheme, "value": each.value}}) for each in subjects]
    taken: list[str] = []
    ports = {
        "admission": Noting(Admission(), "reserve", taken),
        "fetcher": Noting(world.journey.fetcher, "fetch", taken),
        "ledger": Noting(world.ledger, "append", taken),
    }
    return world.ask_all(asks, crowd=SimpleNamespace(busy=busy), **ports), taken


def runs(taken: Sequence[str]) -> int:
    """How often another step was taken than just before."""
    return sum(one != other for one, other in itertools.pairwise(taken))


def test_a_crowd_goes_abreast(world: World) -> None:
    _, taken = asked(world, CROWD)
    assert taken == ["reserve"] * 4 + ["fetch"] * 4 + ["append"] * 4


def test_a_few_do_not_wait_for_each_other(world: World) -> None:
    _, taken = asked(world, CROWD - 1)
    assert runs(taken) > 2, "a turn of the event loop for each would cost more than it saves"


def test_what_is_answered_and_entered_is_the_same(world: World) -> None:
    for busy in (CROWD, 1):
        replies, _ = asked(world, busy)
        for reply in replies:
            assert reply.data["organisation"]["businessLicences"]
            assert reply.inquiry["receipt"]
        assert len({each.told.id for each in replies[0].entries}) == 4
        assert {each.told.id for each in replies[0].entries} == {reply.inquiry["id"] for reply in replies}
