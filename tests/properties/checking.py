"""Running a property: on many scenes as a test, and with a fault planted, when it has to fail.

Examples are drawn from a fixed seed, so that a run repeats; `DUTYBOUND_EXAMPLES` multiplies how many. A failing example
is told as it was drawn: `DUTYBOUND_SHRINK=1` makes it as small as can be, which takes minutes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from gateway.errors import Code, Refusal
from tests.properties.scenes import DRAWN, MORE, Scene, Staged, stage
from tests.scanning.keeping import FOLDER
from tests.world import World

_PHASES = (Phase.generate, Phase.shrink) if os.environ.get("DUTYBOUND_SHRINK") else (Phase.generate,)


def holds(check: Callable[..., None], *drawn: st.SearchStrategy[Any], examples: int = 60) -> None:
    """Run `check` on examples of each strategy; raises what it raises on the first that breaks it."""

    @seed(DRAWN)
    @settings(
        max_examples=examples * MORE,
        deadline=None,
        database=None,
        print_blob=False,
        phases=_PHASES,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*drawn))
    def run(values: tuple[Any, ...]) -> None:
        check(*values)

    run()


def is_found(check: Callable[..., None], *drawn: st.SearchStrategy[Any], examples: int = 300) -> None:
    """Assert that the planted fault breaks `check` on some example. What it lets through is no finding of the scan."""

    @seed(DRAWN)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=False,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*drawn))
    def run(values: tuple[Any, ...]) -> None:
        check(*values)

    with (
        tempfile.TemporaryDirectory(prefix="planted-") as folder,
        mock.patch.dict(os.environ, {FOLDER: folder}),
        pytest.raises(AssertionError),
    ):
        run()


def staged(world: World, scene: Scene) -> Staged:
    """The scene in the world; scenes whose document is not valid are passed over."""
    made = stage(world, scene)
    try:
        world.serving.planner.plan(made.ask.query, None)
    except Refusal as refusal:
        if refusal.code is not Code.GRAPHQL_VALIDATION_FAILED:
            raise AssertionError(refusal.message) from refusal
        assume(False)
    return made
