"""19. Disputes and mitigation reach the recipient of a record, selected or not.

`cautions` names every released record that is disputed or has mitigation, and no other, in the answer and in what its
receipt opens; where `record` is selected it says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.inquiry import answer, restrain
from tests.properties import oracle
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import Scene, scenes
from tests.world import World


def check(world: World, scene: Scene) -> None:
    """The cautions are those of the records that the oracle lets through."""
    made = staged(world, scene)
    reply = world.ask(made.ask)
    if "data" not in reply.said or not reply.entries:
        assert not reply.inquiry.get("cautions")
        return
    allowed = oracle.expected(world, made)
    wanted = [
        {
            "dataset": dataset,
            "record": held.id,
            "disputed": oracle.is_disputed(made, subject, dataset, held),
            "mitigation": held.mitigation,
        }
        for subject, dataset in allowed.fetched()
        for held in allowed.shown[subject, dataset]
        if held.mitigation or oracle.is_disputed(made, subject, dataset, held)
    ]
    got = reply.inquiry["cautions"]
    assert _sorted(got) == _sorted(wanted)
    (entry,) = reply.entries
    told = [
        {"dataset": c.dataset, "record": c.record, "disputed": c.disputed, "mitigation": c.mitigation}
        for c in entry.told.cautions
    ]
    assert told == got


def _sorted(cautions: list[dict[str, Any]]) -> list[Any]:
    return sorted(cautions, key=lambda each: (each["dataset"], each["record"]))


def test_disputes_and_mitigation_reach_the_recipient(world: World) -> None:
    holds(lambda scene: check(world, scene), scenes(plain=True), examples=25)
    holds(lambda scene: check(world, scene), scenes(), examples=20)


def _only_where_record_is_selected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = answer.by_document

    def faulty(*given: Any) -> Any:
        monkeypatch.setattr(restrain, "restrain", kept if "mitigation" in given[-1].query else dropped)
        return real(*given)

    kept = restrain.restrain

    def dropped(*given: Any) -> Any:
        released, withheld, _ = kept(*given)
        return released, withheld, []

    monkeypatch.setattr(answer, "by_document", faulty)


def _disputes_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = restrain.restrain

    def faulty(*given: Any) -> Any:
        released, withheld, cautions = real(*given)
        return released, withheld, [each for each in cautions if each.disputed]

    monkeypatch.setattr(restrain, "restrain", faulty)


def _not_on_the_day_it_is_due(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = restrain.restrain

    def faulty(dataset: Any, purpose: Any, subject: Any, records: Any, known: Any, today: Any) -> Any:
        released, withheld, cautions = real(dataset, purpose, subject, records, known, today)
        overdue = {key.split("/")[1] for key in known.overdue}
        return released, withheld, [each for each in cautions if each.record not in overdue]

    monkeypatch.setattr(restrain, "restrain", faulty)


@pytest.mark.parametrize(
    "plant",
    [_only_where_record_is_selected, _disputes_only, _not_on_the_day_it_is_due],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    plant(world, monkeypatch)
    is_found(lambda scene: check(world, scene), scenes(plain=True))
