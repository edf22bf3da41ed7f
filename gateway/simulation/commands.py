"""`dutybound rules simulate`: what a candidate would have made of the inquiries of a period.

A candidate that the store has as a proposal is marked as simulated, by an act, once all of the period was decided.
Exit codes: 0 done, 1 refused or found wrong, said in one sentence; 2 a wrong call.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from gateway.activation import naming
from gateway.activation.loading import loaded, reading
from gateway.activation.stored import in_force
from gateway.command import options
from gateway.errors import StoreUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.operator import CLIENT, Workplace
from gateway.nouns import counted
from gateway.rules.load import load
from gateway.rules.ruleset import RuleSet
from gateway.saying import in_words
from gateway.simulation import dry_commands, forms, marked, marking
from gateway.simulation.compare import Comparison
from gateway.simulation.simulate import FORMAT, PARTS, Progress, Simulation, looked

_TELL_EVERY = 2.0


def register(parts: Any) -> None:
    """Add the commands to those of `rules`."""
    text = (
        "decide the inquiries of a period again by a candidate, and count what would change;"
        " the look is entered in the ledger"
    )
    parser: argparse.ArgumentParser = parts.add_parser("simulate", help=text)
    parser.add_argument(
        "candidate",
        metavar="CANDIDATE",
        help=f"a policies folder, `{naming.ACTIVE}`, or the digest of a stored rule set",
    )
    options.config(parser)
    options.since(parser, "inquiries from this day (UTC) or time on", required=True)
    options.until(parser, "inquiries through this day (UTC), or before this time", required=True)
    parser.add_argument("--by", required=True, metavar="NAME", help="who looks; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_const", dest="form", const=forms.as_csv, help="a line for each field")
    form.add_argument("--json", action="store_const", dest="form", const=forms.as_json, help="one object")
    parser.set_defaults(run=_simulate, form=forms.as_text)
    dry_commands.register(parts)


def _simulate(arguments: argparse.Namespace) -> int:
    try:
        since, until = operator.period_of(arguments.since, arguments.until)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    assert since is not None, "both are required"
    assert until is not None
    operator.check_said(arguments.by, arguments.reason)
    with operator.opened(arguments.config) as place:
        candidate = _candidate(place, arguments.candidate)
        comparison = Comparison(candidate, in_force(place.settings, place.store.engine).rules)
        proposed = _proposed(place, candidate.digest)
        simulation = Simulation(comparison, since, until)
        said = (arguments.by, arguments.reason, looked(comparison.candidate.digest, since, until))

        def view(at: datetime.datetime) -> entries.View:
            return entries.View(entries.VERSION, str(uuid.uuid4()), at, CLIENT, *said, PARTS, FORMAT)

        receipt = place.run(lambda ledger: operator.enter(ledger, view(operator.now(ledger)), operator.account(), ()))
        tell = _Teller()
        with contextlib.closing(place.store.reader()) as reader:
            for progress in simulation.run(reader):
                tell(progress)
        for text in arguments.form(simulation.result()):
            sys.stdout.write(text)
        print(f"entered: this view is {operator.place_of(place, receipt)}", file=sys.stderr)
        if proposed is not None:
            entered = marking.mark(place, proposed, arguments.by, arguments.reason, simulation.result())
            print(f"entered: {entered}", file=sys.stderr)
    return 0


def _candidate(place: Workplace, name: str) -> RuleSet:
    """The rule set of a folder, or a stored one; raises `ConfigurationError` and `CommandRefused`."""
    if not naming.in_store(name):
        return load(Path(name), place.settings.oauth.aliases)
    found = naming.named(place.store.engine, name)
    return loaded(found.files, found.digest, reading(place.settings))


def _proposed(place: Workplace, digest: str) -> str | None:
    """The id of the proposal that the candidate is, where one of it waits."""
    try:
        with place.store.engine.connect() as connection:
            row = marked.waiting(connection, digest, datetime.datetime.now(datetime.UTC))
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the proposals cannot be read ({in_words(error)})") from error
    return None if row is None else row.id


class _Teller:
    """Tells progress on standard error, every two seconds at most."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._told < _TELL_EVERY:
            return
        self._told = time.monotonic()
        left = datetime.timedelta(seconds=round(progress.left))
        print(
            f"{progress.done:,} of {counted(progress.of, 'entry', ',')}, {progress.rate:,.0f} per second, {left} left",
            file=sys.stderr,
        )
