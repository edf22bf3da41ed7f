"""Every fault of a department over every kind of connector, alone and in four of the five departments.

    python -m tests.faults.matrix [--kinds KIND ...] [--faults FAULT ...] [--costly] [--beside]

prints a line for each: kind, fault, departments, code, milliseconds, memory (KiB over what it was before, at most), and
whether the healthy departments' data were whole. It exits with 1 where an answer was wrong or of another subject, data
of a healthy department were not whole, memory grew by more than 50 MB, or a call went on past its department's timeout
by more than 250 ms.

With `--beside` each fault is at work on 4 connections instead, while inquiries that do not need that department are
timed: their 99th percentile may be twice that of a control run, in which the department sends as many good bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.faults.kinds import DATASETS, HTTP, KINDS, Kinds, expected, faults, selection
from tests.services import postgres

TIMEOUT = 1.5
"""Seconds: `limits.timeout` of the departments."""
SLACK = 0.25
MEMORY = 50 * 1024
"""KiB."""
CONNECTIONS = 4
TIMED = 200
COSTLY = (
    "deep",
    "10 MB",
    "10 MB of records",
    "10 MB zipped",
    "endless",
    "drip",
    "slow",
    "100 MB",
    "many rows",
    "silent",
)
"""Faults that cost the gateway most: what `make trials` runs beside others' inquiries."""
TIMES = 2.0
ALL = tuple(DATASETS.values())
ALONE, FOUR = ALL[:1], ALL[:4]


class Row(NamedTuple):
    """One cell of the matrix; `wrong` says in words what does not hold."""

    kind: str
    fault: str
    departments: int
    codes: tuple[str, ...]
    seconds: float
    grown: int
    whole: bool
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        what = f"{self.kind:11} {self.fault:22} {self.departments} of 5  {','.join(self.codes) or '-':34}"
        told = f"{self.seconds * 1000:6.0f} ms {self.grown:7} KiB  {'whole' if self.whole else 'NOT WHOLE'}"
        return f"{what} {told}{'  ' + '; '.join(self.wrong) if self.wrong else ''}"


@contextlib.contextmanager
def scenes(kinds: Sequence[str]) -> Iterator[Iterator[Kinds]]:
    """A running gateway of each kind, one after the other."""

    def each() -> Iterator[Kinds]:
        for kind in kinds:
            with contextlib.ExitStack() as inner:
                server = inner.enter_context(postgres()) if kind == "postgresql" else None
                scene = Kinds(Path(folder) / kind, kind, server)
                inner.callback(scene.stop)
                scene.start()
                yield scene

    with tempfile.TemporaryDirectory(prefix="dutybound-matrix-") as folder:
        running = each()
        try:
            yield running
        finally:
            running.close()  # type: ignore[attr-defined]  # a generator's


def processes(scene: Kinds) -> list[Path]:
    """The gateway's processes, under /proc."""
    main = scene.gateway.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return [Path(f"/proc/{pid}") for pid in (str(main), *children)]


def memory(scene: Kinds, *, anew: bool = False) -> int:
    """The most that the gateway's processes had since the last time `anew`, in KiB."""
    total = 0
    for place in processes(scene):
        with contextlib.suppress(OSError):
            if anew:
                (place / "clear_refs").write_text("5")
            (line,) = [line for line in (place / "status").read_text().splitlines() if line.startswith("VmHWM")]
            total += int(line.split()[1])
    return total


def cell(scene: Kinds, fault: str, broken: tuple[str, ...], slack: float) -> Row:
    """Ask about all datasets, with the fault in some."""
    for dataset in broken:
        scene.mood(dataset, fault)
    before = memory(scene, anew=True)
    try:
        asked, reply, seconds = ask(scene, ALL)
    finally:
        for dataset in broken:
            scene.mood(dataset)
    found = reply["data"]["organisation"]
    grown = memory(scene) - before
    codes = tuple(sorted({error["extensions"]["code"] for error in reply.get("errors", ())}))
    wrong = []
    for dataset, told in zip(ALL, found.values(), strict=True):
        good = expected(dataset, asked)
        if dataset not in broken:
            continue
        # A register's 404 means that it has none of this subject.
        if not (told is None or told == good or (told == [] and fault == "404")):
            wrong.append(f"WRONG: {dataset}")
    whole = all(
        told == expected(dataset, asked)
        for dataset, told in zip(ALL, found.values(), strict=True)
        if dataset not in broken
    )
    if not whole:
        wrong.append("healthy data are not whole")
    if grown > MEMORY:
        wrong.append("too much memory")
    if seconds > TIMEOUT + slack:
        wrong.append("past the deadline")
    return Row(scene.kind, fault, len(broken), codes, seconds, grown, whole, tuple(wrong))


def ask(scene: Kinds, datasets: Sequence[str], client: httpx.Client | None = None) -> tuple[str, Any, float]:
    """One inquiry about a new subject: who it was, the answer and its seconds."""
    headers, body = scene.request(selection(*datasets))
    value = organisation_of(body)
    began = time.monotonic()
    response = (client or httpx).post(f"{scene.url}/graphql", content=body, headers=headers, timeout=60)
    return value, response.json(), time.monotonic() - began


def organisation_of(body: str) -> str:
    return body.rpartition('"value": "')[2].partition('"')[0]


def run(kinds: Sequence[str], only: Sequence[str], slack: float = SLACK) -> Iterator[Row]:
    """The matrix, row by row."""
    with scenes(kinds) as running:
        for scene in running:
            for _ in range(20):  # what is made once is made before anything is measured
                _, reply, _ = ask(scene, ALL)
                assert "errors" not in reply, reply
            for fault in faults(scene.kind):
                if only and fault not in only:
                    continue
                yield cell(scene, fault, ALONE, slack)
                yield cell(scene, fault, FOUR, slack)
            value, reply, _ = ask(scene, ALL)
            after = [*reply["data"]["organisation"].values()] == [expected(dataset, value) for dataset in ALL]
            yield Row(scene.kind, "(none, afterwards)", 0, (), 0.0, 0, after, () if after else ("did not come back",))


def percentile(scene: Kinds, mood: str) -> float:
    """The 99th percentile of inquiries that do not need the department that is in this mood for 4 others, in ms."""
    scene.mood(ALONE[0], mood)
    over = threading.Event()

    def keep_asking() -> None:
        with httpx.Client() as client:
            while not over.is_set():
                ask(scene, ALONE, client)

    threads = [threading.Thread(target=keep_asking) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        with httpx.Client() as client:
            took = sorted(ask(scene, ALL[1:2], client)[2] for _ in range(TIMED))
    finally:
        over.set()
        for thread in threads:
            thread.join()
        scene.mood(ALONE[0])
    return took[int(len(took) * 0.99)] * 1000


def beside(kinds: Sequence[str], only: Sequence[str]) -> bool:
    """Print both percentiles for each fault; whether all hold."""
    sound = True
    with scenes(kinds) as running:
        for scene in running:
            for fault in faults(scene.kind):
                if only and fault not in only:
                    continue
                control = percentile(scene, f"as many {fault}" if scene.kind in HTTP else "well")
                found = percentile(scene, fault)
                holds = found <= TIMES * control
                sound = sound and holds
                told = f"{scene.kind:11} {fault:22} {found:8.1f} ms, control {control:8.1f} ms"
                print(told if holds else f"{told}  TOO LATE", flush=True)
    return sound


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--faults", nargs="+", default=(), metavar="FAULT", help="these only (default: all)")
    parser.add_argument("--costly", action="store_true", help="the faults that cost the gateway most only")
    parser.add_argument("--beside", action="store_true", help="time others' inquiries instead")
    asked = parser.parse_args(arguments)
    only = COSTLY if asked.costly else asked.faults
    if asked.beside:
        return 0 if beside(asked.kinds, only) else 1
    rows = []
    for row in run(asked.kinds, only):
        print(row, flush=True)
        rows.append(row)
    bad = [row for row in rows if row.wrong]
    print(f"{len(rows)} cells, {len(bad)} do not hold")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
