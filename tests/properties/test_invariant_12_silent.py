"""12. Logs, metrics and traces carry no identifier and no value of a subject.

Scenes are played with departments that fail and a ledger that does, steps that break with a subject's data in their
exceptions, and everything written to the log, as the gateway sets it up, and exposed as metrics is searched.
"""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from gateway.inquiry import answer, restrain
from gateway.inquiry.beside import refusing
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.http.endpoint import GraphQLEndpoint
from gateway.manage.states import States
from gateway.telemetry import log, metrics
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import Scene, scenes
from tests.world import FAILING, World

MOODS = st.dictionaries(st.sampled_from(["market", "tax", "courts", "environment", "labour"]), st.sampled_from(FAILING))
BREAKS = ("nothing", "restrain", "the ledger", "facts", "everything")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that a gateway writes, however often; the logging of the tests is put back afterwards."""
    monkeypatch.setattr(log, "LIBRARY_EVERY", 0)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.take_over(log.Log(stream))
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def check(world: World, lines: io.StringIO, scene: Scene, moods: Mapping[str, str], breaks: str) -> None:
    """Play the scene, and look for its subjects in what was written."""
    made = staged(world, scene)
    for name, mood in moods.items():
        world.departments[name].mood = mood
    subject = made.subjects[0]

    def fails(*_: Any, **__: Any) -> Any:
        raise ValueError(f"cannot handle {subject.value}: {list(made.records.values())[:1]}")

    async def fails_later(*_: Any, **__: Any) -> Any:
        fails()

    lines.seek(0)
    lines.truncate()
    told = States(log.Log(lines).state).of("department")
    ports: dict[str, Any] = {"fetcher": Fetcher(world.departments, world.journey.fetcher._departments, heard=told)}
    with pytest.MonkeyPatch.context() as patch:
        if breaks == "restrain":
            patch.setattr(restrain, "restrain", fails)
        elif breaks == "the ledger":
            patch.setattr(world.ledger, "append", fails_later)
        elif breaks == "facts":
            patch.setattr(world._facts, "read", fails)
        elif breaks == "everything":
            patch.setattr(answer, "answered", fails)
            patch.setattr(refusing, "refused", fails)
        _, headers, body = world.sent(made.ask)
        endpoint = GraphQLEndpoint(functools.partial(answer.answer, world.journey_with(**ports)), log.Log(lines).defect)
        world.run(_served(endpoint, headers, body))
    world.entries()
    written = lines.getvalue() + world.metrics.exposition().decode()
    for who in made.subjects:
        assert who.value not in written
    for records in made.records.values():
        for held in records:
            assert held.id not in written
            assert not any(str(value) in written for value in held.fields.values() if not isinstance(value, bool))
            assert not held.mitigation or held.mitigation not in written


async def _served(endpoint: GraphQLEndpoint, headers: Any, body: bytes) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(_message: Any) -> None:
        return None

    await endpoint({"type": "http", "method": "POST", "path": "/graphql", "headers": headers}, receive, send)


SOME = (scenes(plain=True), MOODS, st.sampled_from(BREAKS))


def test_nothing_of_a_subject_is_written(world: World, lines: io.StringIO) -> None:
    holds(lambda *drawn: check(world, lines, *drawn), *SOME, examples=30)


def test_failures_are_written(world: World, lines: io.StringIO) -> None:
    """The property would hold of a gateway that writes nothing."""
    holds(lambda scene: check(world, lines, scene, {}, "restrain"), scenes(plain=True), examples=5)
    assert "ValueError" in lines.getvalue() or '"level":"error"' in lines.getvalue()
    assert b'dutybound_inquiries_total{outcome="INTERNAL"}' in world.metrics.exposition()


def _writes_the_exception_s_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "place", lambda error, last=8: [str(error)])


def _labels_by_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    real = restrain.restrain
    seen: list[str] = []

    def faulty(dataset: Any, purpose: Any, subject: Any, *rest: Any) -> Any:
        seen.append(subject.value)
        return real(dataset, purpose, subject, *rest)

    exposition = metrics.Metrics.exposition
    monkeypatch.setattr(restrain, "restrain", faulty)
    monkeypatch.setattr(metrics.Metrics, "exposition", lambda self: exposition(self) + "".join(seen).encode())


@pytest.mark.parametrize(
    "plant", [_writes_the_exception_s_text, _labels_by_subject], ids=lambda plant: plant.__name__.strip("_")
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    is_found(lambda *drawn: check(world, lines, *drawn), *SOME)
