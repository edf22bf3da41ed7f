"""The tables of the last run, written into the pages that show them: `python -m tests.bench.page`.

A table stands between `<!-- bench: NAME -->` and `<!-- end -->`. It is written anew where `var/bench.json` has the rows
for it; a run of some parts leaves the others' tables as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from tests.bench import report
from tests.bench.processes import ROOT
from tests.bench.report import Line, Row

PAGES = ("gateway/SPEED.md", "deploy/docs/pages/costs.md")
WORKERS = ("name", "connections", "cores", "cpu_ms", "requests_per_s", "to_one", "store_ms", "store_share")
PROCESSES = ("name", "connections", "cpu_ms", "workers_ms", "projector_ms", "recalls_ms", "supervisor_ms")
STEPS = ("name", "cpu_us", "share")
_BLOCK = re.compile(r"<!-- bench: (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def tables(told: dict[str, Any]) -> dict[str, str]:
    """The tables of a run by their names, each with a line on the machine. `told` is what `bench.json` has."""
    rows: list[Row] = told["rows"]
    lines = [Line(*(line[key] for key in Line._fields)) for line in told["budget"]]

    def of(part: str) -> list[Row]:
        return [row for row in rows if row["bench"] == part]

    made = {
        "journey": report.journey(of("journey")) if of("journey") else "",
        "processes": report.others([row for row in of("journey") if row["name"] == "dutybound"], list(PROCESSES)),
        "workers": report.others(of("workers"), list(WORKERS)) if of("workers") else "",
        "steps": report.others([row for row in of("steps") if row["name"] != "wall"], list(STEPS)),
        "budget": report.budget(lines) if of("journey") and of("ledger") and of("workers") else "",
    }
    where = (
        f"{told['machine']}, Node {told['node']}; other processes had at most {told['others_cores']:.2f} cores, and "
        f"memory was at most {told['memory_drift']:.1f} times as slow in one row as in another."
    )
    return {name: f"{table}\n\n{where}" for name, table in made.items() if table.count("\n") > 1}


def renewed(text: str, found: dict[str, str]) -> str:
    """A page's text with the tables that were found."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- bench: {name} -->\n\n{found[name]}\n\n<!-- end -->" if name in found else match[0]

    return _BLOCK.sub(block, text)


def names(text: str) -> list[str]:
    """The tables that a page shows."""
    return _BLOCK.findall(text)


def main() -> int:
    argparse.ArgumentParser(prog="python -m tests.bench.page", description=(__doc__ or "").splitlines()[0]).parse_args()
    file = ROOT / "var" / "bench.json"
    if not file.is_file():
        print("there is no var/bench.json; run `make bench` first", file=sys.stderr)
        return 1
    found = tables(json.loads(file.read_text("utf-8")))
    for page in PAGES:
        path = ROOT / page
        text = path.read_text("utf-8")
        path.write_text(renewed(text, found), "utf-8")
        print(f"{page}: {', '.join(name for name in names(text) if name in found) or 'nothing new'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
