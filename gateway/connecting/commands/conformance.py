"""`dutybound source conformance`: whether a department's system keeps the contract that every kind of source keeps.

It asks about the subjects of a file alone, which are nobody's, and shows neither them nor what the system has of them.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
from pathlib import Path
from typing import Any

from connectors.contract.checks import run
from gateway.command import options
from gateway.connecting.conforming import report
from gateway.connecting.conforming.system import checked, own_kind


def register(parts: Any) -> None:
    """Add the command."""
    text = "check a department's system against the contract of every source, for a report that can be signed"
    parser: argparse.ArgumentParser = parts.add_parser("conformance", help=text)
    options.department(parser)
    options.config(parser)
    parser.add_argument(
        "--subjects",
        type=Path,
        required=True,
        metavar="FILE",
        help="invented subjects, and what the system has about them",
    )
    parser.add_argument(
        "--connector",
        metavar="MODULE:FUNCTION",
        help="a connector of the department's own; its kind is the module's name",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON, which is what is signed")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_checked(arguments))


async def _checked(arguments: argparse.Namespace) -> int:
    own = own_kind(arguments.connector) if arguments.connector else {}
    began = datetime.datetime.now(datetime.UTC)
    async with checked(arguments.config, arguments.department, arguments.subjects, own) as department:
        found = [each async for each in run(department.system)]
    written = report.as_json if arguments.json else report.as_text
    print(written(arguments.department, department, found, began))
    return 0 if report.conforms(found) else 1
