"""What takes long, one after the other, in about an hour on two cores: `make trials`.

    python -m tests.faults.trials [--only TRIAL ...]

Each trial is a command of its own, which tells how it goes on stderr, prints one line of JSON, and exits with 1 where
it does not hold. At the end stands which ones did not.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

TRIALS: Mapping[str, tuple[str, ...]] = {
    "kill-sqlite": ("kill", "--rounds", "40", "--store", "sqlite"),
    "kill-postgresql": ("kill", "--rounds", "25", "--store", "postgresql"),
    "store-restart": ("store_restart", "--rounds", "8"),
    "failover": ("failover",),
    "drill-sqlite": ("drill", "--store", "sqlite"),
    "drill-postgresql": ("drill", "--store", "postgresql"),
    "upgrade": ("upgrade",),
    "upgrade-step": ("upgrade", "--step"),
    "activations": ("activations",),
    "activations-large": ("activations", "--large"),
    "acts": ("acts", "--subjects", "64", "--inquiries", "1000"),
    "changes-sqlite": ("changes", "--kills", "5", "--store", "sqlite"),
    "changes-postgresql": ("changes", "--kills", "5", "--store", "postgresql"),
    "recall-sqlite": ("recall", "--store", "sqlite"),
    "recall-postgresql": ("recall", "--disclosures", "20000", "--corrected", "2000", "--store", "postgresql"),
    "races": ("races", "--minutes", "2"),
    "start": ("start", "--entries", "200000"),
    "lag": ("lag", "--minutes", "2"),
    "starve": ("starve", "--seconds", "4"),
    "long": ("long",),
    "soak": ("soak", "--minutes", "5"),
    "matrix": ("matrix",),
    "beside": ("matrix", "--beside"),
}
"""Each with the module of `tests.faults` and its options; the shortest first."""
LONGEST = 2400.0
"""Seconds: a trial that takes longer does not hold. `long` takes over half of it on two busy cores."""


class Ended(NamedTuple):
    """What became of a trial; `told` is its line of JSON."""

    name: str
    told: str
    holds: bool
    seconds: float

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'DOES NOT HOLD':13}  {self.name:16} {self.seconds:5.0f} s"


def run(name: str, command: Sequence[str], longest: float = LONGEST) -> Ended:
    """Run one, and give what became of it."""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            said, _ = process.communicate(timeout=longest)
        except BaseException as stop:
            process.terminate()  # it ends what it has started
            said, _ = process.communicate()
            if not isinstance(stop, subprocess.TimeoutExpired):
                raise
    told = said.strip().rpartition("\n")[2]
    return Ended(name, told, process.returncode == 0 and bool(told), time.monotonic() - began)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.trials", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=TRIALS)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ended = []
    for name in asked.only:
        module, *options = TRIALS[name]
        print(f"==> {name}: python -m tests.faults.{' '.join((module, *options))}", flush=True)
        ended.append(run(name, ("-m", f"tests.faults.{module}", *options)))
        print(f"{ended[-1].told}\n{ended[-1]}", flush=True)
    print("==> all trials")
    for each in ended:
        print(each)
    wrong = [each.name for each in ended if not each.holds]
    print(json.dumps({"holds": not wrong, "wrong": wrong, "seconds": round(sum(each.seconds for each in ended))}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
