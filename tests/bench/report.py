"""The rows of a run, the budget that they are held against, and the tables that are printed."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Line(NamedTuple):
    """One line of the budget: what was measured against what must and what should be; less is better unless `more`.

    `node` is what the fan-out in Node over REST took in the same run, which enforces and enters nothing: for lines in
    seconds, which say little of another machine.
    """

    what: str
    value: float
    unit: str
    must: float
    aim: float
    more: bool = False
    node: float | None = None

    def mark(self) -> str:
        """`aim`, `ok` or `OVER`."""
        sign = -1 if self.more else 1
        if sign * self.value <= sign * self.aim:
            return "aim"
        return "ok" if sign * self.value <= sign * self.must else "OVER"


def machine() -> str:
    """The machine in a line; figures from two machines are not comparable, ratios nearly are."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    python = platform.python_version()
    return f"{cores} cores, {model}, {platform.system()} {platform.machine()}, Python {python}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3f}" if value < 10 else f"{value:.1f}"
    return str(value)


def table(heads: list[str], lines: list[list[object]]) -> str:
    """A Markdown table, columns as wide as they need."""
    cells = [heads, *([_cell(value) for value in line] for line in lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    made = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    made.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(made)


JOURNEY = ["name", "connections", "cpu_ms", "requests_per_s", "p50_ms", "p99_ms"]


def journey(rows: list[Row]) -> str:
    """The rows with a load behind them, and their ratio to the gateway's own row of as many connections."""
    own = {row["connections"]: row["cpu_ms"] for row in rows if row["name"] == "dutybound"}
    lines = [
        [row[key] for key in JOURNEY]
        + [f"{row['cpu_ms'] / own[row['connections']]:.1f}x" if row["connections"] in own else ""]
        for row in rows
        if "cpu_ms" in row and "p50_ms" in row
    ]
    return table(
        ["gateway", "connections", "CPU ms per inquiry", "requests/s", "p50 ms", "p99 ms", "CPU to dutybound's"], lines
    )


def budget(lines: list[Line]) -> str:
    """The budget table."""

    def cells(line: Line) -> list[object]:
        node = "" if line.node is None else f"{_cell(line.node)} {line.unit}"
        return [line.what, f"{_cell(line.value)} {line.unit}".strip(), line.must, line.aim, line.mark(), node]

    return table(["budget", "measured", "must", "aim", "", "Node over REST"], [cells(line) for line in lines])


def others(rows: list[Row], keys: list[str]) -> str:
    """Rows of a part of its own."""
    return table(keys, [[row.get(key, "") for key in keys] for row in rows])


def loudest(rows: list[Row]) -> tuple[float, str]:
    """How many cores other processes had in the row where that was most, and the row's name."""
    return max(((row.get("others_cores", 0.0), str(row["name"])) for row in rows), default=(0.0, ""))


def drift(rows: list[Row]) -> float:
    """How many times as slow the machine's memory was beside one row as beside another; 1 where none looked."""
    found = [row["memory_ns"] for row in rows if "memory_ns" in row]
    return max(found) / min(found) if found else 1.0


def write(file: Path, machine: str, rows: list[Row], lines: list[Line]) -> None:
    """Write `bench.json`; rows of parts that did not run this time are not kept."""
    file.parent.mkdir(exist_ok=True)
    told = {
        "machine": machine,
        "python": platform.python_version(),
        "node": _node(),
        "others_cores": loudest(rows)[0],
        "memory_drift": drift(rows),
        "budget": [line._asdict() | {"mark": line.mark()} for line in lines],
        "rows": rows,
    }
    file.write_text(json.dumps(_rounded(told), indent=1) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def _node() -> str:
    if not (node := shutil.which("node")):
        return ""
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")
