"""The supervisor's end of its links: a Unix socket, for its own account only, that each worker connects to.

A worker that loses its link ends at once (`gateway.manage.link`), so the supervisor's ends must be the supervisor's
alone: a worker that is forked from it closes its copies, and no link is accepted while a process is forked.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
from prometheus_client.core import GaugeMetricFamily

from gateway.manage import processes
from gateway.manage.link import SUPERVISOR
from gateway.manage.messages import MAX_LINE, Message, Recalling, Report, Turns, Up, decode
from gateway.manage.sources import Deliveries, Drifts
from gateway.manage.states import Trouble
from gateway.telemetry.metrics import Counts, Lag, RecallCounts, exposition

SILENT = 15.0
"""Seconds without a report after which a worker is told as one that does not report."""


_C = TypeVar("_C", RecallCounts, Deliveries)


class _Beside(Generic[_C]):
    """What a process beside those that serve counted since it started, and those before it."""

    def __init__(self, none: type[_C]) -> None:
        self._none: type[_C] = none
        self._gone: _C = none()
        self._now: _C = none()
        self._link: socket.socket | None = None

    def heard(self, link: socket.socket, counts: _C) -> None:
        """It is the process of this link now."""
        if self._link is not link and self._link is not None:
            self.left(self._link)
        self._link, self._now = link, counts

    def left(self, link: socket.socket) -> None:
        """A process is gone. What it counted stays counted."""
        if self._link is link:
            self._gone = self.total()
            self._link, self._now = None, self._none()

    def total(self) -> _C:
        """All together."""
        total: _C = msgspec.convert(msgspec.to_builtins(self._gone), self._none)
        total.add(self._now)
        return total


class Hub:
    """The links, as long as this is entered; enter it before the workers start.

    Until `workers` of them have said that they serve, this is a start: the first that is refused ends it (`stop`), and
    `refused` says why. One that cannot start later is tried again by the server, since the store may come back.
    """

    def __init__(self, workers: int) -> None:
        self.refused: str | None = None
        self.stop: Callable[[], object] = lambda: None
        self.heard = 0
        """How many messages came."""
        self._starting = self._workers = workers
        self._reports: dict[socket.socket, tuple[float, Report]] = {}
        self._rounds: dict[socket.socket, tuple[int, float]] = {}
        self._gone = Counts({}, {}, {}, [], 0, 0)
        self._recalls, self._deliveries = _Beside(RecallCounts), _Beside(Deliveries)
        self._drifts = Drifts()
        self._turns: dict[socket.socket, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="dutybound-"))  # for its owner only
        self._lock = threading.Lock()
        self._links: dict[socket.socket, bytes] = {}
        self._closed = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "links"))
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        os.environ[SUPERVISOR] = str(self._folder / "links")
        os.register_at_fork(before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._forked)
        self._thread = threading.Thread(target=self._run, name="links", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if os.environ.get(SUPERVISOR) == str(self._folder / "links"):  # nobody who starts later looks for it
            del os.environ[SUPERVISOR]
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as waker:
            waker.connect(str(self._folder / "links"))
        self._thread.join()
        with self._lock:
            self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def exposition(self) -> bytes:
        """The Prometheus text of all processes together, those that ended included."""
        with self._lock:
            total = msgspec.convert(msgspec.to_builtins(self._gone), Counts)
            reports = sorted(self._reports.values(), key=lambda one: one[0])
            ready = sum(all(_checks(*each).values()) for each in reports)
            silent = self._silent()
            beside = [*self._recalls.total().collect(), *self._deliveries.total().collect(), *self._drifts.collect()]
        told = "Processes that serve and whose checks all hold"
        beside.append(GaugeMetricFamily("dutybound_processes_ready", told, value=ready))
        beside += [
            _out_of_order(_troubles([report for _, report in reports], silent)),
            *processes.collect({each.pid for _, each in reports}),
        ]
        lags: Sequence[Lag] = ()
        for _, report in reports:
            total.add(report.counts)
            lags = report.lags or lags  # they read the same store: the last word counts
        return exposition(total, lags, len(reports), beside) if total.steps else b""

    def health(self) -> dict[str, Any]:
        """Each process's checks, and what is out of order for any of them.

        Ready is a gateway all of whose processes are there, speak, and are ready.
        """
        with self._lock:
            reports, silent = list(self._reports.values()), self._silent()
        each_one = [
            {"pid": each.pid, "shard": each.shard, "checks": _checks(heard, each)}
            for heard, each in sorted(reports, key=lambda one: one[1].pid)
        ]
        ready = len(each_one) >= self._workers and all(all(each["checks"].values()) for each in each_one)  # type: ignore[attr-defined]
        troubles = _troubles([report for _, report in reports], silent)
        return {
            "status": "ready" if ready else "not ready",
            "wanted": self._workers,
            "processes": each_one,
            "troubles": [msgspec.to_builtins(each) for each in troubles],
        }

    def rounds(self) -> dict[int, float]:
        """When each process that serves last reported that its event loop goes round, by its id."""
        with self._lock:
            return dict(self._rounds.values())

    def _silent(self) -> list[Trouble]:
        """Processes beside those that serve which run, and have stopped to report."""
        now = time.monotonic()
        parts = {part for heard, part in self._turns.values() if now - heard >= SILENT}
        return [Trouble(part, "", "the process runs, and does not report: it hangs") for part in sorted(parts)]

    def _forked(self) -> None:
        self._lock.release()
        self._close()

    def _close(self) -> None:
        for link in (self._listener, *self._links):
            link.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                with self._lock:
                    self._serve(key.fileobj)  # type: ignore[arg-type]

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._listener:
            link, _ = ready.accept()
            link.setblocking(False)
            self._links[link] = b""
            self._selector.register(link, selectors.EVENT_READ)
            return
        try:
            got = ready.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        *lines, rest = (self._links[ready] + got).split(b"\n")
        self._links[ready] = rest
        try:
            for line in lines:
                self._heard(ready, decode(line))
        except msgspec.DecodeError:
            got = b""
        if not got or len(rest) > MAX_LINE:
            self._left(ready)

    def _left(self, link: socket.socket) -> None:
        """A worker is gone. What it counted stays counted."""
        self._selector.unregister(link)
        del self._links[link]
        link.close()
        self._recalls.left(link)
        self._deliveries.left(link)
        self._turns.pop(link, None)
        self._rounds.pop(link, None)
        last = self._reports.pop(link, None)
        if last is not None:
            self._gone.add(last[1].counts)

    def _heard(self, link: socket.socket, message: Message) -> None:
        self.heard += 1
        if isinstance(message, Report):
            self._reports[link] = (now := time.monotonic()), message
            if message.checks.get("running", True):
                self._rounds[link] = message.pid, now
        elif isinstance(message, Recalling):
            self._recalls.heard(link, message.counts)
        elif isinstance(message, Deliveries):
            self._deliveries.heard(link, message)
        elif isinstance(message, Drifts):
            self._drifts = message  # how a look found the systems, which lasts until the next
        elif isinstance(message, Turns):
            self._turns[link] = (time.monotonic(), message.part)
        elif isinstance(message, Up):
            self._starting -= 1
        elif self._starting > 0 and self.refused is None:
            self.refused = message.why
            self.stop()


def _checks(heard: float, said: Report) -> dict[str, bool]:
    """A process's checks: what it said last, at `heard`, and whether it still speaks."""
    return {**said.checks, "reports": time.monotonic() - heard < SILENT}


def _troubles(reports: Iterable[Report], silent: Iterable[Trouble]) -> list[Trouble]:
    """What is out of order for any of them, each once, and which of the others are silent."""
    found = [*silent, *(each for report in reports for each in report.troubles)]
    return sorted({(each.part, each.name): each for each in found}.values())


def _out_of_order(troubles: Iterable[Trouble]) -> GaugeMetricFamily:
    told = "What is out of order for a process that serves, as the log has it"
    found = GaugeMetricFamily("dutybound_out_of_order", told, labels=["part", "name"])
    for each in troubles:
        found.add_metric([each.part, each.name], 1)
    return found
