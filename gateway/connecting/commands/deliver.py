"""`dutybound source deliver`: take in what a department of `kind: files` has delivered, now, and report on it.

Running workers serve the new delivery from their next inquiry on. No value of a file is ever shown.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from connectors.delivered.report import Outcome, Report
from gateway.command import options
from gateway.connecting.delivering.department import canonical, delivering
from gateway.errors import CommandRefused, printable
from gateway.nouns import counted
from gateway.values import suggest


def register(parts: Any) -> None:
    """Add the command."""
    text = "take in what a department of `kind: files` has delivered, and print the result"
    parser: argparse.ArgumentParser = parts.add_parser("deliver", help=text)
    options.department(parser)
    options.config(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    found = delivering(arguments.config)
    if arguments.department not in found.connectors:
        near = suggest(arguments.department, found.connectors)
        raise CommandRefused(f"no department `{arguments.department}` is of `kind: files`{near}")
    try:
        report = found.connectors[arguments.department].deliver(canonical(found.catalogue))
    except OSError as error:
        raise CommandRefused(f"the index cannot be written ({error.strerror}: {error.filename})") from error
    print(json.dumps(msgspec.to_builtins(report), indent=1) if arguments.json else printed(report))
    return 0 if report.outcome in (Outcome.TAKEN, Outcome.UNCHANGED) else 1


def printed(report: Report) -> str:
    """The report for a person."""
    of = f"delivery {report.sequence}, as of {report.as_of}: " if report.sequence else ""
    lines = [f"{of}{_OUTCOMES[report.outcome]}"]
    for name, of_it in report.datasets.items():
        gone = f", {of_it.vanished} of the delivery before are gone" if of_it.vanished else ""
        lines.append(f"  {name:24} {counted(of_it.records, 'record')}{gone}")
    lines += [f"  {printable(str(trouble))}" for trouble in report.troubles]
    if report.more:
        lines.append(f"  and {report.more} more of such")
    if report.vanished:
        lines.append("  Records that are gone may have been withdrawn: each needs a reported change, or a correction.")
    return "\n".join(lines)


_OUTCOMES = {
    Outcome.TAKEN: "taken in",
    Outcome.UNCHANGED: "nothing new",
    Outcome.REFUSED: "refused; inquiries are answered from the delivery before, until that is too old",
    Outcome.UNREACHED: "nothing could be read",
}
