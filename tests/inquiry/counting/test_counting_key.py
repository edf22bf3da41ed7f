"""What counts together: made-up cases separate nothing, and a reference counts once with its own question only.

At the journey, in a process, between replicas, and after a start from the ledger.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.inquiry.admit import Admission, Reservation
from gateway.inquiry.beside import past
from gateway.inquiry.counting.counts import Counted
from gateway.inquiry.counting.retries import Retries
from gateway.inquiry.counting.shared_counts import SharedAdmission
from gateway.inquiry.http.request import GraphQLRequest, Media
from gateway.inquiry.types import Declaration
from gateway.ledger.entry import entries
from gateway.rules.model import Frequency, Purpose
from tests import world as worlds
from tests.inquiry.counting.counted import counted, restarted
from tests.inquiry.test_admit import NOW, ORGS, P1D, SECOND, purpose, requester
from tests.oauth.valkey import ValkeyServer
from tests.world import Ask, Case, Reply, World

LICENCE = """query($id: IdentifierInput!, $case: String, $reference: String, $with: Boolean = true)
  @inquiry(purpose: PURPOSE, case: $case, reference: $reference) {
  organisation(id: $id) { name scheme @include(if: $with) } }"""
EIGHT = Frequency(8, P1D)


class Eight(Admission):
    """Counts as ever, for purposes that allow eight inquiries per day."""

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation:
        return super().reserve(msgspec.structs.replace(purpose, frequency=EIGHT), asked)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


class Desk:
    """One official who asks about one subject, again and again, of counts that last for a test."""

    def __init__(self, world: World, purpose: str = "LICENCE_RENEWAL") -> None:
        self.world, self.purpose, self.subject, self.counts = world, purpose, worlds.new_subject(), Eight()
        self.entered: list[worlds.Entered] = []
        world.entries()

    def ask(self, *, header: bytes | None = None, query: str = LICENCE, **given: Any) -> Reply:
        who = self.world.requester("market-regulator", official="m.ivanova")
        document = query.replace("PURPOSE", self.purpose)
        variables = {"id": {"scheme": self.subject.scheme, "value": self.subject.value}, **given}
        reply = self.world.ask(Ask(who, document, variables, header), admission=self.counts)
        self.entered += reply.entries
        return reply

    def passes(self, **given: Any) -> bool:
        reply = self.ask(**given)
        assert reply.codes in ([], ["QUOTA_EXCEEDED"])
        return not reply.codes

    def restart(self) -> None:
        """New counts, from what the ledger has."""
        purposes = {
            name: msgspec.structs.replace(each, frequency=EIGHT) for name, each in self.world.policies.purposes.items()
        }
        found = self.world.run(self.world.ledger.entered_since(self.world.now.replace(hour=0), past.counted))
        self.counts = restarted(found, purposes, Eight)


def test_made_up_cases_do_not_lift_a_frequency(world: World) -> None:
    desk = Desk(world)
    assert all(desk.passes() for _ in range(8))
    assert not any(desk.passes(case=f"made-up-{number}") for number in range(12))
    desk.restart()
    assert not desk.passes(case="made-up-too")


def test_made_up_cases_count_together(world: World) -> None:
    desk = Desk(world)
    assert all(desk.passes(case=f"made-up-{number}") for number in range(8))
    assert not desk.passes(case="made-up-9")
    desk.restart()
    assert not desk.passes()
    assert not desk.passes(case="made-up-9")


def test_a_made_up_case_in_the_header_does_not_lift_it_either(world: World) -> None:
    desk, bare = Desk(world), "query($id: IdentifierInput!) { organisation(id: $id) { name } }"
    for number in range(10):
        header = b'purpose=LICENCE_RENEWAL, case="made-up-%d"' % number
        assert desk.passes(query=bare, header=header) == (number < 8)


def test_verified_cases_are_counted_apart(world: World) -> None:
    desk = Desk(world, "TENDER_QUALIFICATION")
    for case in ("T-1", "T-2"):
        world.registries.known[case] = Case("market", frozenset([desk.subject]), frozenset(["m.ivanova"]))
        assert [desk.passes(case=case) for _ in range(9)] == [True] * 8 + [False]
    desk.restart()
    assert not desk.passes(case="T-1")
    assert desk.ask(case="T-3").codes == ["CASE_NOT_VERIFIED"]


def test_a_reference_counts_once_with_its_own_question_only(world: World) -> None:
    desk, numbers = Desk(world), itertools.count()
    for _ in range(20):
        assert desk.passes(reference="r-1")  # the same question counts once
    for _ in range(7):  # another document each
        assert desk.passes(reference="r-1", query=LICENCE.replace("name", f"n{next(numbers)}: name", 1))
    assert not desk.passes(reference="r-1", query=LICENCE.replace("name", "n: name", 1))
    assert not desk.passes(reference="r-1", **{"with": False})  # other variables
    assert desk.passes(reference="r-1")
    desk.restart()
    assert desk.passes(reference="r-1")
    assert desk.passes(reference="r-1", query=LICENCE.replace("name", "n0: name", 1))
    assert not desk.passes(reference="r-1", query=LICENCE.replace("name", "n: name", 1))
    assert not desk.passes(reference="r-1", **{"with": False})


def test_an_inquiry_without_a_reference_has_no_digest(world: World) -> None:
    desk = Desk(world)
    desk.ask()
    desk.ask(reference="r-1")
    without, with_one = [each.told for each in desk.entered]
    assert isinstance(without, entries.Inquiry)
    assert isinstance(with_one, entries.Inquiry)
    assert without.declaration.request == b""
    assert len(with_one.declaration.request) == 16


TEXTS = st.sampled_from(["", "a", "ab", "b"])
ASKED = st.builds(
    lambda query, name, one, other: GraphQLRequest(query, name or None, {"one": one, "other": other}, None, Media.JSON),
    TEXTS, TEXTS, TEXTS | st.none(), TEXTS | st.booleans(),
)  # fmt: skip
DECLARED = st.builds(Declaration, st.just("P"), TEXTS | st.none(), TEXTS | st.none(), TEXTS | st.none(), st.just("r"))


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(DECLARED, DECLARED, ASKED, ASKED)
def test_two_questions_have_one_digest_only_where_they_are_one(
    declared: Declaration, other: Declaration, asked: GraphQLRequest, again: GraphQLRequest
) -> None:
    retries = Retries(b"key")
    same = (declared, asked) == (other, again)
    assert (retries.named(declared, asked).request == retries.named(other, again).request) == same
    turned = msgspec.structs.replace(asked, variables=dict(reversed(asked.variables.items())))
    assert retries.named(declared, turned) == retries.named(declared, asked)
    assert Retries(b"another").named(declared, asked) != retries.named(declared, asked)


# Between replicas


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


def kept(ledger: list[Counted], name: str, server: ValkeyServer, allowed: Purpose) -> SharedAdmission:
    async def from_the_ledger() -> list[Counted]:
        return ledger

    now = functools.partial(datetime.datetime.now, datetime.UTC)
    return SharedAdmission(server.url, name, b"secret", lambda: {allowed.name: allowed}, from_the_ledger, now)


def without_a_case(maximum: int) -> Purpose:
    return msgspec.structs.replace(purpose(maximum), case_required=False)


def test_replicas_count_made_up_cases_together(server: ValkeyServer) -> None:
    async def all_of_it() -> None:
        allowed, ledger, now = without_a_case(4), list[Counted](), datetime.datetime.now(datetime.UTC)
        both = [kept(ledger, "one", server, allowed) for _ in range(2)]
        for each in both:
            await each.start()
        for number in range(4):
            asked = counted(requester(), allowed, ORGS[:1], now, f"made-up-{number}", id=str(number))
            assert (await both[number % 2].reserve(allowed, asked)).counted
            ledger.append(asked)
        for number in range(4):
            with pytest.raises(Refusal):
                await both[number % 2].reserve(allowed, counted(requester(), allowed, ORGS[:1], now, f"also-{number}"))
        await both[0]._valkey.flushall()
        await both[0].start()
        with pytest.raises(Refusal):
            await both[1].reserve(allowed, counted(requester(), allowed, ORGS[:1], now, "after the fill"))
        for each in both:
            await each.close()

    asyncio.run(all_of_it())


def test_replicas_tell_a_retry_from_another_question(server: ValkeyServer) -> None:
    async def all_of_it() -> None:
        allowed = without_a_case(2)
        both = [kept([], "two", server, allowed) for _ in range(2)]
        for each in both:
            await each.start()

        async def ask(number: int, request: bytes) -> bool:
            asked = counted(requester(), allowed, ORGS[:1], NOW + number * SECOND, None, "r-1", str(number), request)
            return (await both[number % 2].reserve(allowed, asked)).counted

        assert await ask(0, b"one question")
        assert not await ask(1, b"one question")
        assert await ask(2, b"another")
        assert not await ask(3, b"another")
        with pytest.raises(Refusal):
            await ask(4, b"a third")
        for each in both:
            await each.close()

    asyncio.run(all_of_it())


# By a naive model


class Naive:
    """All that was asked, in a list; a case is looked at only where it was verified."""

    def __init__(self, allowed: Purpose) -> None:
        self.allowed, self.asked = allowed, list[Counted]()

    def admits(self, asked: Counted) -> bool:
        own = [each for each in self.asked if not self.allowed.case_required or each.case == asked.case]
        if asked.reference and any(
            (each.reference, each.request, each.subjects) == (asked.reference, asked.request, asked.subjects)
            for each in own
        ):
            return True
        about = [each for each in own if set(each.subjects) & set(asked.subjects)]
        most = max((sum(one in each.subjects for each in about) for one in asked.subjects), default=0)
        if most >= self.allowed.frequency.max:
            return False
        self.asked.append(asked)
        return True


steps = st.lists(
    st.tuples(
        st.sampled_from([None, "C-1", "C-2"]), st.sampled_from([None, "r-1"]), st.sampled_from([b"", b"q-1", b"q-2"]),
        st.sampled_from([ORGS[:1], ORGS[1:2], ORGS[:2]]),
    ),
    max_size=25,
)  # fmt: skip


def equals_the_naive_model(make: type[Admission]) -> None:
    @settings(max_examples=150, derandomize=True, database=None, deadline=None)
    @given(st.booleans(), st.integers(1, 3), steps, st.integers(0, 25))
    def check(required: bool, most: int, asks: list[tuple[Any, ...]], restarts: int) -> None:
        allowed = msgspec.structs.replace(purpose(most), case_required=required)
        admission, naive, ledger = make(), Naive(allowed), list[Counted]()
        for number, (case, reference, request, subjects) in enumerate(asks):
            if number == restarts:
                admission = restarted(ledger, {allowed.name: allowed}, make)
            asked = counted(requester(), allowed, subjects, NOW, case, reference, str(number), request)
            try:
                admission.reserve(allowed, asked)
                admitted = True
                ledger.append(asked)
            except Refusal:
                admitted = False
            assert admitted == naive.admits(asked)

    check()


def test_counts_equal_the_naive_model() -> None:
    equals_the_naive_model(Admission)


class ByAnyCase(Admission):
    """The fault that was there: a string that nobody verified is part of the key."""

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation:
        return super().reserve(msgspec.structs.replace(purpose, case_required=True), asked)


class ByReferenceAlone(Admission):
    """Another question under a reference that was used counts as a retry."""

    def reserve(self, purpose: Purpose, asked: Counted) -> Reservation:
        return super().reserve(purpose, msgspec.structs.replace(asked, request=b""))


@pytest.mark.parametrize("fault", [ByAnyCase, ByReferenceAlone])
def test_the_model_finds_a_planted_fault(fault: type[Admission]) -> None:
    with pytest.raises(AssertionError):
        equals_the_naive_model(fault)
