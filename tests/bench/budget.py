"""The budget of an inquiry, and what was measured against it; ratios are within one run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

from tests.bench.report import Line, Row

Measure = Callable[[], float]

APOLLO, NODE = "apollo-gateway", "node-rest"
UNSEEN = "new-document"


def lines(rows: list[Row]) -> list[Line]:
    """The lines for which there are rows; those of parts that did not run are left out."""
    by = {(row["name"], row.get("connections")): row for row in rows}
    held = [row for row in rows if row["bench"] == "memory" and row["load_s"] and row["usual"]]
    found: list[Line] = []

    def line(what: str, unit: str, must: float, aim: float, value: Measure, node: Measure | None = None) -> None:
        with contextlib.suppress(KeyError, ValueError):
            found.append(Line(what, value(), unit, must, aim, node=node() if node else None))

    def cpu(name: str, connections: int = 32) -> float:
        return float(by[name, connections]["cpu_ms"])

    def added(key: str, gateway: str = "dutybound") -> float:
        return float(by[gateway, 1][key] - by["one-department", 1][key])

    def leaf(prefix: str = "") -> float:
        return (cpu(f"{prefix}800-leaves") - cpu(f"{prefix}50-leaves")) / 0.75

    most = max((row["load_s"] for row in held), default=0)
    growth = next((row for row in rows if row["name"] == "append, growth"), {"entries": 0})
    line("CPU at 32 connections, to @apollo/gateway", "", 0.20, 0.12, lambda: cpu("dutybound") / cpu(APOLLO))
    line("the same, to a Node fan-out over REST", "", 1.8, 1.2, lambda: cpu("dutybound") / cpu(NODE))
    line("CPU at 1 connection, to @apollo/gateway", "", 0.40, 0.25, lambda: cpu("dutybound", 1) / cpu(APOLLO, 1))
    for key, must, aim in (("p50", 0.8, 0.45), ("p99", 3.0, 1.5)):
        line(
            f"{key} at 1 connection, over a department's own", "ms", must, aim,
            functools.partial(added, f"{key}_ms"), functools.partial(added, f"{key}_ms", NODE),
        )  # fmt: skip
    line("CPU of one more leaf value", "us", 0.3, 0.1, leaf, lambda: leaf(f"{NODE}, "))
    line(
        "CPU of a document never seen, to @apollo/gateway's", "", 1.0, 0.5,
        lambda: cpu(UNSEEN, 1) / cpu(f"{APOLLO}, {UNSEEN}", 1),
    )  # fmt: skip
    line("start to first answer", "s", 1.2, 0.6, lambda: float(by["spawn to first answer", None]["seconds"]))
    line("the ledger's CPU per inquiry", "us", 80, 50, lambda: float(by["share", 32]["cpu_us"]))
    line(
        f"the same of {growth['entries']:,} entries, to a small ledger's", "", 1.2, 1.1,
        lambda: float(growth["cpu_growth"]),
    )  # fmt: skip
    line(
        "PostgreSQL, 1 worker, to SQLite: CPU", "", 1.6, 1.2,
        lambda: cpu("PostgreSQL, 1 worker") / cpu("SQLite, 1 worker"),
    )  # fmt: skip
    line(
        f"memory of a worker, after {most:.0f} s of load", "MB", 140, 110,
        lambda: max(row["rss_mb"] for row in held if row["load_s"] == most),
    )  # fmt: skip
    line("p99 over p50, 32 connections", "times", 4.0, 2.0, lambda: _spread(by["dutybound", 32]))
    line("CPU of a denial of everything, to an inquiry", "", 0.5, 0.25, lambda: cpu("denial") / cpu("dutybound"))
    return found


def _spread(row: Row) -> float:
    return float(row["p99_ms"] / row["p50_ms"])
