"""`dutybound rules dry-run`: a stored candidate beside the active rule set for some days, and what was counted of it.

It begins and ends by acts of the operator. Whatever is counted names nobody, so to look at it leaves no entry.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.activation import naming
from gateway.activation.loading import SHOWN, loaded, reading
from gateway.command import options
from gateway.errors import StoreUnavailable
from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Made, Row, Seen
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.operator import CLIENT, ActRefused, Workplace
from gateway.saying import in_words
from gateway.simulation import forms
from gateway.simulation.dry import MISSED, OUTCOMES
from gateway.storage.rules import dry_runs, rulesets
from gateway.storage.rules.dry_runs import Counted, Run
from gateway.storage.tables import micros, moment

BEGAN, ENDED = "dry-run-began", "dry-run-ended"
MOST_DAYS = 92


def register(parts: Any) -> None:
    """Add `dry-run` to the commands of `rules`."""
    text = "a stored candidate beside the active rule set: what it would decide is counted, and nothing else"
    inside = parts.add_parser("dry-run", help=text).add_subparsers()

    start = _part(inside, "start", "start a dry run of a stored rule set, for some days")
    start.add_argument(
        "candidate", metavar="CANDIDATE", help=f"its digest, or the first {naming.SHORTEST} digits or more"
    )
    start.add_argument("--until", required=True, metavar="DAY", help=f"its last day (UTC); {MOST_DAYS} days at most")
    _who(start)
    start.set_defaults(run=_start)

    status = _part(inside, "status", "the dry run in progress, and what it has counted so far")
    status.set_defaults(run=_status)

    stop = _part(inside, "stop", "end the dry run in progress; its counts are kept")
    _who(stop)
    stop.set_defaults(run=_stop)


def _part(inside: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = inside.add_parser(name, help=text)
    options.config(parser)
    return parser


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", required=True, metavar="NAME", help="who decides so; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")


def _start(arguments: argparse.Namespace) -> int:
    operator.check_said(arguments.by, arguments.reason)
    try:
        last = datetime.date.fromisoformat(arguments.until)
    except ValueError as error:
        raise ActRefused(f"`{arguments.until}` is no day; write `2026-12-31`") from error
    with operator.opened(arguments.config) as place:
        found = naming.named(place.store.engine, arguments.candidate)
        loaded(found.files, found.digest, reading(place.settings))
        print(begin(place, found.digest, last, arguments.by, arguments.reason))
    return 0


def begin(place: Workplace, digest: str, last: datetime.date, by: str, reason: str) -> str:
    """Begin the dry run of a stored rule set; in words, where that was entered. Raises `ActRefused`."""

    def make(seen: Seen) -> Made:
        today = seen.now.astimezone(datetime.UTC).date()
        if not today <= last <= today + datetime.timedelta(days=MOST_DAYS):
            raise ActRefused(f"a dry run ends today or within {MOST_DAYS} days, and not on {last}")
        if dry_runs.running(seen.connection, micros(seen.now)) is not None:
            raise ActRefused("a dry run is on already; see `dutybound rules dry-run status`, and end it first")
        active = rulesets.active(seen.connection)
        if active is not None and active.digest == digest:
            raise ActRefused(f"rule set `{digest[:SHOWN]}` is the active one: there is nothing to compare it with")
        until = datetime.datetime.combine(last + datetime.timedelta(days=1), datetime.time(), datetime.UTC)
        values = {"id": seen.id, "digest": digest, "since": micros(seen.now), "until": micros(until), "ended": None}
        told = _acted(seen, BEGAN, digest, by, reason, until=last)
        return said(told, operator.account(), [Row(dry_runs.dry_run, values, ("filed_in",))], digest, None)

    act = place.run(lambda ledger: done(ledger, make))
    return f"rule set `{digest[:SHOWN]}` is tried through {last}, {operator.place_of(place, act.receipt)}"


def _stop(arguments: argparse.Namespace) -> int:
    operator.check_said(arguments.by, arguments.reason)
    with operator.opened(arguments.config) as place:
        print(end(place, arguments.by, arguments.reason))
    return 0


def end(place: Workplace, by: str, reason: str) -> str:
    """End the dry run that is on; in words, where that was entered. Raises `ActRefused`."""

    def make(seen: Seen) -> Made:
        run = dry_runs.running(seen.connection, micros(seen.now))
        if run is None:
            raise ActRefused("no dry run is on")
        told = _acted(seen, ENDED, run.digest, by, reason)
        return said(told, operator.account(), [dry_runs.ended(run.id, micros(seen.now))], run.id, run.digest)

    act = place.run(lambda ledger: done(ledger, make))
    return f"the dry run of rule set `{act.value[:SHOWN]}` ended, {operator.place_of(place, act.receipt)}"


def _acted(
    seen: Seen, what: str, digest: str, by: str, reason: str, until: datetime.date | None = None
) -> entries.Acted:
    outcome = f"{by.strip()}: {reason.strip()}"
    return entries.Acted(
        entries.VERSION, seen.id, seen.now, CLIENT, what, outcome=outcome, rule_set=digest, until=until
    )


def _status(arguments: argparse.Namespace) -> int:
    with operator.opened(arguments.config) as place:
        now = datetime.datetime.now(datetime.UTC)
        with _reading(place) as connection:
            run = dry_runs.latest(connection)
            counts = {} if run is None else dry_runs.counts(connection, run.id)
    if run is None:
        print("no dry run ever was")
        return 0
    for line in status(run, counts, now):
        print(line)
    return 0


def status(run: Run, counts: Mapping[Counted, int], now: datetime.datetime) -> Iterator[str]:
    """What was counted of a dry run, for a terminal: by department and purpose, then what opens, and what closes."""
    end = run.until if run.ended is None else min(run.ended, run.until)
    over = "ended" if micros(now) >= end else "on"
    since, until = (moment(at).isoformat(sep=" ", timespec="minutes") for at in (run.since, end))
    yield f"Dry run of rule set {run.digest[:SHOWN]}, {over}: from {since} until {until}"
    whole = [counted for counted in counts if counted.what in OUTCOMES]
    if not whole:
        yield "  nothing was compared yet; processes store what they count every few seconds"
    for department, purpose in sorted({counted[:2] for counted in whole}):
        told = [(outcome, counts.get(Counted(department, purpose, outcome), 0)) for outcome in OUTCOMES]
        words = ", ".join(f"{times:,} {outcome}" for outcome, times in told if times or outcome != MISSED)
        yield f"  {department or 'nobody registered'}, {purpose}: {words}"
    for what, title, why in (("opens", "Would open", "was denied"), ("closes", "Would close", "would be denied")):
        rows = sorted(
            ((times, of) for of, times in counts.items() if of.what == what), key=lambda row: (-row[0], row[1])
        )
        yield from forms.table(
            title,
            [
                [
                    f"{times:,}",
                    of.department,
                    of.purpose,
                    f"{of.dataset}.{of.field}",
                    f"{why}: {forms.because(*of[-2:])}",
                ]
                for times, of in rows
            ],
        )


@contextlib.contextmanager
def _reading(place: Workplace) -> Iterator[Connection]:
    try:
        with place.store.engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the store cannot be read ({in_words(error)})") from error
