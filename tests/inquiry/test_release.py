"""What ends while an entry becomes durable is not released, and has a second entry that says so."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.base import Subject
from gateway.errors import LedgerUnavailable
from gateway.inquiry.beside import release
from gateway.ledger.entry import entries
from gateway.ledger.proof.tlog_proof import Receipt
from tests import world as worlds
from tests.world import Ask, Held, Reply, World

DOCUMENT = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { businessLicences { number } } }"""
LAST = datetime.datetime(2028, 12, 31, 21, 59, 59, tzinfo=datetime.UTC)
"""The last second of the grants of the repository's policies."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


class Slow:
    """The world's ledger; something happens before each of the first `times` commits is over."""

    def __init__(self, world: World, happens: Any, times: int = 1, lost: bool = False) -> None:
        self._world, self._happens, self._left, self._lost = world, happens, times, lost

    async def append(self, *entered: Any) -> Receipt:
        if self._left == 0 and self._lost:
            raise LedgerUnavailable("gone")
        receipt = await self._world.ledger.append(*entered)
        if self._left:
            self._left -= 1
            self._happens()
        return receipt


def held(world: World) -> Subject:
    subject = worlds.new_subject()
    dataset = world.catalogue.datasets["business-licences"]
    world.held[subject, dataset.id] = [Held("L-1", worlds.values(dataset), effective=world.today())]
    return subject


def asked(world: World, seconds: float, expires: float = 300, **more: Any) -> Reply:
    def later() -> None:
        world.now += datetime.timedelta(seconds=seconds)

    subject = held(world)
    who = world.requester("market-regulator", official="m.ivanova", expires=world.now.timestamp() + expires)
    ask = Ask(who, DOCUMENT, {"id": {"scheme": subject.scheme, "value": subject.value}})
    return world.ask(ask, ledger=Slow(world, later, lost=more.pop("lost", False)), **more)


def not_released(reply: Reply, reason: str) -> None:
    assert "data" not in reply.said
    assert not reply.inquiry, "no receipt of what was not released"
    first, second = [each.told for each in reply.entries]
    assert isinstance(first, entries.Inquiry)
    assert isinstance(second, entries.NotReleased)
    assert (second.reason, second.inquiry, second.value) == (reason, first.id, first.disclosed[0].value)


@pytest.mark.parametrize(("seconds", "released"), [(0, True), (1.9, True), (2, False), (3, False)])
def test_a_token_holds_at_release(world: World, seconds: float, released: bool) -> None:
    world.calm()
    reply = asked(world, seconds, expires=2)
    if released:
        assert reply.data["organisation"]["businessLicences"]
        assert [type(each.told) for each in reply.entries] == [entries.Inquiry]
    else:
        assert reply.codes == ["UNAUTHENTICATED"]
        not_released(reply, "token")


def test_a_grant_holds_at_release(world: World) -> None:
    world.calm()
    world.now = LAST
    assert asked(world, 0.5).data["organisation"]["businessLicences"]
    world.now = LAST
    reply = asked(world, 2)
    assert reply.codes == ["DECISION_UNAVAILABLE"]
    not_released(reply, "ended")


def test_display_holds_at_release(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record whose last day ends before the answer could leave; one that goes on is answered over midnight."""
    from gateway.inquiry import answer

    world.calm()
    world.now = datetime.datetime(2026, 6, 1, 20, 59, 59, tzinfo=datetime.UTC)  # a second before midnight in Sofia
    last, real = world.today(), answer.restrain_all

    def ends(policies: Any, purpose: Any, decision: Any, fetched: Any, facts: Any, today: datetime.date) -> Any:
        got, withheld, cautions, failures = real(policies, purpose, decision, fetched, facts, today)
        return got, [*withheld, *([object()] if today > last else [])], cautions, failures

    assert asked(world, 2).data["organisation"]["businessLicences"]
    world.now -= datetime.timedelta(seconds=2)
    monkeypatch.setattr(answer, "restrain_all", ends)
    reply = asked(world, 2)
    assert reply.codes == ["DECISION_UNAVAILABLE"]
    not_released(reply, "ended")


def test_an_answer_that_waited_too_long_is_not_released(world: World) -> None:
    world.calm()
    reply = asked(world, 0, patience=-1.0)
    assert reply.codes == ["LEDGER_UNAVAILABLE"]
    not_released(reply, "late")


def test_a_second_entry_that_cannot_be_made_releases_nothing_either(world: World) -> None:
    world.calm()
    reply = asked(world, 3, expires=2, lost=True)
    assert reply.codes == ["UNAUTHENTICATED"]
    assert "data" not in reply.said


def test_without_the_check_the_test_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, *given: Any) -> None:
        return None

    monkeypatch.setattr(release.Release, "check", nothing)
    world.calm()
    with pytest.raises(AssertionError):
        not_released(asked(world, 3, expires=2), "token")
