"""Keeps what gateways write while tests run, and has it scanned at the end: a run that finds something has failed.

Kept are the log of each process that tests start (`started`), the log lines of gateways within the tests' own
processes, and what the region of each worker sends as traces and shows as metrics (`kept`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gateway.telemetry.log import Log
from tests.scanning.keeping import FOLDER, kept

_STARTED = str(Path(__file__).parent / "started")
_findings: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="scanned-")
        others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
        os.environ["PYTHONPATH"] = os.pathsep.join([_STARTED, *others])
    write = Log._write

    def both(log: Log, event: str, level: str, **fields: Any) -> None:
        kept("own", repr((event, level, fields)).encode())
        write(log, event, level, **fields)

    Log._write = both  # type: ignore[method-assign]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    from tests.scanning.scan import found  # what it needs is imported once, here

    folder = Path(os.environ[FOLDER])
    _findings.extend(found(folder))
    shutil.rmtree(folder, ignore_errors=True)
    if _findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _findings:
        terminalreporter.section("what gateways wrote names whom tests asked about", red=True)
        for each in _findings:
            terminalreporter.line(each)
