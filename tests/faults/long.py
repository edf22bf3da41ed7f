"""The tests that `make test` leaves out, since others walk the same road (`tests/long.py`).

    python -m tests.faults.long [--workers NUMBER]

runs them, with pytest's words on stderr, and prints one line of JSON: how many there were, and which failed. It exits
with 1 where one did, or where there was none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from defusedxml import ElementTree


def judged(report: Path) -> dict[str, Any]:
    """What is printed of a run, from the report that pytest wrote."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    names = sorted(f"{case.get('classname')}::{case.get('name')}" for case in failed)
    return {"holds": bool(cases) and not names, "tests": len(cases), "failed": names}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.long", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", default="auto", metavar="NUMBER", help="pytest's processes (default: auto)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-n", asked.workers, "--dist", "worksteal", "-m", "long", f"--junitxml={report}"]
        done = subprocess.run([sys.executable, "-m", "pytest", *options], stdout=sys.stderr)
        told = judged(report) if report.exists() else {"holds": False}
    told["holds"] = told["holds"] and done.returncode == 0
    print(json.dumps(told))
    return 0 if told["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
