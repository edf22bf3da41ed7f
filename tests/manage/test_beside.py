"""What processes beside those that serve count is in the metrics of all, summed over those that ended."""

from __future__ import annotations

import os
import socket

import pytest

from gateway.manage import hub as hubs
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import Recalling, Report, Turns
from gateway.manage.sources import Deliveries, Drifts
from gateway.telemetry.metrics import Metrics, RecallCounts
from tests.waiting import until


def test_what_recalls_is_told_with_the_workers_and_outlives_its_process() -> None:
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


def test_deliveries_add_up_and_a_look_lasts_until_the_next() -> None:
    with Hub(1) as hub:
        worker, deliverer, watcher = (Link(os.environ[SUPERVISOR], ended=lambda: None) for _ in range(3))
        worker.tell(Report(1, "1", {"ledger": True}, Metrics(["tax"]).counts(), []))
        until("the worker", lambda: hub.heard == 1)
        none = hub.exposition().decode()
        assert "dutybound_delivery" not in none
        assert "dutybound_source" not in none
        deliverer.tell(Deliveries({"labour taken": 2, "labour refused": 1}, {"labour": 1800000000.0}))
        watcher.tell(Drifts({"tax  wrong": 0, "labour wage-arrears vanished": 1}, 1800000500.0))
        until("all", lambda: hub.heard == 3)
        text = hub.exposition().decode()
        assert 'dutybound_delivery_intakes_total{department="labour",outcome="taken"} 2.0' in text
        assert 'dutybound_delivery_as_of_timestamp_seconds{department="labour"} 1.8e+09' in text
        assert 'dutybound_source_drift{dataset="wage-arrears",department="labour",kind="vanished"} 1.0' in text
        assert 'dutybound_source_drift{dataset="",department="tax",kind="wrong"} 0.0' in text
        assert "dutybound_source_watched_timestamp_seconds 1.8000005e+09" in text
        for each in (deliverer, watcher):
            each._socket.shutdown(socket.SHUT_RDWR)
        again = Link(os.environ[SUPERVISOR], ended=lambda: None)
        again.tell(Deliveries({"labour refused": 4}, {"labour": 0.0}))
        until("the next", lambda: 'outcome="refused"} 5.0' in hub.exposition().decode())
        text = hub.exposition().decode()
        assert 'department="labour",outcome="taken"} 2.0' in text
        assert 'dutybound_delivery_as_of_timestamp_seconds{department="labour"} 0.0' in text
        assert 'kind="vanished"} 1.0' in text
        again.tell(Drifts({"labour  wrong": 0}, 1800000600.0))
        until("another look", lambda: "vanished" not in hub.exposition().decode())
        for each in (worker, again):
            each._socket.shutdown(socket.SHUT_RDWR)


def test_a_process_that_runs_and_does_not_report_is_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hub(1) as hub:
        worker, recaller = (Link(os.environ[SUPERVISOR], ended=lambda: None) for _ in range(2))
        worker.tell(Report(1, "1", {"ledger": True}, Metrics(["tax"]).counts(), []))
        recaller.tell(Turns("recalls"))
        until("both", lambda: hub.heard == 2)
        assert hub.health()["troubles"] == []
        monkeypatch.setattr(hubs, "SILENT", 0.0)
        [trouble] = hub.health()["troubles"]
        assert (trouble["part"], "hangs" in trouble["why"]) == ("recalls", True)
        assert 'dutybound_out_of_order{name="",part="recalls"} 1.0' in hub.exposition().decode()
        recaller._socket.shutdown(socket.SHUT_RDWR)
        until("its end", lambda: hub.health()["troubles"] == [])
        worker._socket.shutdown(socket.SHUT_RDWR)
