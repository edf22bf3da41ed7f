"""Workers that are to end do, one way or the other."""

from __future__ import annotations

import multiprocessing
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.serving.workers import ended

_FORK = multiprocessing.get_context("fork")


def stubborn(ready: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    time.sleep(600)


def test_one_that_does_not_stop_is_killed_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    ready = _FORK.Event()
    processes: Any = [_FORK.Process(target=stubborn, args=(ready,)), _FORK.Process(target=time.sleep, args=(0,))]
    for each in processes:
        each.start()
    assert ready.wait(60)
    processes[0].terminate()
    ended([SimpleNamespace(process=each, pid=each.pid) for each in processes], 0.5)  # type: ignore[misc]
    assert processes[0].exitcode == -signal.SIGKILL
    assert f"worker {processes[0].pid} did not stop and is killed" in capsys.readouterr().err
    assert processes[1].exitcode is not None
