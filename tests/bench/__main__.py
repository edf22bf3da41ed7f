"""`python -m tests.bench [PART,...]`: measure, print tables, write `var/bench.json`.

Parts come from the argument or the variable `ONLY`; without either, all but `memory`, which takes ten minutes.
Everything runs on loopback, in a folder of its own below `var/`, and every process that is started is ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import acts, blocks, budget, compared, ledger, page, report, simulate, steps, workers
from tests.bench.processes import ROOT, BenchError, Cores, Others
from tests.bench.report import Row


def _say(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


def _journey(folder: Path, cores: Cores) -> list[Row]:
    rows = compared.run(folder, cores, _say)
    print("\n## journey: one organisation, five departments, 200 leaf values\n")
    print(report.journey([row for row in rows if row["bench"] == "journey"]))
    print("\n" + report.others([row for row in rows if row["name"] == "dutybound"], list(page.PROCESSES)))
    print("\n" + report.others([row for row in rows if row["bench"] == "memory"], list(MEMORY)))
    return rows


def _workers(folder: Path, cores: Cores) -> list[Row]:
    rows = workers.run(folder, cores, _say)
    print("\n## workers: one gateway of several workers on one store; `cores` are the gateway's\n")
    print(report.others(rows, list(page.WORKERS)))
    return rows


def _memory(folder: Path, cores: Cores) -> list[Row]:
    rows = compared.keep(folder, cores, _say)
    print("\n## memory: ten minutes at 32 connections; `rss_mb` is a worker's, `tree_mb` that of all processes\n")
    print(report.others(rows, list(MEMORY)))
    return rows


def _block(title: str, measure: Callable[[Path, Cores], list[Row]]) -> Callable[[Path, Cores], list[Row]]:
    def run(folder: Path, cores: Cores) -> list[Row]:
        rows = measure(folder, cores)
        print(f"\n## {title}\n")
        print(report.others(rows, ["name", *(key for key in COLUMNS if any(key in row for row in rows))]))
        return rows

    return run


MEMORY = ("name", "rss_mb", "projector_mb", "recalls_mb", "tree_mb")

COLUMNS = ("connections", "cpu_us", "share", "wall_us", "per_s")

LEDGER = ("connections", "cpu_us", "wall_us", "requests_per_s", "p50_ms", "p99_ms", "cpu_growth", "wall_growth")


def _ledger(folder: Path, cores: Cores) -> list[Row]:
    rows = ledger.run(folder, cores, _say)
    print("\n## ledger: an entry of five datasets and 25 record versions, durable on SQLite (WAL, synchronous FULL)\n")
    print(ledger.caption(rows) + "\n")
    print(report.others(rows, ["name", *LEDGER]))
    print("\n" + report.budget(ledger.budget(rows)))
    return rows


def _acts(folder: Path, cores: Cores) -> list[Row]:
    rows = acts.run(folder, cores, _say)
    print("\n## acts: what a subject asks, CPU of the whole process, without the HTTP server\n")
    print(report.others(rows, ["name", "cpu_ms"]))
    print("\n" + report.budget(acts.budget(rows)))
    return rows


def _simulate(folder: Path, cores: Cores) -> list[Row]:
    rows = simulate.run(folder, cores, _say)
    print("\n## simulate: recorded inquiries decided again by a candidate, CPU of one core, on SQLite\n")
    print(report.others(rows, ["name", "cpu_us", "share", "per_s"]))
    print("\n" + report.budget(simulate.budget(rows)))
    return rows


QUIET = 0.1
"""So many cores may other processes have while something is measured, the system's own work for the disk included."""

STEADY = 1.3
"""So many times as slow may its memory be in one row as in another."""

SELDOM = ("memory",)
"""Parts that run only where they are asked for."""

RUNS: dict[str, Callable[[Path, Cores], list[Row]]] = {
    "journey": _journey,
    "workers": _workers,
    "steps": _block("steps: an inquiry alone, CPU microseconds of all threads, without the HTTP server", steps.steps),
    "tokens": _block("tokens: authenticate one, microseconds each", blocks.tokens),
    "ledger": _ledger,
    "acts": _acts,
    "simulate": _simulate,
    "memory": _memory,
}


def _now() -> float:
    others = Others()
    time.sleep(1)
    return others.cores()


def _warn(cores: float, when: str) -> None:
    if cores > QUIET:
        _say(f"this machine is not quiet: other processes had {cores:.2f} cores ({when}); figures are too high")


def main(arguments: list[str]) -> int:
    """Run the parts; 0, or 1 with the reason on standard error."""
    asked = ",".join(arguments) or os.environ.get("ONLY", "")
    parts = [part.strip() for part in asked.split(",") if part.strip()] or [part for part in RUNS if part not in SELDOM]
    if unknown := [part for part in parts if part not in RUNS]:
        print(f"unknown part `{unknown[0]}`; there are {', '.join(RUNS)}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=var))
    machine, started, rows = report.machine(), time.monotonic(), []
    print(machine)
    _warn(_now(), "now")
    try:
        cores = Cores()
        for part in parts:
            begun = time.monotonic()
            rows += RUNS[part](folder, cores)
            _say(f"{part} took {time.monotonic() - begun:.0f} s")
        lines = budget.lines(rows)
        report.write(var / "bench.json", machine, rows, lines)
    except BenchError as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if lines:
        print("\n## budget: ratios are within this run\n\n" + report.budget(lines))
    _warn(*report.loudest(rows))
    if (drift := report.drift(rows)) > STEADY:
        slow = f"its memory was {drift:.1f} times as slow in one row as in another"
        _say(f"this machine is not quiet: {slow}; ratios are off")
    print(f"\n{time.monotonic() - started:.0f} s; written to {(var / 'bench.json').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
