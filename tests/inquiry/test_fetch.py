"""Fetch keeps one department's fault from all others, whatever its connector hands over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Failure, Fault, Faulty, FieldType, Flaw, Record, RecordRequest, Subject
from connectors.mapping.generated import Leaf, record_type
from gateway.inquiry import fetch as fetch_step
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.types import Permit

ONE, TWO = Subject("organisation", "LEI", "1"), Subject("organisation", "LEI", "2")
PERMITS = [Permit(ONE, "a-set", ("x",)), Permit(ONE, "b-set", ("y",))]
Full = msgspec.defstruct("Full", [("f_x", Any), ("f_y", Any)], bases=(Record,), kw_only=True)
GOOD = [Full(m_id="1", m_version="1", f_x=1, f_y=2)]


class Answering:
    def __init__(self, give: Callable[[RecordRequest], Any]) -> None:
        self.give = give
        self.asked: list[RecordRequest] = []

    async def fetch(self, request: RecordRequest) -> Mapping[tuple[Subject, str], Any]:
        self.asked.append(request)
        given = self.give(request)
        return await given if asyncio.isfuture(given) else given

    async def close(self) -> None:
        self.asked.clear()


def well(request: RecordRequest) -> Any:
    return {(s, d.dataset): GOOD for d in request.datasets for s in d.subjects}


def fails(_: RecordRequest) -> Any:
    raise RuntimeError("secret text of a source")


async def fetch(give: Callable[[RecordRequest], Any], seconds: float = 5.0) -> Any:
    connectors = {"a": Answering(give), "b": Answering(well)}
    fetcher = Fetcher(connectors, {"a-set": "a", "b-set": "b"})
    got = await fetcher.fetch(PERMITS, asyncio.get_running_loop().time() + seconds)
    assert got[ONE, "b-set"] is GOOD
    assert set(got) == {(ONE, "a-set"), (ONE, "b-set")}
    return got[ONE, "a-set"]


@pytest.mark.parametrize(
    "give",
    [
        fails,
        lambda _: None,
        lambda _: 7,
        lambda _: {(ONE, "a-set"): 7},
        lambda _: {(ONE, "a-set"): [None]},
        lambda _: {(ONE, "a-set"): [Record(m_id="1", m_version="1")]},
        lambda _: {(ONE, "a-set"): [*GOOD, {"f_x": 1}]},
    ],
)
async def test_what_breaks_the_protocol_is_that_departments_failure(give: Any) -> None:
    outcome = await fetch(give)
    assert isinstance(outcome, Failure)
    assert outcome.fault is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    "wrong",
    [
        {"f_x": {"nested": ["more than was permitted"]}},
        {"f_x": 7},
        {"f_x": "half of \ud800"},
        {"f_x": type("Text", (str,), {})("its own")},
        {"m_id": None},
        {"m_version": " 1"},
        {"m_document": 7},
        {"m_effective": "2026-01-01"},
        {"m_mitigation": b"1"},
    ],
)
async def test_a_record_of_another_connector_has_values_of_its_fields_types(wrong: dict[str, Any]) -> None:
    """None of it is disclosed, and no other department's fields are lost with it."""
    record, other = Full(m_id="1", m_version="1", f_x="1", f_y=2), Full(m_id="2", m_version="1", f_x="2", f_y=2)
    connectors = {"a": Answering(lambda _: {(ONE, "a-set"): [other, record]}), "b": Answering(well)}
    types = {"a-set": {"x": FieldType.STRING}, "b-set": {"y": FieldType.INT}}
    fetcher = Fetcher(connectors, {"a-set": "a", "b-set": "b"}, types=types)

    async def got() -> Any:
        found = await fetcher.fetch(PERMITS, asyncio.get_running_loop().time() + 5)
        assert found[ONE, "b-set"] is GOOD
        return found[ONE, "a-set"]

    assert await got() == [other, record]
    for name, value in wrong.items():
        setattr(record, name, value)
    outcome = await got()  # though a record of the same type was fine before
    assert (outcome.fault, outcome.flaw) == (Fault.INVALID, Flaw.RECORD)


async def test_a_record_that_a_decoder_made_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_step, "fits", lambda *_: pytest.fail("it was"))
    leaves = [Leaf(name, (name,), kind) for name, kind in (("m_id", "id"), ("m_version", "id"), ("f_x", "String"))]
    made = record_type(leaves)("1", "1", "what its decoder looked at")
    fetcher = Fetcher({"a": Answering(lambda _: {(ONE, "a-set"): [made]})}, {"a-set": "a"}, types={"a-set": {}})
    got = await fetcher.fetch(PERMITS[:1], asyncio.get_running_loop().time() + 5)
    assert got == {(ONE, "a-set"): [made]}


@pytest.mark.parametrize("wrong", [{"fault": "gone"}, {"detail": None}, {"retryable": 1}, {"flaw": "record"}])
async def test_a_failure_that_is_none_is_the_connectors_defect(wrong: dict[str, Any]) -> None:
    failure = Failure(Fault.TIMEOUT, True, "late")
    assert await fetch(lambda _: {(ONE, "a-set"): failure}) == failure
    outcome = await fetch(lambda _: {(ONE, "a-set"): failure._replace(**wrong)})
    assert outcome == Failure(Fault.UNAVAILABLE, False, "the connector failed")


async def test_a_record_has_one_content() -> None:
    (good,) = GOOD
    copy, other = msgspec.structs.replace(good), msgspec.structs.replace(good, f_x=2)
    later, another = msgspec.structs.replace(other, m_version="2"), msgspec.structs.replace(other, m_id="2")
    assert await fetch(lambda _: {(ONE, "a-set"): [good, copy, later, another]}) == [good, copy, later, another]
    outcome = await fetch(lambda _: {(ONE, "a-set"): [good, later, other]})
    assert isinstance(outcome, Failure)
    assert outcome.fault is Fault.INVALID


async def test_records_that_do_not_show_what_they_are_called_are_not_taken_for_one() -> None:
    unread = frozenset(["m_id"])
    two = [Faulty(m_id="", m_version="1", m_document=each, m_reason="why", unread=unread) for each in ("D-1", "D-2")]
    assert await fetch(lambda _: {(ONE, "a-set"): two}) == two


async def test_an_outcome_that_is_missing_and_one_that_nobody_asked_for() -> None:
    outcome = await fetch(lambda _: {(TWO, "a-set"): GOOD, (ONE, "other"): GOOD})
    assert isinstance(outcome, Failure)
    assert outcome.fault is Fault.INVALID


async def test_a_department_that_hangs_is_late_and_nobody_waits_longer() -> None:
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    outcome = await fetch(lambda _: never, 0.2)
    assert isinstance(outcome, Failure)
    assert outcome.fault is Fault.TIMEOUT


async def test_only_permits_open_a_call() -> None:
    connectors = {"a": Answering(well), "b": Answering(well)}
    fetcher = Fetcher(connectors, {"a-set": "a", "b-set": "b"})
    await fetcher.fetch([PERMITS[0]], asyncio.get_running_loop().time() + 5)
    assert [part.fields for request in connectors["a"].asked for part in request.datasets] == [("x",)]
    assert connectors["b"].asked == []


@given(st.lists(st.tuples(st.sampled_from("123"), st.sampled_from("abcd"), st.sampled_from("xy")), unique=True))
def test_every_permit_is_asked_for_once_and_nothing_else(drawn: list[tuple[str, str, str]]) -> None:
    connectors = {"a": Answering(well), "b": Answering(well)}
    permits = [Permit(Subject("organisation", "LEI", value), f"{name}-set", (field,)) for value, name, field in drawn]
    departments = {"a-set": "a", "b-set": "b", "c-set": "a", "d-set": "b"}

    async def asking() -> None:
        await Fetcher(connectors, departments).fetch(permits, asyncio.get_running_loop().time() + 5)

    asyncio.run(asking())
    for name, connector in connectors.items():
        parts = [part for request in connector.asked for part in request.datasets]
        assert len(connector.asked) <= 1
        assert len({(part.dataset, part.fields) for part in parts}) == len(parts)
        assert Counter(Permit(who, part.dataset, part.fields) for part in parts for who in part.subjects) == Counter(
            permit for permit in permits if departments[permit.dataset] == name
        )


@pytest.mark.parametrize(
    ("sent", "left"), [((3, 2), (3, 2)), ((4, 2), (None, 2)), ((2, 4), (2, None)), ((6, 6), (None, None))]
)
async def test_an_inquiry_goes_on_with_so_many_records_and_whoever_sent_most_has_none(sent: Any, left: Any) -> None:
    def many(count: int) -> Callable[[RecordRequest], Any]:
        records = [msgspec.structs.replace(GOOD[0], m_id=str(number)) for number in range(count)]
        return lambda request: {
            (s, d.dataset): records if s == ONE else [] for d in request.datasets for s in d.subjects
        }

    connectors = {name: Answering(many(count)) for name, count in zip("ab", sent, strict=True)}
    fetcher = Fetcher(connectors, {"a-set": "a", "b-set": "b"}, 5)
    got = await fetcher.fetch(PERMITS, asyncio.get_running_loop().time() + 5)
    outcomes = [got[ONE, name] for name in ("a-set", "b-set")]
    assert [None if isinstance(each, Failure) else len(each) for each in outcomes] == list(left)
    assert {each.fault for each in outcomes if isinstance(each, Failure)} <= {Fault.INVALID}


async def test_records_over_the_bound_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing them all is what would hold up everybody else."""
    looked: list[int] = []
    monkeypatch.setattr(fetch_step, "_agree", lambda records: bool(looked.append(len(records)) or True))
    each = [msgspec.structs.replace(GOOD[0], m_id=str(number)) for number in range(2)]
    subjects = [Subject("organisation", "LEI", str(number)) for number in range(3)]
    connectors = {"a": Answering(lambda request: {(s, d.dataset): each for d in request.datasets for s in d.subjects})}
    permits = [Permit(subject, "a-set", ("x",)) for subject in subjects]
    got = await Fetcher(connectors, {"a-set": "a"}, 5).fetch(permits, asyncio.get_running_loop().time() + 5)
    assert {outcome.fault for outcome in got.values() if isinstance(outcome, Failure)} == {Fault.INVALID}
    assert len(got) == 3
    assert looked == []


async def test_each_fault_is_reported_and_its_end_once() -> None:
    gives: dict[str, Callable[[RecordRequest], Any]] = {"a": well, "b": well}
    connectors = {name: Answering(lambda request, name=name: gives[name](request)) for name in gives}
    reported: list[tuple[str, bool]] = []
    fetcher = Fetcher(
        connectors, {"a-set": "a", "b-set": "b"}, heard=lambda name, why: reported.append((name, why is None))
    )

    async def asked(give: Callable[[RecordRequest], Any]) -> list[tuple[str, bool]]:
        reported.clear()
        gives["a"] = give
        await fetcher.fetch(PERMITS, asyncio.get_running_loop().time() + 5)
        return list(reported)

    assert await asked(well) == [("a", True), ("b", True)], "nothing is known of either before"
    assert await asked(well) == []
    assert await asked(fails) == [("a", False), ("b", True)]
    assert ("a", False) in await asked(fails)
    assert ("a", True) in await asked(well)
    assert await asked(well) == []
