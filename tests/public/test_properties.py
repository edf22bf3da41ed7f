"""Whatever departments hold, and whatever became of it: nothing that is not open leaves by the open record."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.public import record, record_page
from gateway.rules.ruleset import RuleSet
from gateway.storage.subjects import facts
from tests.outside import NOON, Held, values
from tests.properties.checking import holds, is_found
from tests.properties.scenes import put
from tests.public.desk import Desk
from tests.world import World, new_subject, rule_set

MARKS = ("withdrawal", "restoration", "overdue", "objection", "")
HIDING = MARKS[:3]

_records = st.lists(
    st.tuples(st.sampled_from(MARKS), st.integers(-4000, 4), st.booleans()), min_size=1, max_size=3
)  # fmt: skip
_scenes = st.dictionaries(
    st.sampled_from(sorted(name for name, each in rule_set().policies.catalogue.datasets.items())),
    _records,
    min_size=3,
)


def check(desk: Desk, scene: Mapping[str, Any], opted_out: bool) -> None:
    world, subject = desk.world, new_subject()
    secret: list[str] = []
    for name, records in scene.items():
        dataset = world.catalogue.datasets[name]
        for place, (mark, days, document) in enumerate(records):
            id_ = f"{name}-r{place}"
            effective = NOON.date() + datetime.timedelta(days=days)
            held = Held(id_, values(dataset, place), "1", "D-1" if document else None, effective)
            world.held.setdefault((subject, name), []).append(held)
            if mark:
                put(world, mark, subject, name, id_)
            over = opted_out and dataset.nature == "favourable"
            if dataset.disclosure != "open" or mark in HIDING or over:
                secret += [id_, *_texts(held.fields)]
        if opted_out and dataset.nature == "favourable":
            facts.set_opt_out(world.store.engine, subject, name, True, world.now)
    told = _told(desk, subject)
    assert not [each for each in secret if each in told]


def _texts(fields: Mapping[str, Any]) -> list[str]:
    """Values that stand nowhere else."""
    return [str(each) for each in fields.values() if not isinstance(each, bool | datetime.date)]


def _told(desk: Desk, subject: Subject) -> str:
    answers = [desk.record(subject, accept=accept) for accept in ("application/json", "text/html")]
    assert [each.status_code for each in answers] == [200, 200]
    return "".join(each.text + str(each.headers) for each in answers)


def test_nothing_that_is_not_open_leaves(desk: Desk) -> None:
    holds(lambda scene, opted_out: check(desk, scene, opted_out), _scenes, st.booleans(), examples=40)


def test_the_property_finds_a_record_that_asks_for_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even so the rules would stand in the way; so both are taken away."""

    def everything(catalogue: Any) -> Any:
        covering = [each for each in catalogue.published.values() if "organisation" in each.subjects]
        wanted = {each.id: record.Wanted(frozenset(each.fields), bare=True) for each in covering}
        return record.Selected({"organisation": wanted})

    def dataset_too(catalogue: Any, subject: Subject, _decision: Any, got: Any) -> dict[str, Any]:
        shown = [
            record._dataset(each, catalogue, frozenset(each.fields), got.get((subject, each.id)))
            for each in catalogue.published.values()
        ]
        return {"scheme": subject.scheme, "value": subject.value, "datasets": shown}

    monkeypatch.setattr(record, "selected", everything)
    monkeypatch.setattr(record, "OPEN_RECORD", "COURT_ENFORCEMENT")
    monkeypatch.setattr(record, "PUBLIC", _as_a_court(desk.world))
    monkeypatch.setattr(record, "document", dataset_too)
    is_found(lambda scene: check(desk, scene, False), _scenes, examples=20)


def _as_a_court(world: World) -> tuple[str, str]:
    return next(who for who, each in world.policies.requesters.items() if "court" in each.roles)


def test_what_the_rules_open_no_more_is_not_asked_for(desk: Desk) -> None:
    rules: RuleSet = desk.world.rules
    assert set(record.selected(rules.policies.catalogue).kinds["organisation"]) == {
        name for name, each in rules.policies.catalogue.published.items() if each.disclosure == "open"
    }
    assert record_page.PATH == "/open/organisations"
