"""2. A denied field costs no call and is not in what is sent to the source.

What departments are asked equals, subject by subject, the permitted part of what the document selects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.base import Subject
from gateway.inquiry import decide, fetch
from gateway.inquiry.types import Permit
from tests.properties import oracle
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import ASKERS, CATALOGUE, Scene, scenes
from tests.world import Reply, World


def asked(reply: Reply) -> dict[tuple[Subject, str], frozenset[str]]:
    """What departments saw: fields by subject and dataset."""
    found: dict[tuple[Subject, str], frozenset[str]] = {}
    for department, requests in reply.asked.items():
        assert len(requests) == 1, f"{department} was called {len(requests)} times for one inquiry"
        for part in requests[0].datasets:
            assert CATALOGUE.datasets[part.dataset].department == department
            assert part.subjects, "a call that names nobody"
            for subject in part.subjects:
                assert (subject, part.dataset) not in found, "asked twice"
                found[subject, part.dataset] = frozenset(part.fields)
    return found


def check(world: World, scene: Scene) -> None:
    """Departments see the permitted selected fields and nothing else; a department with none is not called."""
    made = staged(world, scene)
    reply = world.ask(made.ask)
    seen = asked(reply)
    may = oracle.expected(world, made).fetched() if "data" in reply.said else {}
    for (subject, dataset), fields in seen.items():
        assert (subject, dataset) in may, f"{dataset} was asked for without a permit"
        assert fields <= may[subject, dataset], f"{dataset} was asked for {set(fields - may[subject, dataset])}"
    assert seen == may


def test_denied_fields_are_not_asked_for(world: World) -> None:
    holds(lambda scene: check(world, scene), scenes(), examples=70)


def _asks_for_all_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetch.Fetcher.fetch

    async def faulty(self: Any, permits: Any, *given: Any) -> Any:
        every = {name: tuple(sorted(dataset.fields)) for name, dataset in CATALOGUE.datasets.items()}
        return await real(self, [Permit(subject, name, every[name]) for subject, name, _ in permits], *given)

    monkeypatch.setattr(fetch.Fetcher, "fetch", faulty)


def _calls_for_fully_denied_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "_asked", lambda wanted, leave: tuple(sorted(wanted.fields & leave)))


def _asks_of_everyone_what_one_may_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetch.Fetcher._requests

    def faulty(self: Any, permits: Any) -> Any:
        everyone = {permit.subject for permit in permits}
        return real(self, [Permit(subject, name, fields) for _, name, fields in permits for subject in everyone])

    monkeypatch.setattr(fetch.Fetcher, "_requests", faulty)


FAULTS = [_asks_for_all_fields, _calls_for_fully_denied_datasets, _asks_of_everyone_what_one_may_be_asked]


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__.strip("_"))
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    decide._memo.clear()
    plant(monkeypatch)
    try:
        organisations = [asker for asker in ASKERS if asker[2] == "organisation"]  # of which several may be named
        is_found(lambda scene: check(world, scene), scenes(askers=organisations))
    finally:
        decide._memo.clear()


TWO = """query($id: IdentifierInput!, $ids: [IdentifierInput!]!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { name }
  organisations(ids: $ids) { businessLicences { number } %s }
}"""


@pytest.mark.parametrize(
    ("more", "named"), [("", (1,)), ("", (0, 1)), ("name", (1, 1)), ("... @skip(if: true) { name }", (1,))]
)
def test_a_subject_is_asked_about_what_its_own_root_fields_select(
    world: World, more: str, named: tuple[int, ...]
) -> None:
    """Two root fields that name different subjects: what one selects is not fetched, nor entered, of the other's."""
    scene = Scene("market-regulator", "LICENCE_RENEWAL", "organisation", TWO % more, held=({}, {}), named=named)
    for _ in range(2):
        check(world, scene)
    (entry,) = world.ask(staged(world, scene).ask).entries
    first, second = ({dataset.dataset for dataset in each.datasets} for each in entry.told.disclosed)
    assert first == {"organisation-register", *(["business-licences"] if 0 in named else [])}
    assert second == {"business-licences", *(["organisation-register"] if more == "name" else [])}
