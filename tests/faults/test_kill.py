"""Few rounds of `tests.faults.kill` on PostgreSQL; on SQLite a worker that is killed again as soon as it is back.

What the run holds must be able to fail: on the second one's store, what must be found is planted, and found.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from tests.faults.kill import kill, run
from tests.faults.loaded import loaded


def test_no_answer_is_without_its_entry_when_workers_are_killed(tmp_path: Path) -> None:
    counts = run(1, "postgresql", tmp_path, seed=3)
    assert counts.sound, counts
    assert counts.kills == 1
    assert counts.answers > 0


def test_a_worker_that_is_killed_as_soon_as_it_is_back_is_replaced_again(tmp_path: Path) -> None:
    with loaded(tmp_path, seed=4) as scene:
        victim = scene.workers()[0]
        for _ in range(3):
            before = set(scene.workers())
            kill(scene, victim)
            (victim,) = set(scene.workers()) - before
        scene.clients.stop()
        answer = next(reply for reply in scene.clients.replies if b'"receipt":' in reply.content)
        scene.check()
        assert scene.counts.sound, scene.counts
        altered = answer.content.replace(b"Notices", b"notices")
        scene.clients.replies += [answer._replace(content=altered), answer._replace(content=b'{"data": {}}')]
        scene.gateway.stop()
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            connection.execute("UPDATE entry SET leaf = zeroblob(32)")
        counts = scene.finish()
    assert counts.receipts_failed == 1
    assert counts.answers_without_entry > 1
    assert counts.trees_inconsistent > 1, "the command finds it, and so do the checkpoints that clients hold"
