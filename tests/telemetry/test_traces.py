"""Inquiries are traced by step and department, and a trace has nothing of who asked about whom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from connectors.base import Fault
from gateway.inquiry import answer
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.types import Answer
from gateway.telemetry.metrics import STEPS, UNTIMED, Steps
from gateway.telemetry.traces import _SHOWN, ATTRIBUTES, Traces
from tests.telemetry.collector import Collector, collecting, said
from tests.world import Ask, Reply, World, new_subject, opened

QUERY = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"
THEIRS = "0af7651916cd43dd8448eb211c80319c"
BROUGHT = (b"traceparent", f"00-{THEIRS}-b7ad6b7169203331-01".encode())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as made:
        yield made


@pytest.fixture
def collector(world: World) -> Iterator[Collector]:
    with collecting() as made:
        yield made
    world.metrics.traces = None
    world.calm()


def traced(
    world: World, collector: Collector, query: str = QUERY, brought: Sequence[tuple[bytes, bytes]] = (), **more: Any
) -> tuple[Reply, str]:
    """The answer to one inquiry of which everything is traced and delivered, and the identifier that it was about."""
    traces = Traces(collector.url, more.pop("sample", 1.0), version="1", **more)
    world.metrics.traces = traces.begin
    subject = new_subject()
    asker = world.requester("environment-agency", official="e.lind")
    about = {"scheme": subject.scheme, "value": subject.value}
    ask = Ask(asker, query, {"id": about} if "$id" in query else {})
    method, headers, body = world.sent(ask)
    for department in world.departments.values():
        department.asked.clear()
    fetcher = Fetcher(world.departments, {d.id: d.department for d in world.catalogue.datasets.values()})
    journey = world.journey_with(fetcher=fetcher)

    async def asked() -> Answer:
        return await answer.answer(journey, method, [*headers, *brought], body)

    got = world.run(asked())
    traces.close()
    return Reply(got, {}, world.entries(), {}), subject.value


def test_each_step_and_department_has_a_span_with_nothing_but_listed_attributes(
    world: World, collector: Collector
) -> None:
    reply, subject = traced(world, collector)
    root = collector.root()
    steps = collector.below(root)
    assert [span.name for span in steps] == list(STEPS)
    fetch = next(span for span in steps if span.name == "fetch")
    departments = collector.below(fetch)
    assert [said(span) for span in departments] == [{"dutybound.department": "market"}]
    assert said(root) == {"dutybound.outcome": "OK"}
    assert {key for span in collector.spans for key in said(span)} <= ATTRIBUTES
    assert {span.trace_id for span in collector.spans} == {root.trace_id}
    assert not any(span.events or span.links or span.status.message for span in collector.spans)
    (entry,) = reply.entries
    for secret in (subject, entry.told.id, "environment-agency", "e.lind", "LICENCE_RENEWAL"):
        assert secret.encode() not in b"".join(collector.bodies)


def test_times_are_shown_of_few_moments_only(world: World, collector: Collector) -> None:
    traced(world, collector)
    began = collector.root().start_time_unix_nano
    shown = {(t - began) // 1_000_000 for span in collector.spans for t in _times(span)}
    assert all((t - began) % 1_000_000 == 0 for span in collector.spans for t in _times(span))
    assert shown <= {0, *_SHOWN}
    before = began
    for span in collector.below(collector.root()):
        assert before <= span.start_time_unix_nano <= span.end_time_unix_nano
        before = span.end_time_unix_nano


def _times(span: Span) -> tuple[int, int]:
    return span.start_time_unix_nano, span.end_time_unix_nano


def test_a_departments_fault_and_a_refusal_are_in_the_trace_by_their_codes(world: World, collector: Collector) -> None:
    for department in world.departments.values():
        department.mood = "down"
    traced(world, collector)
    faults = {said(span)["dutybound.fault"] for span in collector.spans if span.name == "department"}
    assert faults == {Fault.UNAVAILABLE.value}
    collector.bodies.clear()
    traced(world, collector, QUERY.replace("{ name }", "{ DUTYSURNAME }"))
    root = collector.root()
    assert said(root) == {"dutybound.outcome": "GRAPHQL_VALIDATION_FAILED"}
    assert [span.name for span in collector.below(root)] == ["authenticate", "plan"]
    assert b"DUTYSURNAME" not in b"".join(collector.bodies)


def test_what_is_no_inquiry_and_what_is_not_picked_leave_no_span(world: World, collector: Collector) -> None:
    traced(world, collector, "{ __typename }")
    traced(world, collector, sample=0.0)
    assert collector.spans == []


@pytest.mark.parametrize(
    ("more", "brought", "theirs"),
    [
        ({}, [BROUGHT], False),
        ({"clients": frozenset({"market-regulator"})}, [BROUGHT], False),
        ({"clients": frozenset({"environment-agency"})}, [BROUGHT], True),
        ({"proxied": lambda: True}, [BROUGHT], True),
        ({"proxied": lambda: True}, [BROUGHT, BROUGHT], False),
        ({"proxied": lambda: True}, [(b"traceparent", b"00-DUTY00000000000000-1-01")], False),
    ],
)
def test_a_context_is_taken_from_whom_it_is_configured_for_without_its_state(
    world: World, collector: Collector, more: dict[str, Any], brought: list[tuple[bytes, bytes]], theirs: bool
) -> None:
    traced(world, collector, brought=[*brought, (b"tracestate", b"a=DUTY77"), (b"baggage", b"b=DUTY78")], **more)
    root = collector.root()
    assert (root.trace_id.hex() == THEIRS) is theirs
    assert (root.parent_span_id.hex() == "b7ad6b7169203331") is theirs
    assert {span.trace_state for span in collector.spans} == {""}
    assert b"DUTY7" not in b"".join(collector.bodies)


def test_a_department_is_sent_the_context_where_its_source_names_it(world: World, collector: Collector) -> None:
    department = "market"
    try:
        world.departments[department].forwards = {"trace"}  # type: ignore[attr-defined]
        traced(world, collector)
        (asked,) = world.departments[department].asked
        assert asked.forwarded is not None
        (span,) = [span for span in collector.spans if said(span).get("dutybound.department") == department]
        assert re.fullmatch(rf"00-{span.trace_id.hex()}-{span.span_id.hex()}-0[13]", asked.forwarded.trace or "")
        assert [*asked.forwarded[:-1]] == [None] * (len(asked.forwarded) - 1)
        world.metrics.traces = None
        traced(world, collector, sample=0.0)
        (asked,) = world.departments[department].asked
        assert asked.forwarded is not None
        assert asked.forwarded.trace is None
    finally:
        del world.departments[department].forwards  # type: ignore[attr-defined]


def test_a_receiver_that_takes_nothing_is_reported_and_hinders_no_inquiry(world: World, collector: Collector) -> None:
    collector.status = 400
    told: list[str | None] = []
    reply, _ = traced(world, collector, heard=lambda _name, why: told.append(why), token="t" * 32)
    assert reply.answer.status == 200
    assert told == ["traces cannot be delivered, and are dropped (it answered 400)"]
    assert collector.authorized == {f"Bearer {'t' * 32}"}


def test_without_traces_steps_of_an_inquiry_are_what_they_were(world: World) -> None:
    assert world.metrics.traces is None
    assert type(world.metrics.begin()) in (Steps, type(UNTIMED))
    assert UNTIMED.asked("market") is None
