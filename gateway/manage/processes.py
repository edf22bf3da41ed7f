"""What the operating system reports of a supervisor's processes: how many there are of each kind, their CPU and
memory.

Kinds are words of the code. Where there is no `/proc`, nothing is said.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

BESIDE = {
    b"gateway.ledger.projections.worker": "projector",
    b"gateway.recall.worker": "recalls",
    b"gateway.connecting.delivering.worker": "deliveries",
    b"gateway.connecting.drifting.worker": "drift",
}
"""Processes beside those that serve, by their modules."""
SUPERVISOR, WORKER = "supervisor", "worker"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


def collect(workers: Collection[int]) -> Iterator[Metric]:
    """As metrics, of this process and those that it started; `workers` are the ids of those that serve."""
    count = GaugeMetricFamily("dutybound_running_processes", "Processes that run, by what they do", labels=["process"])
    cpu = CounterMetricFamily("dutybound_process_cpu_seconds", "Their CPU time, by what they do", labels=["process"])
    memory = GaugeMetricFamily("dutybound_process_resident_bytes", "Their memory, by what they do", labels=["process"])
    found: dict[str, tuple[int, float, int]] = {}
    for pid in (os.getpid(), *_children(os.getpid())):
        kind = SUPERVISOR if pid == os.getpid() else WORKER if pid in workers else _beside(pid)
        taken = None if kind is None else _taken(pid)
        if kind is not None and taken is not None:
            processes, seconds, resident = found.get(kind, (0, 0.0, 0))
            found[kind] = processes + 1, seconds + taken[0], resident + taken[1]
    for kind, (processes, seconds, resident) in sorted(found.items()):
        count.add_metric([kind], processes)
        cpu.add_metric([kind], seconds)
        memory.add_metric([kind], resident)
    yield from (count, cpu, memory)


def cpu(pid: int) -> float | None:
    """The CPU time of a process in seconds; None where it has ended, or there is no `/proc`."""
    taken = _taken(pid)
    return None if taken is None else taken[0]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in _PROC.glob(f"{pid}/task/*/children"):
        try:
            found += map(int, task.read_text("ascii").split())
        except (OSError, ValueError):
            continue
    return found


def _beside(pid: int) -> str | None:
    try:
        words = (
            (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").split()
        )  # one that was forked: one word
    except OSError:
        return None
    return next((BESIDE[word] for word in words if word in BESIDE), None)


def _taken(pid: int) -> tuple[float, int] | None:
    """CPU time in seconds, and memory in bytes; None where it has ended."""
    try:
        # Behind the name, which may hold anything but ends with the last `)`.
        stat = (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS, int(stat[21]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None
