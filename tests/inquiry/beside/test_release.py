"""What ends while an entry becomes durable is not released, and has a second entry that says so."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry.beside import release, unsent
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.storage.subjects import facts
from tests import world as worlds
from tests.properties.checking import holds, is_found
from tests.waiting import until_async
from tests.world import NOON, Ask, Held, Reply, World

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

    def __init__(self, world: World, happens: Any, times: int = 1) -> None:
        self._world, self._happens, self._left = world, happens, times

    async def append(self, *entered: Any) -> Receipt:
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

    who = world.requester("market-regulator", official="m.ivanova", expires=world.now.timestamp() + expires)
    return meanwhile(world, who, held(world), later, **more)


def meanwhile(world: World, who: Any, subject: Subject, happens: Any, **more: Any) -> Reply:
    """Ask about a subject; something happens while the entry becomes durable."""
    ask = Ask(who, DOCUMENT, {"id": {"scheme": subject.scheme, "value": subject.value}})
    return world.ask(ask, ledger=Slow(world, happens), **more)


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

    def ends(*arguments: Any) -> Any:
        got, withheld, cautions, failures = real(*arguments)
        return got, [*withheld, *([object()] if arguments[-1] > last else [])], cautions, failures

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


SUBJECTS_OWN = {
    "a record is withdrawn": lambda engine, of, at: facts.withdraw(engine, of, "business-licences", "L-1", at),
    "another record is withdrawn": lambda engine, of, at: facts.withdraw(engine, of, "business-licences", "L-2", at),
    "an objection": lambda engine, of, at: facts.open_objection(
        engine, of, "business-licences", "L-1", at.date() + datetime.timedelta(days=30), at
    ),
    "an opt-out": lambda engine, of, at: facts.set_opt_out(engine, of, "business-licences", True, at),
    "a consent": lambda engine, of, at: facts.grant_consent(
        engine, of, issuer="i", client="c", purpose="TENDER", datasets={"awards": None}, until=at.date(), now=at
    ),
}


@pytest.mark.parametrize("known", ["unknown", "held"])
@pytest.mark.parametrize("happened", SUBJECTS_OWN)
def test_facts_hold_at_release(world: World, happened: str, known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed about the subject while the entry waits is noticed, and alike for whoever is not known."""
    monkeypatch.setattr(release, "AGE", -1.0)
    world.calm()
    subject = held(world) if known == "held" else worlds.new_subject()
    who = world.requester("market-regulator", official="m.ivanova")
    reply = meanwhile(world, who, subject, lambda: SUBJECTS_OWN[happened](world.store.engine, subject, world.now))
    assert reply.codes == ["DECISION_UNAVAILABLE"]
    assert reply.errors[0]["extensions"]["retryable"] is True
    not_released(reply, "ended")
    again = world.ask(Ask(who, DOCUMENT, {"id": {"scheme": subject.scheme, "value": subject.value}}))
    assert "data" in again.said


WHOSE = st.sampled_from(["own", "another's", "nobody's"])


def check_facts(world: World, age: float, happened: str, whose: str, known: bool) -> None:
    """An answer leaves if and only if what is known of its own subject is what it was decided from."""
    world.calm()
    subject, other = held(world) if known else worlds.new_subject(), worlds.new_subject()
    about = {"own": subject, "another's": other, "nobody's": None}[whose]

    def happens() -> None:
        if about is not None:
            SUBJECTS_OWN[happened](world.store.engine, about, world.now)

    with mock.patch.object(release, "AGE", age):
        reply = meanwhile(world, world.requester("market-regulator", official="m.ivanova"), subject, happens)
    if whose == "own":
        not_released(reply, "ended")
    else:
        assert "data" in reply.said
        assert len(reply.entries) == 1


def test_no_answer_leaves_by_facts_that_are_over(world: World) -> None:
    drawn = st.sampled_from(sorted(SUBJECTS_OWN)), WHOSE, st.booleans()
    holds(lambda *drew: check_facts(world, -1.0, *drew), *drawn, examples=60)


def test_the_property_fails_when_facts_are_not_read_again(world: World) -> None:
    drawn = st.sampled_from(sorted(SUBJECTS_OWN)), WHOSE, st.booleans()
    is_found(lambda *drew: check_facts(world, 3600.0, *drew), *drawn)


def test_another_subjects_facts_keep_nobodys_answer_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "AGE", -1.0)
    world.calm()
    who = world.requester("market-regulator", official="m.ivanova")
    subject, other = held(world), worlds.new_subject()
    reply = meanwhile(
        world, who, subject, lambda: facts.set_opt_out(world.store.engine, other, "awards", True, world.now)
    )
    assert reply.data["organisation"]["businessLicences"]
    assert len(reply.entries) == 1


def test_facts_that_cannot_be_read_again_release_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "AGE", -1.0)
    world.calm()
    who = world.requester("market-regulator", official="m.ivanova")
    reading = world.journey.facts

    class Gone:
        lost = False

        async def read(self, *asked: Any) -> Any:
            if self.lost:
                raise Refusal(Code.DECISION_UNAVAILABLE, "gone", retryable=True)
            return await reading.read(*asked)

    gone = Gone()
    reply = meanwhile(world, who, held(world), lambda: setattr(gone, "lost", True), facts=gone)
    assert reply.codes == ["DECISION_UNAVAILABLE"]
    not_released(reply, "ended")


def test_what_took_no_time_reads_its_facts_once(world: World) -> None:
    world.calm()
    who = world.requester("market-regulator", official="m.ivanova")
    counted: list[int] = []
    reading = world.journey.facts

    class Counting:
        async def read(self, *asked: Any) -> Any:
            counted.append(1)
            return await reading.read(*asked)

    assert meanwhile(world, who, held(world), lambda: None, facts=Counting()).data
    assert counted == [1]


def test_a_second_entry_that_cannot_be_made_releases_nothing_either(world: World) -> None:
    world.calm()
    kept = unsent.Unsent(Away(world))
    reply = asked(world, 3, expires=2, unsent=kept)
    world.run(kept.close())
    assert reply.codes == ["UNAUTHENTICATED"]
    assert "data" not in reply.said


class Away:
    """A ledger that refuses while it is `away`."""

    def __init__(self, world: World) -> None:
        self._world, self.away, self.tried = world, True, 0

    async def append(self, *entered: Any) -> Receipt:
        self.tried += 1
        if self.away:
            raise LedgerUnavailable("away")
        return await self._world.ledger.append(*entered)


def seconds(number: int) -> list[unsent.Second]:
    made = []
    for each in range(number):
        told = entries.NotReleased(
            entries.VERSION, f"second-{each}", NOON, entries.Who("i", "c"), "token", "LEI", f"{each}", "i-1", "1-0", "r"
        )
        made.append(unsent.Second("i-1", split(told), NOON, ("i", "c")))
    return made


def test_a_second_entry_is_made_once_the_ledger_is_back(world: World) -> None:
    ledger = Away(world)

    async def whole() -> None:
        kept = unsent.Unsent(ledger, again=0.01)
        for each in seconds(3):
            await kept.enter(each)
        await until_async("another try", lambda: ledger.tried > 5)
        ledger.away = False
        await until_async("all of them", lambda: not kept._left)
        await kept.close()

    world.entries()
    world.run(whole())
    assert [each.told.id for each in world.entries()] == ["second-0", "second-1", "second-2"]


def test_a_stop_tries_once_more_and_tells_what_stays_missing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Away(world)

    async def whole(back: bool) -> None:
        kept = unsent.Unsent(ledger, again=3600)
        for each in seconds(2):
            await kept.enter(each)
        ledger.away = not back
        await kept.close()

    world.entries()
    world.run(whole(back=True))
    assert [each.told.id for each in world.entries()] == ["second-0", "second-1"]
    ledger.away = True
    world.run(whole(back=False))
    assert not world.entries()
    assert caplog.text.count("inquiry i-1 did not leave, and that was never entered") == 2


def test_what_waits_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(unsent, "MOST", 2)

    async def whole() -> None:
        kept = unsent.Unsent(Away(world), again=3600)
        for each in seconds(5):
            await kept.enter(each)
        assert len(kept._left) == 2
        await kept.close()

    world.run(whole())
    assert caplog.text.count("that will not be entered: 2 wait already") == 3


def test_without_the_check_the_test_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, *given: Any) -> None:
        return None

    monkeypatch.setattr(release.Release, "check", nothing)
    world.calm()
    with pytest.raises(AssertionError):
        not_released(asked(world, 3, expires=2), "token")
