"""What `tests.faults.loaded` must find is found: each of its three counts can be other than zero."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from tests.faults.loaded import loaded


def test_a_lost_entry_a_false_receipt_and_an_answer_without_one_are_counted(tmp_path: Path) -> None:
    with loaded(tmp_path, seed=6) as scene:
        scene.clients.stop()
        answer = next(reply for reply in scene.clients.replies if b'"receipt":' in reply.content)
        altered = answer.content.replace(b"Notices", b"notices")
        scene.check()
        assert scene.counts.sound
        scene.clients.replies += [answer._replace(content=altered), answer._replace(content=b'{"data": {}}')]
        scene.gateway.stop()
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            connection.execute("UPDATE entry SET leaf = zeroblob(32)")
        counts = scene.finish()
    assert counts.receipts_failed == 1
    assert counts.answers_without_entry > 1
    assert counts.trees_inconsistent > 1, "the command finds it, and so do the checkpoints that clients hold"
