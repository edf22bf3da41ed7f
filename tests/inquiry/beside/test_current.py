"""The cut between rule sets: an inquiry is decided by the one that its facts are of, or not at all."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import update

from gateway.errors import Refusal
from gateway.inquiry.beside.current import unavailable
from gateway.inquiry.journey import Journey
from gateway.storage.subjects.facts import fact_head
from tests.inquiry.beside.test_release import DOCUMENT, held
from tests.world import Ask, World, opened


@pytest.fixture(scope="module")
def world():  # type: ignore[no-untyped-def]
    with opened() as made:
        yield made


@pytest.fixture(autouse=True)
def at_the_beginning(world: World) -> None:
    active(world, 0)


def active(world: World, epoch: int) -> None:
    """Have the store say that another rule set is active."""
    with world.store.engine.begin() as connection:
        connection.execute(update(fact_head).values(epoch=epoch))


def asked(world: World) -> Ask:
    subject = held(world)
    who = world.requester("market-regulator", official="m.ivanova")
    return Ask(who, DOCUMENT, {"id": {"scheme": subject.scheme, "value": subject.value}})


class Newer:
    """Journeys by epoch, as the process has them; what is not here does not come in time."""

    def __init__(self, world: World, *epochs: int) -> None:
        self.wanted: list[int] = []
        self.by_epoch = {epoch: self._of(world, epoch) for epoch in epochs}

    def _of(self, world: World, epoch: int) -> Journey:
        serving = msgspec.structs.replace(world.serving, epoch=epoch)
        return msgspec.structs.replace(world.journey_with(serving=lambda: serving), newer=self)

    async def __call__(self, epoch: int, began: float) -> Journey:
        self.wanted.append(epoch)
        if epoch not in self.by_epoch:
            raise unavailable()
        return self.by_epoch[epoch]


def test_facts_of_the_same_epoch_are_decided_by_it(world: World) -> None:
    newer = Newer(world, 0)
    reply = world.ask(asked(world), newer=newer)
    assert (newer.wanted, len(reply.entries)) == ([], 1)


def test_facts_of_a_newer_epoch_have_it_decided_again(world: World) -> None:
    active(world, 3)
    newer = Newer(world, 3)
    reply = world.ask(asked(world), newer=newer)
    assert newer.wanted == [3]
    assert reply.data is not None
    assert len(reply.entries) == 1, "what was not decided is not entered"


def test_one_activation_after_the_other_is_followed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    active(world, 3)
    newer = Newer(world, 3, 4)
    real = newer.by_epoch[3].facts.read

    async def read(*of: object) -> object:
        found = await real(*of)  # type: ignore[arg-type]
        active(world, 4)
        return found

    monkeypatch.setattr(world.journey.facts, "read", read)
    reply = world.ask(asked(world), newer=newer)
    assert newer.wanted == [3, 4]
    assert reply.data is not None


def test_where_it_is_not_loaded_in_time_nothing_is_disclosed(world: World) -> None:
    active(world, 3)
    reply = world.ask(asked(world), newer=Newer(world))
    assert (reply.codes, reply.data) == (["DECISION_UNAVAILABLE"], None)
    assert reply.errors[0]["extensions"]["retryable"] is True
    assert reply.answer.headers["retry-after"] == "1"
    assert not reply.asked
    assert [each.told.code for each in reply.entries] == ["DECISION_UNAVAILABLE"]  # type: ignore[union-attr]


def test_facts_that_were_read_before_are_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = Newer(world, 3)
    active(world, 3)
    real, reads = newer.by_epoch[3].facts.read, []

    async def late(*of: object) -> object:
        found = await real(*of)  # type: ignore[arg-type]
        reads.append(found.epoch)
        return msgspec.structs.replace(found, epoch=2) if len(reads) < 3 else found

    monkeypatch.setattr(world.journey.facts, "read", late)
    reply = world.ask(asked(world), newer=newer, serving=newer.by_epoch[3].serving)
    assert (reads, newer.wanted) == ([3, 3, 3], [])
    assert reply.data is not None


def test_a_store_that_stays_behind_is_refused(world: World) -> None:
    newer = Newer(world, 3)
    newer.by_epoch[0] = newer.by_epoch[3]  # a process that serves a later one has nothing newer to give
    reply = world.ask(asked(world), newer=newer, serving=newer.by_epoch[3].serving)
    assert (reply.codes, newer.wanted) == (["DECISION_UNAVAILABLE"], [])
    assert len(reply.entries) == 1


def test_the_refusal_is_one(world: World) -> None:
    assert isinstance(unavailable(), Refusal)
