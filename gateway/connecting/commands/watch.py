"""`dutybound source watch`: whether departments' systems still fit, before requesters meet what does not.

Each look tries every mapping as `source test` does, and reads how the deliveries of files stand. What began and ended
since the last look is logged, counted in metrics, told to the operator, and entered in the ledger as a finding; what
there is, is printed. With `--once` it exits with 1 where anything has drifted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from gateway.command import options
from gateway.connecting.drifting import watching
from gateway.connecting.drifting.remembered import Compared
from gateway.errors import CommandRefused, DutyboundError, printable
from gateway.ledger.log import operator
from gateway.telemetry.log import Log


def register(parts: Any) -> None:
    """Add the command."""
    text = "look again and again whether departments' systems still fit, and report what changed"
    more = f"{text}. What does not fit is entered in the ledger: it needs its key (`ledger.key_file`) and the store."
    parser: argparse.ArgumentParser = parts.add_parser("watch", help=text, description=more)
    parser.add_argument("department", metavar="DEPARTMENT", nargs="?", help="only this department")
    options.config(parser)
    parser.add_argument(
        "--state", type=Path, required=True, metavar="FILE", help="the file that keeps what one look found for the next"
    )
    parser.add_argument("--once", action="store_true", help="look once, and exit with 0 if all fits")
    parser.add_argument(
        "--every", type=float, default=3600.0, metavar="SECONDS", help="between two looks (default: 3600)"
    )
    parser.add_argument("--metrics", type=Path, metavar="FILE", help="metrics for Prometheus, in its text format")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, for programs")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.every <= 30 * 86400:
        raise CommandRefused("--every: must be 1 second to 30 days")
    _examine(arguments.config)
    while True:
        try:
            found = asyncio.run(
                watching.look(arguments.config, arguments.state, arguments.metrics, arguments.department, Log())
            )
        except DutyboundError as error:
            if arguments.once:
                raise
            print(printable(f"{error}; looking again"), file=sys.stderr, flush=True)
        else:
            _show(found, arguments.json)
            if arguments.once:
                return 1 if found.began or found.lasting else 0
        time.sleep(arguments.every)


def _examine(config: Path) -> None:
    """Raises as opening the ledger does, before anybody is asked, and prints what it is opened for."""
    try:
        with operator.opened(config):
            pass
    except DutyboundError:
        print("a watch enters what it finds in the ledger: it needs its key and the store", file=sys.stderr)
        raise


def _show(told: Compared, as_json: bool) -> None:
    there = [*told.began, *told.lasting]
    if as_json:
        print(json.dumps({"drifts": msgspec.to_builtins(there), "ended": msgspec.to_builtins(told.ended)}), flush=True)
        return
    for each in there:
        print(printable(f"{each.what} [{each.kind}, since {each.since[:19]}Z]"))
    said = f"{len(there)} to mend" if there else "all fits"
    print(f"{said}; {len(told.began)} new, {len(told.ended)} ended since the last look", flush=True)
