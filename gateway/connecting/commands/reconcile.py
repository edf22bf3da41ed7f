"""`dutybound ledger reconcile`: a department's own access log compared with the ledger.

The ledger's entries are opened for it, so that it is itself a view of the ledger, entered before anything is. What it
prints names lines and entries, and no subject. The log is read twice: first to know that all of it can be read, and of
which time it is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import hashlib
import json
import uuid
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.catalogue.model import IdentifierScheme
from gateway.command import options
from gateway.connecting.reconciling.entered import expected, in_order
from gateway.connecting.reconciling.lines import FORMATS, Call, Columns, read
from gateway.connecting.reconciling.matching import Counted, Found, Matching, Window
from gateway.connecting.reconciling.paths import Paths
from gateway.errors import CommandRefused, printable
from gateway.ledger.commands.progress import teller
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.nouns import counted

if TYPE_CHECKING:
    from gateway.connecting.department import Department, Departments

_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_PAGES = 20
"""Pages of a list, where `paging.max_pages` does not say."""
_LONGEST = 64
"""Characters of what is taken for an identifier in a path that is not mapped."""
_MARGIN = 2.0
"""Seconds between a call's end and its line, and what a log's time has no digits for."""


def register(parts: Any) -> None:
    """Add the command to those of `ledger`."""
    text = "compare a department's own access log with the ledger: calls without an entry, entries without a call"
    parser: argparse.ArgumentParser = parts.add_parser("reconcile", help=text)
    options.config(parser)
    parser.add_argument("--department", required=True, metavar="NAME", help="whose log it is")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="its log, in order of time")
    parser.add_argument("--by", required=True, metavar="NAME", help="who looks; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    parser.add_argument("--format", choices=FORMATS, help="the log's form (default: by the file's name, else `common`)")
    for name, words in (
        ("time", "when the call was (default: time)"),
        ("inquiry", "the inquiry's id, as `forward` sends it; for `common` any name: the last id of a line is it"),
        ("subject", "the identifier that was asked about"),
        ("scheme", "that identifier's scheme"),
        ("path", "the path that was asked for, which `sources.yaml` explains"),
    ):
        default = "time" if name == "time" else ""
        parser.add_argument(f"--{name}", default=default, metavar="COLUMN", help=f"column or key with {words}")
    parser.add_argument(
        "--digest", choices=("none", "sha256"), default="none",
        help="what the log has in place of identifiers: `sha256`, their SHA-256 in hexadecimal",
    )  # fmt: skip
    parser.add_argument("--time-zone", metavar="ZONE", help="of times without an offset, such as `Europe/Zurich`")
    options.since(parser, "from this day (UTC) or time on (default: all of the log)")
    options.until(parser, "through this day (UTC), or before this time")
    parser.add_argument(
        "--skew", type=float, default=2.0, metavar="SECONDS", help="how far the two clocks may differ (default: 2)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per line, for programs")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    operator.check_said(arguments.by, arguments.reason)
    found = asyncio.run(_configured(arguments))
    (department,) = found.each
    columns = Columns(*(getattr(arguments, name) for name in Columns._fields))
    if not (columns.inquiry or columns.subject or columns.path) and _format(arguments) != "common":
        raise CommandRefused("name where the log has whom a call is about: `--inquiry`, `--subject` or `--path`")
    if not 0 <= arguments.skew <= 3600:
        raise CommandRefused("--skew: must be 0 to 3600 seconds")

    schemes = _schemes(department, found)
    as_it_is = arguments.digest != "none"
    paths = Paths(department.node, _scheme_of(schemes), (lambda _, value: value) if as_it_is else _canonical(schemes))

    def calls() -> Iterator[Call]:
        lines = read(arguments.log, _format(arguments), columns, paths, _zone(arguments))
        return in_order(lines, lambda call: call.at, lambda call: f"{arguments.log}:{call.line}: {_UNSORTED}")

    since, until = _period(arguments, calls())
    totals = Counted()
    limit = datetime.timedelta(seconds=arguments.skew + _MARGIN)
    answered = datetime.timedelta(seconds=found.settings.limits.deadline + found.settings.limits.patience)
    window = Window(limit, limit + answered)
    most, tries = _most(department, found), _tries(department)
    matching = Matching(window, most, tries, _digest(arguments), totals, ids=bool(columns.inquiry))
    with operator.opened(arguments.config) as place:
        entered = place.run(lambda ledger: _enter(ledger, arguments, since, until))
        known = expected(place.store, _datasets(department, found), since - window.after, until + limit, teller())
        within = (call for call in calls() if since <= call.at < until)
        missing = 0
        for each in matching.run(within, known, since, until):
            missing += each.kind != "erased"
            print(printable(_line(each, place.settings.ledger.origin, arguments.json)))
        if arguments.json:
            print(json.dumps({"kind": "total", **vars(totals), "missing": missing}))
        else:
            about = f"{counted(totals.calls, 'call')}, {totals.entered} with an entry, {totals.nobody} about nobody"
            print(f"{about}; {counted(totals.entries, 'entry')} of that time; {missing} to look into")
            print(f"entered: this view is entry {entered.index} of {place.settings.ledger.origin}/{entered.shard}")
    return 1 if missing else 0


_UNSORTED = "is more than two minutes older than a line before it; sort the log by time"


async def _configured(arguments: argparse.Namespace) -> Departments:
    from gateway.connecting.department import opened  # all connectors, which no other command of `ledger` needs

    async with opened(arguments.config, arguments.department) as found:
        return found


def _format(arguments: argparse.Namespace) -> str:
    return arguments.format or _ENDINGS.get(arguments.log.suffix.lower(), "common")


def _zone(arguments: argparse.Namespace) -> datetime.tzinfo | None:
    if not arguments.time_zone:
        return None
    try:
        return zoneinfo.ZoneInfo(arguments.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise CommandRefused(f"--time-zone: there is no zone `{arguments.time_zone}`; write one such as UTC") from None


def _period(arguments: argparse.Namespace, calls: Iterator[Call]) -> tuple[datetime.datetime, datetime.datetime]:
    """The time that is reconciled: what was asked for, as far as the log goes. All of the log is read for it."""
    try:
        since, until = operator.period_of(arguments.since, arguments.until)
    except ValueError as error:
        raise CommandRefused(str(error)) from None
    first = last = None
    for call in calls:
        first, last = first or call.at, call.at
    if first is None or last is None:
        raise CommandRefused(f"`{arguments.log}` has no line, so it covers no time")
    end = last + datetime.timedelta(microseconds=1)
    since, until = max(since or first, first), min(until or end, end)
    if since >= until:
        raise CommandRefused(
            f"`{arguments.log}` has nothing of that time: it is of {first.isoformat()} to {last.isoformat()}"
        )
    return since, until


async def _enter(
    ledger: Ledger, arguments: argparse.Namespace, since: datetime.datetime, until: datetime.datetime
) -> Any:
    looked = entries.Looked(since=since, until=until)
    view = entries.View(
        entries.VERSION, str(uuid.uuid4()), operator.now(ledger), operator.CLIENT, arguments.by, arguments.reason,
        looked, ("told",), f"reconciliation with the log of {arguments.department}",
    )  # fmt: skip
    return await operator.enter(ledger, view, operator.account(), ())


def _datasets(department: Department, found: Departments) -> frozenset[str]:
    own = {each.id for each in found.catalogue.datasets.values() if each.department == department.name}
    return frozenset({*own, *department.datasets})


def _tries(department: Department) -> int:
    """How often the gateway may ask one and the same question for an entry."""
    limits = department.node.mapping(any_key=True)["limits"].mapping(any_key=True)
    # A connection that was used before, and a token that was revoked, cost one more try each.
    return limits["retries"].integer(0, 10, 1) + 3


def _most(department: Department, found: Departments) -> Mapping[str, int]:
    """How many calls one entry accounts for, of a subject, by dataset."""
    tries = _tries(department)
    datasets = department.node.mapping(any_key=True)["datasets"].mapping(any_key=True)
    most = dict.fromkeys(_datasets(department, found), tries)
    for name, node in datasets.items():
        paging = node.mapping(any_key=True)["paging"].mapping(any_key=True) if node.is_mapping else {}
        if "next" in paging:
            most[name] = tries * paging["max_pages"].integer(1, 1000, _PAGES)
    return most


def _schemes(department: Department, found: Departments) -> Mapping[str, IdentifierScheme]:
    """Those that name subjects of the department's datasets."""
    kinds = {kind for each in department.datasets.values() for kind in each.subjects}
    return {name: each for name, each in found.catalogue.schemes.items() if kinds.intersection(each.subjects)}


def _canonical(schemes: Mapping[str, IdentifierScheme]) -> Callable[[str, str], str]:
    """An identifier as the ledger has it; as it is where it is none. Without a scheme it is of any that takes it."""

    def written(scheme: str, value: str) -> str:
        found = []
        for each in [schemes[scheme]] if scheme in schemes else schemes.values():
            with contextlib.suppress(ValueError):
                if len(value) <= _LONGEST:
                    found.append(each.canonical(value.strip()))
        return value if value in found or not found else found[0]

    return written


def _scheme_of(schemes: Mapping[str, IdentifierScheme]) -> Callable[[str], str]:
    def scheme_of(text: str) -> str:
        for name, scheme in schemes.items():
            with contextlib.suppress(ValueError):
                if len(text) <= _LONGEST and scheme.canonical(text):
                    return name
        return ""

    return scheme_of


def _digest(arguments: argparse.Namespace) -> Any:
    if arguments.digest == "none":
        return str
    return lambda value: hashlib.sha256(value.encode()).hexdigest()


def _line(each: Found, origin: str, as_json: bool) -> str:
    at = each.at.isoformat()
    if as_json:
        return json.dumps({"kind": each.kind, "where": each.where, "at": at, "why": each.why})
    if each.kind == "entry":
        return f"entry {each.where} of {origin}, {at}: {each.why}"
    what = "a call without an entry" if each.kind == "call" else "cannot be decided"
    return f"line {each.where}, {at}: {what}: {each.why}"
