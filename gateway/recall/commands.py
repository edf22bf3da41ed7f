"""`dutybound recalls`: for oversight the open recalls, and how each department complies (Arts. 48, 49).

Exit codes: 0 done, 1 refused or out of reach, said in one sentence; 2 a wrong call.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from gateway.activation.stored import in_force
from gateway.command import options
from gateway.config import settings
from gateway.errors import CommandRefused
from gateway.files import new_file
from gateway.ledger.commands.progress import teller
from gateway.ledger.log import operator
from gateway.recall.delivering import resuming
from gateway.recall.reporting import forms as report_forms
from gateway.recall.reporting import listing, report
from gateway.recall.reporting import page as report_page
from gateway.recall.reporting.compliance import By
from gateway.recall.reporting.report import Report, Wanted
from gateway.recipient import commands as recipient
from gateway.storage.store import opened

MOST_LISTED = 1_000
MOST_NAMED = 256
_YEARS = range(1970, 9_990)

Form = Callable[[Report, Mapping[str, str]], Iterator[str]]

FORMS: Mapping[str, Form] = {
    "table": lambda made, titles: (f"{line}\n" for line in report_forms.as_text(made, titles)),
    "csv": report_forms.as_csv,
    "html": report_page.as_page,
}


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `recalls` with its commands; each sets `run`: from the parsed arguments to the exit code."""
    text = "recalls that are open, and how each department complies"
    parts = subparsers.add_parser("recalls", help=text).add_subparsers(metavar="COMMAND", required=True)
    listed = _part(parts, "list", "open recalls, and suspensions; the look is entered in the ledger")
    listed.add_argument("--state", choices=listing.STATES, help="only those in this state")
    listed.add_argument("--client", type=_client, metavar="CLIENT", help="only those of this client")
    listed.add_argument("--first", type=_count, default=100, metavar="N", help="how many recalls (default: 100)")
    listed.add_argument("--after", metavar="CURSOR", help="continue after the page before")
    listed.set_defaults(run=_list)

    made = _part(parts, "report", "what each department was notified to stop using, and when it acknowledged that")
    options.since(made, "from this day on, in the policies' zone", type=_day)
    options.until(made, "through this day", type=_day)
    made.add_argument(
        "--period", "--by", dest="by", choices=get_args(By), default="month", help="how long one is (default: month)"
    )
    made.add_argument("--format", choices=tuple(FORMS), default="table", help="the report's form (default: table)")
    made.add_argument("--out", type=Path, metavar="FILE", help="a new file, instead of the output")
    made.set_defaults(run=_report)
    resuming.register(parts)

    recipient.register(parts)


def _part(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text)
    options.config(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_LISTED:
        raise argparse.ArgumentTypeError(f"`{text}` must be a whole number from 1 to {MOST_LISTED}")
    return int(text)


def _client(text: str) -> str:
    if not text.isprintable() or not 0 < len(text) <= MOST_NAMED:
        raise argparse.ArgumentTypeError(f"must be a client's id, of at most {MOST_NAMED} printed characters")
    return text


def _day(text: str) -> datetime.date:
    """A day, for argparse."""
    try:
        if len(text) == len("2026-01-31") and (day := datetime.date.fromisoformat(text)).year in _YEARS:
            return day
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"`{text}` is no day; write it as `2026-01-31`")


def _list(given: argparse.Namespace) -> int:
    with operator.opened(given.config) as place:
        policies = in_force(place.settings, place.store.engine).rules.policies
        entered = listing.enter(place, given.state, given.client)
        asked = listing.Asked(given.state, given.client, given.first, given.after)
        page = listing.recalls(place.store.engine, policies.requesters, asked)
        suspended = (
            listing.suspensions(place.store.engine, given.client) if given.state is None and given.after is None else []
        )
    for line in (*suspended, *page.lines):
        print(line)
    if not (suspended or page.lines):
        print("there is none")
    if page.after is not None:
        print(f"there are more: continue with `--after {page.after}`")
    print(f"entered: this view is {entered}")
    return 0


def _report(given: argparse.Namespace) -> int:
    if given.since is not None and given.until is not None and given.since > given.until:
        print(f"`--until {given.until}` is before `--since {given.since}`", file=sys.stderr)
        return 2
    found = settings.load(given.config, os.environ)
    if given.out is not None and given.out.exists():
        raise CommandRefused(f"`{given.out}` is there already; name a new file for the report")
    with opened(found) as store, contextlib.closing(store.reader()) as reader:
        rules = in_force(found, store.engine).rules
        titles = rules.policies.catalogue.departments
        made = report.made(reader, Wanted(given.since, given.until, given.by, rules.calendar.zone), teller())
    _write(given.out, FORMS[given.format](made, titles))
    if given.out is not None or given.format != "table":
        for line in report_forms.read_from(made):
            print(line, file=sys.stderr)
    return 0


def _write(out: Path | None, lines: Iterator[str]) -> None:
    """To a new file of its owner's, or to the output."""
    if out is None:
        sys.stdout.writelines(lines)
        sys.stdout.flush()
        return
    try:
        new_file(out, "".join(lines).encode())
    except OSError as error:
        raise CommandRefused(f"`{out}` cannot be written ({error.strerror})") from None
