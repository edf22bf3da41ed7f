"""16. A denial's reason depends on the caller's own grant, token, case and consent, never on what departments hold.

The same caller asks the same of subjects of whom departments hold this, that and nothing, and of departments that fail:
every denial reads the same, to its last word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from gateway.inquiry import render
from gateway.rules.model import Reason
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import Scene, Staged, scenes
from tests.world import FAILING, Reply, World

MOODS = st.dictionaries(st.sampled_from(["market", "tax", "courts", "environment", "labour"]), st.sampled_from(FAILING))
ALL_DOWN = st.fixed_dictionaries(dict.fromkeys(["market", "tax", "courts", "environment", "labour"], st.just("down")))
REASONS = {str(reason) for reason in Reason}


def denials(made: Staged, reply: Reply) -> Any:
    """Every denial as told, and as entered for oversight."""
    entered = [each for entry in reply.entries for each in entry.oversight.denied]
    return reply.denials, entered, [reply.said["errors"]] if "data" not in reply.said else []


def check(world: World, scene: Scene, other: Scene, moods: Mapping[str, str]) -> None:
    """Ask about subjects with the holdings of one scene, of another, with none, and with departments failing."""
    found = []
    for held in (scene.held, other.held[:1] * len(scene.held), tuple({} for _ in scene.held)):
        for failing in ({}, moods):
            made = staged(world, scene._replace(held=held, opted_out=()))
            for name, mood in failing.items():
                world.departments[name].mood = mood
            reply = world.ask(made.ask)
            for error in reply.denials:
                assert set(error["extensions"]) == {"code", "reason", "rule", "articles", "advice"}
                assert error["extensions"]["reason"] in REASONS
                assert error["extensions"]["advice"], "a denial without advice"
            text = repr(denials(made, reply))
            for number, subject in enumerate(made.subjects):
                text = text.replace(subject.value, f"subject {number}")
            found.append(text)
    assert len(set(found)) == 1, "a denial tells of what departments hold"


SOME = (scenes(), scenes(), MOODS)


def test_denials_do_not_depend_on_records(world: World) -> None:
    holds(lambda *drawn: check(world, *drawn), *SOME, examples=25)


def _advice_tells_what_is_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = render._denied

    def faulty(root_key: str, path: Any, cell: Any) -> Any:
        error = real(root_key, path, cell)
        if not any(world.held.values()):
            error["extensions"]["advice"] += " Nothing is held anyway."
        return error

    monkeypatch.setattr(render, "_denied", faulty)


def _denials_are_told_of_records_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = render.Renderer.render

    def faulty(self: Any, variant: Any, asked: Any, decision: Any, got: Any, *rest: Any) -> Any:
        made = real(self, variant, asked, decision, got, *rest)
        empty = not any(getattr(outcome, "records", True) for outcome in got.values())
        return made._replace(errors=[]) if got and empty else made

    monkeypatch.setattr(render.Renderer, "render", faulty)


def _a_failure_hides_a_denial(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = render.Renderer.render

    def faulty(self: Any, variant: Any, asked: Any, decision: Any, got: Any, *rest: Any) -> Any:
        made = real(self, variant, asked, decision, got, *rest)
        failed = [error for error in made.errors if "department" in error["extensions"]]
        return made._replace(errors=failed or made.errors)

    monkeypatch.setattr(render.Renderer, "render", faulty)


@pytest.mark.parametrize(
    "plant",
    [_advice_tells_what_is_held, _denials_are_told_of_records_only, _a_failure_hides_a_denial],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    plant(world, monkeypatch)
    is_found(lambda *drawn: check(world, *drawn), scenes(plain=True), scenes(plain=True), ALL_DOWN)
