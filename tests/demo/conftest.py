"""Regions of two days, made once for all workers, and servers of them that end with the test that started them."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.demo.configuration import today
from deploy.demo.guard import Guard
from deploy.demo.processes import Child
from tests.conftest import records
from tests.ports import free_port

DAY = datetime.date(2026, 3, 31)
"""The day that the tests' region is for: a month's last, on purpose."""


@pytest.fixture(scope="session")
def todays() -> Path:
    """The departments' stores for today."""
    return records("today", today())


Start = Callable[..., tuple[Child, int]]


@pytest.fixture(scope="session")
def data() -> Path:
    """The departments' stores."""
    return records("fixed", DAY)


@contextlib.contextmanager
def starting(data: Path, logs: Path) -> Iterator[Start]:
    """`start(module, *options)` -> the ready child and its port; all of them end with this."""
    guard = Guard()
    children: list[Child] = []

    def begin(module: str, *options: str, folder: Path = data) -> tuple[Child, int]:
        port = free_port()
        command = [sys.executable, "-m", f"deploy.demo.{module}", "--port", str(port), "--data", str(folder), *options]
        child = Child(module, command, logs, guard)
        children.append(child)
        child.start()
        child.ready()
        return child, port

    yield begin
    for child in children:
        child.stop()
    guard.close()


@pytest.fixture
def start(data: Path, tmp_path: Path) -> Iterator[Start]:
    """The same, ended after the test."""
    with starting(data, tmp_path) as begin:
        yield begin
