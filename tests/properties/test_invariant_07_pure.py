"""7. Pure steps take the time and the facts as arguments: no clock, no I/O, no randomness.

Imports are the import linter's affair (`pyproject.toml`). Here the pure steps are run where every clock, random source,
file and socket fails, twice, and give the same; and their text calls no clock of `datetime`, which needs no import.
"""

from __future__ import annotations

import ast
import builtins
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.inquiry import answer, restrain
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import Scene, scenes
from tests.world import World

PURE = (
    "gateway/inquiry/types.py",
    "gateway/inquiry/document/shapes.py",
    "gateway/inquiry/document/bounds.py",
    "gateway/inquiry/document/collect.py",
    "gateway/inquiry/plan.py",
    "gateway/inquiry/decide.py",
    "gateway/inquiry/restrain.py",
    "gateway/inquiry/document/projection.py",
    "gateway/inquiry/render.py",
    "gateway/inquiry/beside/obligations.py",
    "gateway/rules/decide/guards.py",
)
CLOCKS = frozenset({"now", "utcnow", "today"})


class Impure(AssertionError):
    """A pure step reached for the world."""


@contextmanager
def nothing_outside() -> Iterator[None]:
    """Clocks, random sources, files and sockets fail."""

    def fails(*_: Any, **__: Any) -> Any:
        raise Impure

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (time, "time"),
            (time, "monotonic"),
            (time, "perf_counter"),
            (os, "urandom"),
            (os, "open"),
            (random, "random"),
            (secrets, "token_bytes"),
            (socket, "socket"),
            (builtins, "open"),
        ):
            patch.setattr(owner, name, fails)
        yield


def check(world: World, scene: Scene) -> None:
    """Run decide, restrain and render of one scene again, alone, from what they were given in the journey."""
    made = staged(world, scene)
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = []

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any) -> Any:
            result = real(*given)
            calls.append((real, given, result))
            return result

        return noted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "decide", noting(answer.decide))
        patch.setattr(restrain, "restrain", noting(restrain.restrain))
        patch.setattr(type(world.serving.renderer), "render", noting(type(world.serving.renderer).render))
        world.ask(made.ask)
    for step, given, result in calls:
        with nothing_outside():
            again = step(*given)
        if hasattr(result, "permits"):
            again, result = again.permits, result.permits
        assert again == result, f"{step} differs from call to call"


def test_pure_steps_need_nothing_but_their_arguments(world: World) -> None:
    holds(lambda scene: check(world, scene), scenes(plain=True), examples=15)


def clocks_in(text: str) -> list[int]:
    """Lines that call `now()`, `utcnow()` or `today()` of anything."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]


@pytest.mark.parametrize("path", PURE)
def test_a_pure_module_calls_no_clock(path: str) -> None:
    assert clocks_in(Path(path).read_text()) == []


def test_a_clock_in_a_pure_module_is_found() -> None:
    assert clocks_in("import datetime\nx = datetime.datetime.now(datetime.UTC)\n") == [2]


def test_a_step_that_reaches_out_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = restrain.restrain

    def faulty(*given: Any) -> Any:
        time.time()
        return real(*given)

    monkeypatch.setattr(restrain, "restrain", faulty)
    is_found(lambda scene: check(world, scene), scenes(plain=True))
