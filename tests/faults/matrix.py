"""Every fault of a department over every kind of connector, alone and in four of the five departments.

    python -m tests.faults.matrix [--kinds KIND ...] [--faults FAULT ...] [--beside]

tells of each on stderr: kind, fault, departments, code, milliseconds, memory (KiB over what it was before, at most),
and whether the healthy departments' data were whole; and prints one line of JSON. It exits with 1 where an answer was
wrong or of another subject, a code was another than `tests.faults.table` says, data of a healthy department were not
whole, memory grew by more than 50 MB, descriptors stayed open, or a call went on past its department's timeout by more
than 250 ms. What depends on time or memory only is measured again before it counts.

With `--beside` each fault is at work on 4 connections instead, while inquiries that do not need that department are
timed (`tests.faults.beside`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.faults.kinds import ALL, DATABASES, KINDS, LICENCES, Kinds, expected, selection
from tests.faults.streams import COPIES
from tests.faults.table import FAULTS, codes
from tests.faults.table import TIMEOUT as TOO_LATE
from tests.mariadb import MariaDB, mariadb
from tests.services import Postgres, postgres
from tests.waiting import until

TIMEOUT = 1.5
"""Seconds: `limits.timeout` of the departments."""
SLACK = 0.25
MEMORY = 50 * 1024
"""KiB."""
DESCRIPTORS = 100
"""Of all processes together, more than at the start."""
AGAIN = 2
"""How often a cell is measured again."""
SEVERAL = 4
"""Subjects of an inquiry about several."""
ALONE, FOUR = ALL[:1], ALL[:4]


class Row(NamedTuple):
    """One cell of the matrix; `wrong` and `late` say in words what does not hold, `late` what depends on time."""

    kind: str
    fault: str
    departments: int
    codes: tuple[str, ...] = ()
    seconds: float = 0.0
    grown: int = 0
    wrong: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    times: int = 1

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.fault}, {self.departments} of 5"

    def __str__(self) -> str:
        what = f"{self.kind:16} {self.fault:25} {self.departments} of 5  {','.join(self.codes) or '-':34}"
        whole = "NOT WHOLE" if NOT_WHOLE in self.wrong else "whole"
        told = f"{self.seconds * 1000:6.0f} ms {self.grown:7} KiB  {whole}"
        return "  ".join([f"{what} {told}", *self.wrong, *self.late])


NOT_WHOLE = "healthy data are not whole"


@contextlib.contextmanager
def scene_of(folder: Path, kind: str | Mapping[str, str], **made: Any) -> Iterator[Kinds]:
    """A running gateway whose departments are of a kind, or each of its own; `made` is what `Kinds` takes besides."""
    kinds = {kind} if isinstance(kind, str) else {*kind.values()}
    with contextlib.ExitStack() as inner:
        server: Postgres | MariaDB | None = None
        if kinds & {*DATABASES} - {"sqlite"}:
            server = inner.enter_context(mariadb() if "mariadb" in kinds else postgres())
        scene = Kinds(folder, kind, server, **made)
        inner.callback(scene.stop)
        scene.start()
        for _ in range(20):  # what is made once is made before anything is measured
            _, reply, _ = ask(scene, ALL)
            assert "errors" not in reply, reply
        yield scene


@contextlib.contextmanager
def scenes(kinds: Sequence[str], **made: Any) -> Iterator[Iterator[tuple[str, Kinds]]]:
    """Each kind with a running gateway, one after the other."""

    def each() -> Iterator[tuple[str, Kinds]]:
        for kind in kinds:
            with scene_of(Path(folder) / kind, kind, **made) as scene:
                yield kind, scene

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


def descriptors(scene: Kinds) -> int:
    """How many the gateway's processes have open."""
    return sum(len(list((place / "fd").iterdir())) for place in processes(scene))


def given_back(scene: Kinds, opened: int) -> bool:
    """Whether descriptors are as few as they were, once connections that only rest are closed."""
    try:
        return until("few descriptors", lambda: descriptors(scene) <= opened + DESCRIPTORS)
    except AssertionError:
        return False


def ask(scene: Kinds, datasets: Sequence[str], client: httpx.Client | None = None) -> tuple[str, Any, float]:
    """One inquiry about a new subject: who it was, the answer and its seconds."""
    scene.wrap(len(scene.subjects))
    headers, body = scene.request(selection(*datasets))
    value = body.rpartition('"value": "')[2].partition('"')[0]
    reply, seconds = _post(scene, headers, body, client)
    return value, reply, seconds


def _post(scene: Kinds, headers: dict[str, str], body: str, client: httpx.Client | None = None) -> tuple[Any, float]:
    began = time.monotonic()
    response = (client or httpx).post(f"{scene.url}/graphql", content=body, headers=headers, timeout=60)
    return response.json(), time.monotonic() - began


def cell(scene: Kinds, fault: str, broken: tuple[str, ...], slack: float) -> Row:
    """Ask about all datasets, with the fault in some, whose departments are of one kind."""
    kind = scene.kind(broken[0])
    for dataset in broken:
        scene.mood(dataset, fault)
    before = memory(scene, anew=True)
    told, wrong, longest = set[str](), dict[str, None](), 0.0
    try:
        for _ in range(4 if fault in COPIES else 1):  # a copy is the next question's trouble
            value, reply, seconds = ask(scene, ALL)
            longest = max(longest, seconds)
            told |= {error["extensions"]["code"] for error in reply.get("errors", ())}
            found = dict(zip(ALL, reply["data"]["organisation"].values(), strict=True))
            wrong |= dict.fromkeys(_wrong(kind, fault, broken, value, found))
        if kind == "entities":
            wrong |= dict.fromkeys(_several(scene, fault, broken))
    finally:
        for dataset in broken:
            scene.mood(dataset)
    grown = memory(scene) - before
    allowed = codes(kind, fault)
    if allowed and slack > SLACK:  # a machine that is so busy has a fault come too late, too
        allowed |= TOO_LATE
    if not told <= allowed or bool(told) != bool(allowed):
        wrong[f"not the code: {' or '.join(sorted(allowed)) or 'none'}"] = None
    late = ["too much memory"] if grown > MEMORY else []
    late += ["past the deadline"] if longest > TIMEOUT + slack else []
    return Row(kind, fault, len(broken), tuple(sorted(told)), longest, grown, tuple(wrong), tuple(late))


def _wrong(kind: str, fault: str, broken: Sequence[str], value: str, found: dict[str, Any]) -> Iterator[str]:
    """What is not as it must be in one subject's data."""
    for dataset, told in found.items():
        if dataset not in broken:
            if told != expected(dataset, value):
                yield NOT_WHOLE
        elif codes(kind, fault):
            if told is not None:
                yield f"WRONG: {dataset}"
        # A register's 404 means that it has none of this subject.
        elif told != ([] if fault == "404" else expected(dataset, value, fault)):
            yield f"WRONG: {dataset}"


def _several(scene: Kinds, fault: str, broken: Sequence[str]) -> Iterator[str]:
    """The same of an inquiry about several subjects: each is asked about alone, since records name nobody."""
    headers, body, values = scene.several(SEVERAL)
    reply, _ = _post(scene, headers, body)
    for value, one in zip(values, reply["data"]["organisations"], strict=True):
        yield from _wrong("entities", fault, broken, value, dict(zip(LICENCES, one.values(), strict=True)))


def measured(scene: Kinds, fault: str, broken: tuple[str, ...], slack: float) -> Row:
    """A cell, again where only time or memory speaks against it: the machine may do other things."""
    for times in range(1, AGAIN + 2):
        row = cell(scene, fault, broken, slack)._replace(times=times)
        if row.wrong or not row.late:
            break
    return row


def chosen(kind: str, only: Sequence[str]) -> list[str]:
    """The faults of the kind, or those of them that are asked for."""
    return [fault for fault in FAULTS[kind] if not only or fault in only]


def run(
    kinds: Sequence[str], only: Sequence[str], slack: float = SLACK, *, turns: bool = False, **made: Any
) -> Iterator[Row]:
    """The matrix, row by row; where it takes `turns`, each fault is in one department or in four, not in both.

    `made` is how the gateway of a kind is, as `Kinds` takes it.
    """
    kinds = [kind for kind in kinds if chosen(kind, only)]
    with scenes(kinds, **made) as running:
        for kind, scene in running:
            opened = descriptors(scene)
            for number, fault in enumerate(chosen(kind, only)):
                for broken in ((ALONE, FOUR)[number % 2],) if turns else (ALONE, FOUR):
                    yield measured(scene, fault, broken, slack)
            value, reply, _ = ask(scene, ALL)
            found = dict(zip(ALL, reply["data"]["organisation"].values(), strict=True))
            wrong = tuple(dict.fromkeys(_wrong(kind, "", (), value, found)))
            if not given_back(scene, opened):
                wrong += ("descriptors stay open",)
            yield Row(kind, "(none, afterwards)", 0, wrong=wrong)


def counted(kinds: Sequence[str], only: Sequence[str], *, turns: bool = False) -> int:
    """How many cells that is."""
    each = 1 if turns else 2
    return sum(each * len(chosen(kind, only)) + 1 for kind in kinds if chosen(kind, only))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--faults", nargs="+", default=(), metavar="FAULT", help="these only (default: all)")
    parser.add_argument("--beside", action="store_true", help="time others' inquiries instead")
    asked = parser.parse_args(arguments)
    if asked.beside:
        from tests.faults.beside import beside  # which is made of what is here

        told = beside(asked.kinds, asked.faults)
    else:
        told = judged(asked.kinds, asked.faults)
    print(json.dumps(told))
    return 0 if told["holds"] else 1


def judged(kinds: Sequence[str], only: Sequence[str]) -> dict[str, Any]:
    """What is printed of the matrix."""
    began, rows, cells = time.monotonic(), list[Row](), counted(kinds, only)
    for number, row in enumerate(run(kinds, only), 1):
        print(f"{number} of {cells}  {row}", file=sys.stderr, flush=True)
        rows.append(row)
    wrong = {row.name: [*row.wrong, *row.late] for row in rows if row.wrong or row.late}
    return {
        "holds": bool(rows) and not wrong,
        "cells": len(rows),
        "wrong": wrong,
        "held_when_run_again": [row.name for row in rows if row.times > 1 and row.name not in wrong],
        "longest_ms": round(max((row.seconds for row in rows), default=0.0) * 1000),
        "most_kib": max((row.grown for row in rows), default=0),
        "seconds": round(time.monotonic() - began),
    }


if __name__ == "__main__":
    sys.exit(main())
