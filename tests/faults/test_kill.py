"""Few rounds of `tests.faults.kill`, and a worker that is killed again as soon as it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill import kill, run
from tests.faults.loaded import loaded


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_answer_is_without_its_entry_when_workers_are_killed(store: str, tmp_path: Path) -> None:
    counts = run(3, store, tmp_path, seed=3)
    assert counts.sound, counts
    assert counts.kills == 3
    assert counts.answers > 0


def test_a_worker_that_is_killed_as_soon_as_it_is_back_is_replaced_again(tmp_path: Path) -> None:
    with loaded(tmp_path, seed=4) as scene:
        victim = scene.workers()[0]
        for _ in range(3):
            before = set(scene.workers())
            kill(scene, victim)
            (victim,) = set(scene.workers()) - before
        scene.clients.stop()
        assert scene.finish().sound
