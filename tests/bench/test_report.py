"""What the bench tells: the contract's file, and marks that follow the budget."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from tests.bench import budget, report
from tests.bench.processes import cpu_seconds, memory_ns
from tests.bench.report import Line


def test_a_line_is_marked_by_the_budget() -> None:
    assert Line("cpu", 0.10, "ms", 0.4, 0.17).mark() == "aim"
    assert Line("cpu", 0.30, "ms", 0.4, 0.17).mark() == "ok"
    assert Line("cpu", 0.41, "ms", 0.4, 0.17).mark() == "OVER"
    assert Line("scaling", 1.96, "times", 1.8, 1.95, more=True).mark() == "aim"
    assert Line("scaling", 1.85, "times", 1.8, 1.95, more=True).mark() == "ok"
    assert Line("scaling", 1.2, "times", 1.8, 1.95, more=True).mark() == "OVER"


def test_the_file_has_the_contract_s_shape(tmp_path: Path) -> None:
    row = {
        "bench": "journey",
        "name": "dutybound",
        "connections": 32,
        "cpu_ms": 0.123456,
        "requests_per_s": 1000.0,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "others_cores": 0.25,
    }
    report.write(tmp_path / "var" / "bench.json", "a machine", [row], [Line("cpu", 0.123456, "ms", 0.4, 0.17)])
    told = json.loads((tmp_path / "var" / "bench.json").read_text())
    assert re.fullmatch(r"\d+(\.\d+)+", told.pop("node"))
    assert told == {
        "machine": "a machine",
        "python": platform.python_version(),
        "others_cores": 0.25,
        "memory_drift": 1.0,
        "budget": [
            {
                "what": "cpu",
                "value": 0.1235,
                "unit": "ms",
                "must": 0.4,
                "aim": 0.17,
                "more": False,
                "node": None,
                "mark": "aim",
            }
        ],
        "rows": [{**row, "cpu_ms": 0.1235}],
    }


def test_lines_in_seconds_show_what_the_fan_out_over_rest_took() -> None:
    def row(name: str, connections: int, **more: float) -> report.Row:
        return {"bench": "journey", "name": name, "connections": connections, **more}

    rows = [
        row("one-department", 1, p50_ms=0.1, p99_ms=0.2),
        row("dutybound", 1, p50_ms=1.1, p99_ms=6.2),
        row("node-rest", 1, p50_ms=0.4, p99_ms=2.2),
        row("50-leaves", 32, cpu_ms=0.6),
        row("800-leaves", 32, cpu_ms=1.05),
        row("node-rest, 50-leaves", 32, cpu_ms=0.3),
        row("node-rest, 800-leaves", 32, cpu_ms=0.72),
    ]
    found = {line.what: (round(line.value, 3), line.node and round(line.node, 3)) for line in budget.lines(rows)}
    assert found == {
        "p50 at 1 connection, over a department's own": (1.0, 0.3),
        "p99 at 1 connection, over a department's own": (6.0, 2.0),
        "CPU of one more leaf value": (0.6, 0.56),
    }
    table = report.budget([Line("start", 1.0, "s", 1.2, 0.6), *budget.lines(rows)])
    *_, start, p50, _, _ = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    assert (start[6], p50[6]) == ("", "0.300 ms")


def test_ratios_are_to_the_gateway_s_own_row_of_as_many_connections() -> None:
    def row(name: str, connections: int, cpu_ms: float) -> report.Row:
        return {"name": name, "connections": connections, "cpu_ms": cpu_ms, "requests_per_s": 1.0} | {
            "p50_ms": 1.0,
            "p99_ms": 1.0,
        }

    table = report.journey([row("dutybound", 32, 0.5), row("apollo-gateway", 32, 2.0), row("apollo-gateway", 1, 2.0)])
    *_, apollo, alone = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    assert apollo[7] == "4.0x"
    assert alone[7] == ""


def test_children_that_ended_count_as_the_bench_s_own() -> None:
    begun = cpu_seconds(os.getpid())
    spin = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert cpu_seconds(os.getpid()) - begun >= 0.25


def test_the_row_with_the_most_other_work_is_named() -> None:
    rows: list[report.Row] = [{"name": "a"}, {"name": "b", "others_cores": 0.4}, {"name": "c", "others_cores": 0.2}]
    assert report.loudest(rows) == (0.4, "b")
    assert report.loudest([]) == (0.0, "")


def test_a_machine_whose_memory_slows_down_is_found() -> None:
    rows: list[report.Row] = [{"name": "a", "memory_ns": 100.0}, {"name": "b"}, {"name": "c", "memory_ns": 250.0}]
    assert report.drift(rows) == 2.5
    assert report.drift([{"name": "b"}]) == 1.0
    assert memory_ns() > 1
