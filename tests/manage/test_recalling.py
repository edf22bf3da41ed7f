"""What the process that recalls counts is in the metrics of all, summed over those that ended, and is no worker's."""

from __future__ import annotations

import os
import socket

from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import Recalling, Report
from gateway.telemetry.metrics import Metrics, RecallCounts
from tests.waiting import until


def test_it_is_told_with_the_workers_and_outlives_its_process() -> None:
    with Hub(1) as hub:
        worker, recaller = (Link(os.environ[SUPERVISOR], ended=lambda: None) for _ in range(2))
        worker.tell(Report(1, "1", {"ledger": True}, Metrics(["tax"]).counts(), []))
        recaller.tell(Recalling(RecallCounts({"taken": 2, "gone": 1}, {"break-glass.used": 1}, 7, 1.5)))
        until("both", lambda: hub.heard == 2)
        text = hub.exposition().decode()
        assert 'dutybound_recall_messages_total{outcome="taken"} 2.0' in text
        assert 'dutybound_alerts_total{kind="break-glass.used"} 1.0' in text
        assert "dutybound_recall_work 7.0" in text
        assert "dutybound_recall_work_late_seconds 1.5" in text
        assert "dutybound_processes 1.0" in text
        assert hub.health()["status"] == "ready", "it is no process that serves"
        recaller._socket.shutdown(socket.SHUT_RDWR)
        after = Link(os.environ[SUPERVISOR], ended=lambda: None)
        after.tell(Recalling(RecallCounts({"taken": 5}, {}, 0, 0.0)))
        until("the next", lambda: 'outcome="taken"} 7.0' in hub.exposition().decode())
        assert "dutybound_recall_work 0.0" in hub.exposition().decode()
        for each in (worker, after):
            each._socket.shutdown(socket.SHUT_RDWR)
