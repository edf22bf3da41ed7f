"""9. One department's failure nulls that department's datasets and nothing else.

The same question is asked when all is well and when some departments fail, each in its own way: everything of the
others is equal, and every selection that could not be had says whose failure it is, in none of the department's words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from connectors.base import Failure, Fault
from gateway.inquiry import fetch
from tests.inquiry.executor import plain
from tests.properties import oracle
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import CATALOGUE, Scene, scenes
from tests.world import FAILING, World

CODES = {
    "down": "SOURCE_UNAVAILABLE",
    "garbage": "SOURCE_INVALID",
    "slow": "SOURCE_TIMEOUT",
    "silent": "SOURCE_INVALID",
    "raises": "SOURCE_UNAVAILABLE",
    "hangs": "SOURCE_TIMEOUT",
}
MOODS = st.dictionaries(st.sampled_from(sorted(CATALOGUE.departments)), st.sampled_from(FAILING), min_size=1)


def check(world: World, scene: Scene, moods: Mapping[str, str], **ports: Any) -> None:
    """Ask the same subject twice: all well, then with these departments failing."""
    made = staged(world, scene)
    well = world.ask(made.ask)
    if not well.entries:
        return  # the document skips every subject
    for name, mood in moods.items():
        world.departments[name].mood = mood
    reply = world.ask(made.ask, **ports)
    assert "data" in reply.said, reply.said
    without = oracle.expected(world, made, frozenset(moods))
    assert plain(reply.data) == without.data
    assert reply.denials == well.denials
    assert reply.inquiry["obligations"] == well.inquiry["obligations"]
    lost = {d.id for d in CATALOGUE.datasets.values() if d.department in moods}
    assert reply.inquiry["cautions"] == [each for each in well.inquiry["cautions"] if each["dataset"] not in lost]
    failures = [error for error in reply.errors if error not in reply.denials]
    fetched = without.fetched()
    hit = {(subject, name) for subject, name in fetched if name in lost}
    assert bool(failures) == bool(hit), (failures, hit)
    for error in failures:
        extensions = error["extensions"]
        assert extensions["code"] == CODES[moods[extensions["department"]]]
        assert set(extensions) == {"code", "department", "retryable"}
        assert at(reply.data, error["path"]) is None
    assert {error["extensions"]["department"] for error in failures} == {
        CATALOGUE.datasets[name].department for _, name in hit
    }
    (entry,) = reply.entries
    for each in entry.told.disclosed:
        for dataset in each.datasets:
            assert bool(dataset.failure) == (dataset.dataset in lost)
            assert not (dataset.failure and dataset.records)


def at(data: Any, path: list[Any]) -> Any:
    for step in path:
        data = data[step]
    return data


def test_a_department_s_failure_is_its_own(world: World) -> None:
    holds(lambda scene, moods: check(world, scene, moods), scenes(plain=True), MOODS, examples=30)


def test_a_department_that_hangs_costs_its_own_datasets(world: World) -> None:
    """The inquiry's deadline ends the wait; the others' answers are not lost with it."""
    for department in CATALOGUE.departments:
        holds(
            lambda scene, name=department: check(world, scene, {name: "hangs"}, deadline=0.02),
            scenes(plain=True),
            examples=3,
        )


def _fails_all(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetch.Fetcher.fetch

    async def faulty(self: Any, permits: Any, deadline: float, about: Any = None) -> Any:
        got = await real(self, permits, deadline, about)
        if any(isinstance(outcome, Failure) for outcome in got.values()):
            return dict.fromkeys(got, Failure(Fault.UNAVAILABLE, True, "one of them failed"))
        return got

    monkeypatch.setattr(fetch.Fetcher, "fetch", faulty)


def _lets_an_exception_through(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetch.Fetcher._requests

    async def faulty(self: Any, permits: Any, deadline: float, about: Any = None) -> Any:
        requests = real(self, permits)
        answers = await asyncio.gather(
            *[self._connectors[name].fetch(fetch.RecordRequest(parts, deadline)) for name, parts in requests.items()]
        )
        return {key: outcome for each in answers for key, outcome in each.items()}

    monkeypatch.setattr(fetch.Fetcher, "fetch", faulty)


def _takes_a_failure_for_no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetch.Fetcher.fetch

    async def faulty(self: Any, permits: Any, deadline: float, about: Any = None) -> Any:
        got = await real(self, permits, deadline, about)
        return {key: [] if isinstance(outcome, Failure) else outcome for key, outcome in got.items()}

    monkeypatch.setattr(fetch.Fetcher, "fetch", faulty)


@pytest.mark.parametrize(
    "plant",
    [_fails_all, _lets_an_exception_through, _takes_a_failure_for_no_records],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    is_found(lambda scene, moods: check(world, scene, moods), scenes(plain=True), MOODS)
