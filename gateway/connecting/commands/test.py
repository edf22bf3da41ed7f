"""`dutybound source test`: whether a department's system answers as its part of `sources.yaml` describes.

It asks about the department's declared test subjects, or about identifiers that are made up. What does not fit is
reported with the line to look at, the field, the type and the number of the record. No value is ever shown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

from connectors.base import Subject
from gateway.command import options
from gateway.connecting.department import Department, opened, placed
from gateway.connecting.trying.run import Trial, tried
from gateway.errors import CommandRefused, printable
from gateway.nouns import counted
from gateway.values import suggest


def register(parts: Any) -> None:
    """Add the command."""
    text = "try a department's mapping against its real system, with made-up identifiers"
    parser: argparse.ArgumentParser = parts.add_parser("test", help=text)
    options.department(parser)
    options.config(parser)
    parser.add_argument("--dataset", metavar="NAME", action="append", default=[], help="this dataset alone; repeatable")
    parser.add_argument(
        "--subject", metavar="SCHEME:VALUE", action="append", default=[],
        help="ask about this one of the department's `test_subjects` alone; repeatable",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_tried(arguments))


async def _tried(arguments: argparse.Namespace) -> int:
    async with opened(arguments.config, arguments.department) as found:
        (department,) = found.each
        only = [_named(text, department) for text in arguments.subject]
        for name in arguments.dataset:
            if name not in department.datasets:
                raise CommandRefused(
                    f"`{department.name}` maps no dataset `{name}`{suggest(name, department.datasets)}"
                )
        datasets = [each for each in department.datasets.values() if each.id in (arguments.dataset or [each.id])]
        deadline = found.settings.limits.deadline
        trials = [await tried(department, found.catalogue, only, deadline, dataset) for dataset in datasets]
    print(_as_json(department, trials) if arguments.json else _as_text(department, trials))
    return 1 if any(trial.found for trial in trials) else 0


def _named(text: str, department: Department) -> Subject:
    """One of the declared test subjects; others are people or organisations, and asking about them needs an entry."""
    scheme, _, value = text.replace("=", ":", 1).partition(":")  # `=` is what it took before
    for subject in department.test_subjects:
        if (subject.scheme, subject.value) == (scheme, value):
            return subject
    raise CommandRefused(
        f"--subject: it is none of the `test_subjects` of `{department.name}` in {department.node.file}. Declare it"
        f" there where nobody real has it, as `test_subjects: {{SCHEME: [VALUE]}}`; what is known of somebody real is"
        " shown by `source sample` alone, by an entry in the ledger"
    )


def _as_text(department: Department, trials: Sequence[Trial]) -> str:
    lines: list[str] = []
    known: set[str] = set()
    for trial in trials:
        whom = "test subject" if trial.declared else "made-up identifier"
        asked = counted(trial.asked, whom)
        said = [str(placed(department, each)) + _mark(each.kind) for each in trial.found]
        came = f"{counted(trial.records, 'record')}, {trial.seconds:.2f} s"
        verdict = f"{len(said)} to mend" if said else f"fits; {came}"
        lines.append(f"{department.name}: {trial.dataset}: {asked}: {verdict}")
        if trial.untried:
            lines.append(f"  not tried     {trial.untried}")
        for each in said:
            # What is wrong with the department as a whole is found with each dataset, and reported once.
            if each not in known:
                known.add(each)
                lines.append(f"  {each}")
    if not trials:
        lines.append(f"{department.name}: no dataset of the catalogue is mapped")
    return "\n".join(map(printable, lines))


def _mark(kind: str) -> str:
    return "" if kind == "wrong" else f" [{kind}]"


def _as_json(department: Department, trials: Sequence[Trial]) -> str:
    told = []
    for trial in trials:
        differences = []
        for each in trial.found:
            at = placed(department, each)
            differences.append(
                {
                    "file": at.file, "line": at.line, "column": at.column, "key": at.path, "kind": each.kind,
                    "what": each.what, "record": each.row or None, "records": each.rows or None,
                    "address": each.address or None, "status": each.status or None,
                }
            )  # fmt: skip
        told.append(
            {
                "dataset": trial.dataset, "subjects": trial.asked, "declared": trial.declared,
                "records": trial.records, "seconds": round(trial.seconds, 3), "not_tried": trial.untried or None,
                "differences": differences,
            }
        )  # fmt: skip
    return json.dumps({"department": department.name, "datasets": told}, indent=2)
