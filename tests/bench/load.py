"""Load by wrk, and what it cost: one measured run, with every answer accounted for.

wrk comes from the system's packages (Debian: `wrk`). A run counts only if no request failed, every status was 200, and
the bytes received an answer are those of answers that were checked value by value.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.processes import BenchError, Child, Others, memory_ns

SCRIPT = Path(__file__).with_name("load.lua")
REST = 0
"""Milliseconds between two requests of all connections together: none in what is measured, some in tests of it."""


class NoAnswer(BenchError):
    """Not one answer came while the load lasted."""


class Load(NamedTuple):
    """What is sent: a file of JSON bodies and one of tokens, a line each; `vary` makes each document new."""

    bodies: Path
    tokens: Path | None = None
    vary: bool = False


class Measured(NamedTuple):
    """One run. Latencies in milliseconds; `bytes_each` is the mean size of an answer, head included.

    `others` is how many cores processes beside the bench had meanwhile, `memory_ns` how slow the machine's memory was
    (see `processes.memory_ns`), `parts` the CPU of the project's own processes, milliseconds per inquiry.
    """

    requests: int
    requests_per_s: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    bytes_each: float
    others: float
    memory_ns: float
    parts: dict[str, float]


_serial = 0


def require_wrk() -> None:
    """Raise where wrk is not there to use."""
    if not shutil.which("wrk"):
        raise BenchError("wrk, the load generator, is missing; install it (Debian: apt-get install wrk)")


def wrk(
    url: str, arguments: Sequence[str], *, connections: int, seconds: float, cores: Sequence[int]
) -> dict[str, int]:
    """Run wrk once and give its counts; latencies in microseconds."""
    command = ["taskset", "-c", ",".join(map(str, cores)), "wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s"]
    command += ["--timeout", "60s", "--latency", "-s", str(SCRIPT), url, "--", *arguments]
    environ = {**os.environ, "REST_MS": str(REST * connections)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, env=environ, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise BenchError(f"wrk failed ({done.returncode}): {done.stdout}{done.stderr}")
    counts: dict[str, int] = json.loads(lines[-1])
    if counts["failed"]:
        raise BenchError(f"wrk could not have its answers: {counts}")
    if not counts["requests"]:
        raise NoAnswer(f"{url} gave no answer within {seconds} s")
    return counts


def run(
    load: Load, url: str, measured: Sequence[Child], *, connections: int, seconds: float, cores: Sequence[int]
) -> Measured:
    """Send `load` for `seconds` and give what it cost the `measured` process trees."""
    global _serial
    arguments = [str(load.bodies), str(load.tokens) if load.tokens else "-"]
    if load.vary:
        _serial += 1
        arguments += ["vary", str(_serial * 10_000_000)]
    memory = memory_ns()
    others, before = Others(), sum(child.cpu_ms() for child in measured)
    counts = wrk(url, arguments, connections=connections, seconds=seconds, cores=cores)
    after = sum(child.cpu_ms() for child in measured)
    for child in measured:
        child.check()
    if counts["status"]:
        raise BenchError(f"{counts['status']} of {counts['requests']} answers from {url} were no success")
    return Measured(
        requests=counts["requests"],
        requests_per_s=counts["requests"] * 1e6 / counts["duration_us"],
        cpu_ms=(after - before) / counts["requests"],
        p50_ms=counts["p50_us"] / 1000,
        p99_ms=counts["p99_us"] / 1000,
        bytes_each=counts["bytes"] / counts["requests"],
        others=others.cores(),
        memory_ns=(memory + memory_ns()) / 2,
        parts={},
    )
