"""A worker that hangs is killed, so that it is replaced; one that is slow, or that is debugged, is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.manage import hanging as hanging_workers
from gateway.manage import processes
from gateway.manage.hanging import Hanging
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import Report
from gateway.telemetry.metrics import Counts
from tests.waiting import until

BUSY = "print(flush=True)\nwhile True: pass"
STILL = "import time; print(flush=True); time.sleep(600)"
TRACED = f"import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0); {STILL}"


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", request.param], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("started", [STILL], indirect=True)
@pytest.mark.parametrize("stopped", [True, False])
def test_one_that_shows_nothing_for_too_long_is_killed(
    started: subprocess.Popen[bytes], stopped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if stopped:
        started.send_signal(signal.SIGSTOP)
    hanging = Hanging(lambda: {started.pid: 1.0}, looks=3)
    for _ in range(3):
        hanging.look()
        assert started.poll() is None
    hanging.look()
    assert started.wait(60) == -signal.SIGKILL
    assert f"worker {started.pid} hung" in capsys.readouterr().err
    hanging.look()  # it may take a moment to be gone


@pytest.mark.parametrize("started", [STILL], indirect=True)
def test_one_that_shows_something_now_and_then_is_left(started: subprocess.Popen[bytes]) -> None:
    at = [float(number // 3) for number in range(30)]
    hanging = Hanging(lambda: {started.pid: at.pop()}, looks=3)
    while at:
        hanging.look()
    assert started.poll() is None


@pytest.mark.parametrize("started", [TRACED], indirect=True)
def test_one_that_is_debugged_is_left(started: subprocess.Popen[bytes]) -> None:
    hanging = Hanging(lambda: {started.pid: 1.0}, looks=1)
    for _ in range(9):
        hanging.look()
    assert started.poll() is None


@pytest.mark.parametrize("started", [STILL], indirect=True)
@pytest.mark.parametrize("stopped", [True, False])
def test_one_that_hangs_before_its_first_report_is_killed(
    started: subprocess.Popen[bytes], stopped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if stopped:
        started.send_signal(signal.SIGSTOP)
    hanging = Hanging(dict, beginning=3)
    for _ in range(3):
        hanging.look([started.pid])
        assert started.poll() is None
    hanging.look([started.pid])
    assert started.wait(60) == -signal.SIGKILL
    assert f"worker {started.pid} hung before it served" in capsys.readouterr().err
    hanging.look([started.pid])


@pytest.mark.parametrize("started", [BUSY], indirect=True)
def test_one_that_has_much_to_read_before_is_left(
    started: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging_workers, "LEAST", 0.02)
    hanging, taken = Hanging(dict, beginning=1), 0.0
    for _ in range(6):
        until("some work", lambda least=taken + 0.05: (processes.cpu(started.pid) or 0.0) > least)
        taken = processes.cpu(started.pid) or 0.0
        hanging.look([started.pid])
    assert started.poll() is None


@pytest.mark.parametrize("started", [TRACED], indirect=True)
def test_one_that_is_debugged_before_it_serves_is_left(started: subprocess.Popen[bytes]) -> None:
    hanging = Hanging(dict, beginning=1)
    for _ in range(9):
        hanging.look([started.pid])
    assert started.poll() is None


@pytest.mark.parametrize("started", [STILL], indirect=True)
def test_one_that_serves_is_no_longer_one_that_begins(started: subprocess.Popen[bytes]) -> None:
    at = [float(number) for number in range(30)]
    hanging = Hanging(lambda: {started.pid: at.pop()}, beginning=1)
    while at:
        hanging.look([started.pid])
    assert started.poll() is None


def test_a_report_counts_where_the_event_loop_goes_round() -> None:
    def report(**checks: bool) -> Report:
        return Report(os.getpid(), "1", checks, Counts({}, {}, {}, [], 0, 0), [])

    with Hub(1) as hub:
        link = Link(os.environ[SUPERVISOR], lambda: None)
        link.tell(report(ledger=False))
        until("the report", lambda: hub.rounds())
        (first,) = hub.rounds().values()
        link.tell(report(running=False))
        until("the next", lambda: hub.heard == 2)
        assert hub.rounds() == {os.getpid(): first}, "its thread reports, and its loop stands still"
        link.tell(report(ledger=True))
        until("the last", lambda: hub.heard == 3)
        assert hub.rounds()[os.getpid()] > first
