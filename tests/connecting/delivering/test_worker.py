"""The process that takes deliveries in, as `dutybound serve` keeps it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from connectors.delivered import index, report
from connectors.delivered.report import Outcome, Report, Trouble
from gateway.connecting.delivering import worker
from tests.connecting.delivering.labour import FINDING, Labour
from tests.manage.supervising import supervised
from tests.waiting import until


def told(log: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_it_takes_each_delivery_in_and_says_what_it_refuses(tmp_path: Path) -> None:
    labour = Labour(tmp_path)
    labour.hand_over(FINDING, {**FINDING, "file_no": "F-2"})
    log = tmp_path / "log"
    command = [sys.executable, "-m", worker.__name__, "--config", str(labour.gateway), "--parent", str(os.getpid())]
    with supervised() as scraped, log.open("w") as output, subprocess.Popen(command, stderr=output) as process:
        try:
            [first] = until("the first delivery", lambda: told(log, "delivered"))
            assert (first["department"], first["sequence"], first["records"], first["vanished"]) == ("labour", 1, 2, 0)
            labour.hand_over(FINDING)
            _, second = until("the second", lambda: (found := told(log, "delivered"))[1:] and found)
            assert (second["sequence"], second["records"], second["vanished"]) == (2, 1, 1)
            labour.hand_over({**FINDING, "unpaid": "nothing much"})
            [began] = until("what is refused", lambda: told(log, "began"))
            assert (began["part"], began["name"]) == ("deliveries", "labour")
            assert began["why"].startswith("delivery 3 is refused: wage.csv, row 2, column `unpaid`: must be a Decimal")
            assert "nothing much" not in log.read_text()
            assert str(FINDING["id_value"]) not in log.read_text()
            refused = 'dutybound_delivery_intakes_total{department="labour",outcome="refused"} '
            until("it at the management address", lambda: refused in scraped())
            assert 'dutybound_delivery_intakes_total{department="labour",outcome="taken"} 2.0' in scraped()
            known = index.known(labour.index)
            assert known is not None
            as_of = 'dutybound_delivery_as_of_timestamp_seconds{department="labour"} '
            [line] = [line for line in scraped().splitlines() if line.startswith(as_of)]
            assert float(line.removeprefix(as_of)) == known.as_of
            last = report.last(labour.index)
            assert last is not None
            assert (last.outcome, last.sequence) == (Outcome.REFUSED, 3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    labour = Labour(tmp_path)
    command = [sys.executable, "-m", worker.__name__, "--config", str(labour.gateway), "--parent", "1"]
    assert subprocess.run(command, timeout=100, check=False).returncode == 0


def test_it_is_kept_only_where_files_are_delivered(tmp_path: Path) -> None:
    with worker.beside(tmp_path / "gateway.yaml", threading.Event(), [object()]):
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()]
        assert not [command for command in commands if worker.__name__.encode() in command]


def test_what_it_says_of_an_intake() -> None:
    assert worker.why(Report(outcome=Outcome.TAKEN, at="", sequence=1)) is None
    assert worker.why(Report(outcome=Outcome.UNREACHED, at="", troubles=[Trouble("no\x1b way")])) == "no\\x1b way"
    refused = Report(outcome=Outcome.REFUSED, at="", sequence=4, troubles=[Trouble("wrong", "a", 2, "b")], more=3)
    assert worker.why(refused) == "delivery 4 is refused: a, row 2, column `b`: wrong (and 3 more)"


def test_what_was_refused_is_looked_at_ever_more_seldom_until_another_comes() -> None:
    refused, pauses = Report(outcome=Outcome.REFUSED, at="", sequence=4), [60.0]
    for _ in range(6):
        pauses.append(worker.rest(refused, pauses[-1], 60.0))
    assert pauses == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0]
    assert worker.rest(refused, 3600.0, 3600.0) == 3600.0
    for outcome in (Outcome.TAKEN, Outcome.UNCHANGED, Outcome.UNREACHED):
        assert worker.rest(Report(outcome=outcome, at=""), 600.0, 60.0) == 60.0
