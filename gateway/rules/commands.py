"""`dutybound rules check | explain | matrix | test | diff | calendar`: the rules as people read them."""

from __future__ import annotations

import argparse
import datetime
import functools
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from gateway.catalogue.load import load as load_catalogue
from gateway.catalogue.model import Dataset
from gateway.command import options
from gateway.errors import ConfigurationError, Problem, in_order
from gateway.nouns import counted
from gateway.rules import deadlines, load
from gateway.rules.check import reach, weakened
from gateway.rules.compare import commands as diff
from gateway.rules.compare import composing
from gateway.rules.decide import guards
from gateway.rules.decide.vocabulary import FLAGS
from gateway.rules.explain import explain, matrix
from gateway.rules.explain.changes import Situation
from gateway.rules.files import calendar, officers, proposal, thresholds
from gateway.rules.files.purposes import KINDS
from gateway.rules.model import Flag, RequesterEntry
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing import commands as testing
from gateway.rules.testing import read as tests
from gateway.rules.testing.model import Inquire
from gateway.values import suggest

_GIVEN = "scope,case,official,step_up"
_DIFF = "what opens, closes and differs between two versions of the policies, and what breaks clients"


class _Unknown(Exception):
    """A name on the command line that the policies do not have."""


Explains = Callable[[argparse.Namespace], int]
"""What explains an inquiry of the ledger, a part above this one."""


def _no_ledger(arguments: argparse.Namespace) -> int:
    print("inquiries are explained where the ledger is", file=sys.stderr)
    return 2


def register(
    subparsers: Any, inquire: Inquire, past: Explains = _no_ledger, stored: diff.Stored = diff.no_store
) -> Any:
    """Add `rules` and its parts to the command; each sets `run`, which takes the arguments and returns an exit code.

    `inquire` is how an inquiry is decided, `past` explains one of the ledger, and `stored` gives rule sets of a store:
    by parts above this one. Gives what they add theirs to.
    """
    rules = subparsers.add_parser("rules", help="check, explain and list the rules")
    parts = rules.add_subparsers(required=True, metavar="COMMAND")

    check = _part(parts, "check", "read all policies and list every problem, with file, line and fix")
    check.add_argument(
        "--compose",
        type=Path,
        metavar="FOLDER",
        help="also compose the schema, as a federating router would: a folder with @apollo/composition installed",
    )
    check.set_defaults(run=_check)

    explained = _part(parts, "explain", "why one field is permitted or denied, and what it would take")
    explained.add_argument("requester", nargs="?", metavar="REQUESTER", help="the client, such as `market-regulator`")
    explained.add_argument("purpose", nargs="?", metavar="PURPOSE", help="such as `TENDER_QUALIFICATION`")
    explained.add_argument(
        "subject", nargs="?", metavar="SUBJECT", choices=KINDS, help=f"the kind of subject: {' or '.join(KINDS)}"
    )
    explained.add_argument("field", nargs="?", metavar="FIELD", help="such as `tax-arrears.amount`")
    explained.add_argument(
        "--given",
        default=_GIVEN,
        metavar="LIST",
        help=f"which of {', '.join(FLAGS)} to assume; `none` for nothing (default: {_GIVEN})",
    )
    _on(explained)
    explained.add_argument("--inquiry", metavar="ID", help="instead of all that: a real inquiry, from its entry")
    options.config(explained, None, "; with --inquiry")
    explained.add_argument("--by", metavar="NAME", help="with --inquiry: who looks; is entered in the ledger")
    explained.add_argument("--reason", metavar="TEXT", help="with --inquiry: why; is entered in the ledger")
    explained.set_defaults(run=functools.partial(_explain, past=past))

    listed = _part(parts, "matrix", "what every grant permits, and what it takes")
    listed.add_argument("--csv", action="store_true", help="one row for every grant, kind of subject and field")
    _on(listed)
    listed.set_defaults(run=_matrix)

    testing.add(_part(parts, "test", "run the tests of the policies, and list each outcome that differs"), inquire)
    diff.add(parts.add_parser("diff", help=_DIFF), stored)

    dates = _part(parts, "calendar", "propose a country's holidays, to compare with the gazette and paste")
    dates.add_argument("--country", required=True, metavar="CODE", help="such as `BG`, or a part of one as `DE-BY`")
    dates.add_argument("--years", required=True, metavar="YEARS", help="such as `2027-2030`")
    dates.set_defaults(run=_calendar)
    return parts


def _part(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text)
    options.policies(parser)
    return parser


def _on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--on", type=_date, metavar="DAY", help="the day, as `2026-12-31` (default: today)")


def _date(text: str) -> datetime.date:
    """A day, for argparse."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is no day; write one as `2026-12-31`") from None


def _day(arguments: argparse.Namespace, rule_set: RuleSet) -> datetime.date:
    """The day that is asked about: today, in the policies' time zone, where none is."""
    given: datetime.date | None = arguments.on
    return given or guards.day(datetime.datetime.now(datetime.UTC), rule_set.policies.time_zone)


def _load(arguments: argparse.Namespace) -> RuleSet | None:
    try:
        return load.load(arguments.policies)
    except ConfigurationError as error:
        _print(error.problems, "nothing was loaded")
        return None


def _print(problems: list[Problem], end: str) -> None:
    problems = in_order(problems)
    print("\n".join(map(str, problems)), file=sys.stderr)
    print(f"{counted(len(problems), 'problem')}; {end}", file=sys.stderr)


def _check(arguments: argparse.Namespace) -> int:
    problems: list[Problem] = []
    found = load.read(arguments.policies, load_catalogue(arguments.policies, problems), None, problems)
    thresholds.load(arguments.policies, problems, found.catalogue, found.requesters)
    rule_set = found.rules
    if rule_set is None:
        _print(problems, "nothing was loaded")
        return 1
    policies = rule_set.policies
    problems += reach.check(
        rule_set, arguments.policies, guards.day(datetime.datetime.now(datetime.UTC), policies.time_zone)
    )
    problems += weakened.check(rule_set)
    tests.load(arguments.policies, rule_set, problems)
    if problems:
        _print(problems, "all rules load")
        return 1
    if arguments.compose is not None and (told := _composed(rule_set, arguments.compose)):
        return told
    grants = sum(len(entry.grants) for entry in policies.requesters.values())
    print(
        f"{counted(len(rule_set.rules), 'rule')}, {counted(len(policies.purposes), 'purpose')},"
        f" {counted(len(policies.requesters), 'requester')} with "
        f"{counted(grants, 'grant')}, {counted(len(policies.catalogue.published), 'published dataset')}: no problem"
    )
    print(f"rule set {rule_set.digest}")
    today = guards.day(datetime.datetime.now(datetime.UTC), policies.time_zone)
    if not rule_set.officers.entries:
        print(f"warning: {arguments.policies / officers.FILE}: there is none, so that this set cannot be proposed")
    if wrong := deadlines.ending(rule_set.calendar, today):
        print(f"warning: {arguments.policies / calendar.FILE}: {wrong}")
    return 0


def _composed(rule_set: RuleSet, folder: Path) -> int:
    """The exit code of composition: 0 where it takes the schema, 1 where it does not, 2 where it could not be tried."""
    try:
        refused = composing.refused(rule_set, folder)
    except composing.NotComposed as error:
        print(error, file=sys.stderr)
        return 2
    for each in refused:
        print(f"a federating router refuses the schema: {each}", file=sys.stderr)
    return 1 if refused else 0


def _explain(arguments: argparse.Namespace, past: Explains) -> int:
    asked = {name: getattr(arguments, name) for name in ("requester", "purpose", "subject", "field")}
    if arguments.inquiry is not None:
        arguments.config = arguments.config or options.CONFIG
    looked = {name: getattr(arguments, name) for name in ("inquiry", "config", "by", "reason")}
    if arguments.inquiry is not None and all(looked.values()) and not any(asked.values()):
        return past(arguments)
    if any(looked.values()) or not all(asked.values()):
        print(_lacking(asked, looked), file=sys.stderr)
        return 2
    rule_set = _load(arguments)
    if rule_set is None:
        return 1
    policies = rule_set.policies
    try:
        requester = _requester(rule_set, arguments.requester)
        dataset, field = _field(rule_set, arguments.field)
        flags = _flags(arguments.given)
        if arguments.purpose not in policies.purposes:
            raise _Unknown(f"unknown purpose `{arguments.purpose}`{_instead(arguments.purpose, policies.purposes)}")
    except _Unknown as error:
        print(error, file=sys.stderr)
        return 2
    at = Situation(
        requester,
        policies.purposes[arguments.purpose],
        arguments.subject,
        dataset,
        field,
        flags,
        _day(arguments, rule_set),
    )
    for line in explain.lines(explain.explain(rule_set, at)):
        print(line)
    return 0


def _lacking(asked: Mapping[str, Any], looked: Mapping[str, Any]) -> str:
    """What is missing of a question, or that two were asked."""
    of_inquiry = "`--inquiry ID --config gateway.yaml --by NAME --reason TEXT`"
    if any(looked.values()) and any(asked.values()):
        return f"name a requester, purpose, kind of subject and field, or an inquiry ({of_inquiry}), and not both"
    if any(looked.values()):
        missing = [f"`--{name}`" for name, given in looked.items() if not given]
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: an inquiry takes {of_inquiry}"
    first = next(name for name, given in asked.items() if not given)
    what = "kind of subject" if first == "subject" else first
    return (
        f"the {what} is missing: name requester, purpose, kind of subject and field, as `market-regulator"
        f" TENDER_QUALIFICATION organisation tax-arrears.amount`; or an inquiry, as {of_inquiry}"
    )


def _matrix(arguments: argparse.Namespace) -> int:
    rule_set = _load(arguments)
    if rule_set is None:
        return 1
    today = _day(arguments, rule_set)
    if arguments.csv:
        sys.stdout.write(matrix.as_csv(rule_set, today))
    else:
        for line in matrix.table(rule_set, today):
            print(line)
    return 0


def _calendar(arguments: argparse.Namespace) -> int:
    problems: list[Problem] = []
    found = calendar.load(arguments.policies, problems)
    if problems:
        _print(problems, "nothing was loaded")
        return 1
    try:
        lines = list(proposal.lines(arguments.country, proposal.years(arguments.years), found))
    except (proposal.NotProposed, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


def _instead(word: str, known: Collection[str]) -> str:
    """What to write in the place of an unknown word."""
    return f"{suggest(word, known)}; one of {', '.join(known)}"


def _requester(rule_set: RuleSet, name: str) -> RequesterEntry:
    entries = rule_set.policies.requesters.values()
    for entry in entries:
        if name in (entry.client, f"{entry.issuer}/{entry.client}"):
            return entry
    raise _Unknown(f"unknown requester `{name}`{_instead(name, [entry.client for entry in entries])}")


def _field(rule_set: RuleSet, text: str) -> tuple[Dataset, str]:
    name, _, field = text.partition(".")
    datasets = rule_set.policies.catalogue.datasets
    for dataset in datasets.values():
        if name in (dataset.id, dataset.graphql_name):
            if field in dataset.fields:
                return dataset, field
            raise _Unknown(f"unknown field `{field}` of `{dataset.id}`{_instead(field, dataset.fields)}")
    raise _Unknown(f"unknown dataset `{name}`{_instead(name, datasets)}; write `<dataset>.<field>`")


def _flags(text: str) -> Flag:
    flags = Flag(0)
    for name in text.split(",") if text != "none" else ():
        known = FLAGS.get(name.strip().replace("-", "_"))
        if known is None:
            raise _Unknown(f"unknown `{name}`{_instead(name, FLAGS)}")
        flags |= known
    return flags
