"""`dutybound changes` and `dutybound matters`: for officials without pages, and for a department's counter.

Each command asks a running gateway, as whoever the token in `--token-file` says: that token, and nothing that is typed,
decides who acts and what they may. What came back is printed as JSON. Exit codes: 0 done, 1 refused, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.errors import CommandRefused
from gateway.files import new_file
from gateway.saying import in_words
from gateway.web import calling

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

_KINDS = ("objection", "restoration")
_ID = "as `list` prints it"
_CHANGE = "id state event scheme value dataset record version at reason because"
_MATTER = (
    "id kind state scheme value dataset record version access filed filedBy papers { issuer number date } due"
    " provisional overdue reason outcome decided because remedy"
)
_CONFIRMED = (
    "__typename ... on Change { id state event scheme value dataset record version at because }"
    " ... on Matter { id state kind scheme value outcome decided because }"
)
_TYPES: Mapping[str, str] = {
    "subject": "IdentifierInput!",
    "record": "RecordInput",
    "event": "ReportedEvent!",
    "newVersion": "String",
    "reason": "String!",
    "reference": "String",
    "id": "ID!",
    "outcome": "Outcome!",
    "verdict": "Verdict!",
    "access": "ID",
    "dataset": "ID",
    "papers": "[PaperInput!]",
    "onBehalf": "OnBehalfInput!",
    "state": "MatterState",
    "after": "String",
    "first": "Int!",
}
"""The type of each argument; a record that has to be named is `RecordInput!`."""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `changes` and `matters` with their commands; each sets `run`: from the parsed arguments to the exit code."""
    changes = subparsers.add_parser("changes", help="changes of a department's records, for its stewards")
    _changes(changes.add_subparsers())
    matters = subparsers.add_parser("matters", help="what subjects filed with a department, for stewards and counters")
    _matters(matters.add_subparsers())


def _changes(parts: Any) -> None:
    listed = _listed(parts, "changes that were reported; those that wait for a second steward come first")
    listed.set_defaults(run=lambda given: _page(given, "changes", _CHANGE))

    report = act(parts, "report", "a record was corrected, withdrawn or reinstated; another steward confirms it")
    report.add_argument("subject", type=_subject, metavar="SCHEME:VALUE", help="whom the record is about")
    report.add_argument("dataset", metavar="DATASET", help="its id, such as `tax-arrears`")
    report.add_argument("record", metavar="RECORD", help="the record's id")
    report.add_argument(
        "--event",
        required=True,
        type=_word,
        choices=("corrected", "withdrawn", "reinstated"),
        help="what happened to it",
    )
    report.add_argument("--version", metavar="TEXT", help="the version that changed")
    report.add_argument("--new-version", metavar="TEXT", help="the version that a corrected record has now")
    report.add_argument("--reason", required=True, metavar="TEXT", help="why; the subject is notified")
    report.set_defaults(run=_report)

    _confirmed(parts, "confirm, as a second steward, a change that another one reported")
    _declined(parts, "decline a change that waits for a second steward, or take your own back: it never counts")


def _matters(parts: Any) -> None:
    listed = _listed(parts, "what was filed with the token's department; for oversight, what is overdue")
    listed.set_defaults(run=lambda given: _page(given, "matters", _MATTER))

    decide = act(parts, "decide", "decide an objection, or an application for restoration")
    decide.add_argument("kind", type=_word, metavar="KIND", choices=_KINDS, help="objection or restoration")
    decide.add_argument("id", metavar="ID", help=_ID)
    decide.add_argument(
        "--outcome", required=True, type=_word, choices=("upheld", "partly", "refused"), help="what is decided"
    )
    decide.add_argument("--reason", required=True, metavar="TEXT", help="why; the subject is notified")
    decide.set_defaults(run=_decide)

    _confirmed(parts, "confirm, as a second steward, a restoration that another one upheld")
    _declined(parts, "decline a restoration that waits for a second steward: it is open again, to be decided anew")

    filed = act(parts, "file", "file at a department's counter, for a subject that came in person or is represented")
    filed.add_argument("kind", type=_word, metavar="KIND", choices=_KINDS, help="objection or restoration")
    filed.add_argument("--subject", required=True, type=_subject, metavar="SCHEME:VALUE", help="for whom")
    filed.add_argument("--proof", required=True, metavar="TEXT", help="how their identity was established")
    filed.add_argument("--dataset", metavar="DATASET", help="of the record; alone, the dataset that lacks one")
    filed.add_argument("--record", metavar="RECORD", help="the record's id")
    filed.add_argument("--version", metavar="TEXT", help="the version of the record that is meant")
    filed.add_argument("--access", metavar="ID", help="the look that is objected to")
    filed.add_argument("--reason", required=True, metavar="TEXT", help="why")
    filed.add_argument(
        "--paper",
        action="append",
        default=[],
        type=_paper,
        metavar="ISSUER/NUMBER[/DATE]",
        help="a paper that it rests on, such as `Notary Blum/4711/2026-11-24`; may be repeated",
    )
    filed.set_defaults(run=_file)


def _part(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text)
    calling.add_arguments(parser)
    return parser


def act(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command that does an act."""
    parser = _part(parts, name, text)
    parser.add_argument(
        "--reference", metavar="TEXT", help="your own reference; repeated within 24 hours, it acts once"
    )
    parser.add_argument("--receipt", type=Path, metavar="FILE", help="write the act's receipt to a new file")
    return parser


def _listed(parts: Any, text: str) -> argparse.ArgumentParser:
    parser = _part(parts, "list", f"{text}; the look is entered in the ledger")
    states = ("open", "awaits-confirmation", "decided", "withdrawn", "declined")
    parser.add_argument("--state", type=_word, choices=states, help="only those in this state")
    parser.add_argument("--after", metavar="CURSOR", help="the `next` of the page before")
    parser.add_argument("--first", type=int, default=20, metavar="N", help="how many (default: 20)")
    return parser


def _confirmed(parts: Any, text: str) -> None:
    parser = act(parts, "confirm", text)
    parser.add_argument("id", metavar="ID", help=_ID)
    parser.set_defaults(run=lambda given: done(given, "confirm", _CONFIRMED, id=given.id))


def _declined(parts: Any, text: str) -> None:
    parser = act(parts, "decline", text)
    parser.add_argument("id", metavar="ID", help=_ID)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; of a change, the subject is notified")
    parser.set_defaults(run=lambda given: done(given, "decline", _CONFIRMED, id=given.id, reason=given.reason))


def _subject(text: str) -> dict[str, str]:
    """An identifier, for argparse."""
    scheme, colon, value = text.partition(":")
    if not (scheme and colon and value):
        raise argparse.ArgumentTypeError(f"`{text}` must be a scheme and a value, such as `LEI:5493001KJTIIGC8Y1R12`")
    return {"scheme": scheme, "value": value}


def _report(given: argparse.Namespace) -> int:
    return done(
        given, "reportChange", _CHANGE, subject=given.subject, record=_record(given), event=given.event.upper(),
        newVersion=given.new_version, reason=given.reason,
    )  # fmt: skip


def _decide(given: argparse.Namespace) -> int:
    field = "decideObjection" if given.kind == "objection" else "decideRestoration"
    return done(given, field, _MATTER, id=given.id, outcome=given.outcome.upper(), reason=given.reason)


def _file(given: argparse.Namespace) -> int:
    behalf = {"subject": given.subject, "proof": given.proof}
    about: dict[str, Any] = {"record": _record(given)} if given.record is not None else {"dataset": given.dataset}
    papers = given.paper or None
    if given.kind == "restoration":
        if given.record is None or given.dataset is None or given.access is not None:
            raise CommandRefused("an application for restoration names a record: give `--dataset` and `--record`")
        return done(
            given, "applyForRestoration", _MATTER, **about, reason=given.reason, papers=papers, onBehalf=behalf
        )  # fmt: skip
    if given.record is not None and given.dataset is None:
        raise CommandRefused("`--record` is the id within a dataset: give `--dataset` too")
    return done(
        given, "fileObjection", _MATTER, **about, access=given.access, reason=given.reason, papers=papers,
        onBehalf=behalf,
    )  # fmt: skip


def _record(given: argparse.Namespace) -> dict[str, str]:
    version = {} if given.version is None else {"version": given.version}
    return {"dataset": given.dataset, "record": given.record, **version}


def _word(text: str) -> str:
    """A word of the API as these commands write it: what a page shows can be given back."""
    return text.lower().replace("_", "-")


def _paper(text: str) -> dict[str, str]:
    """A paper, for argparse. Its number may have slashes of its own, its issuer none."""
    issuer, _, number = text.partition("/")
    before, _, last = number.rpartition("/")
    paper = {"issuer": issuer.strip(), "number": number.strip()}
    if before and _DAY.fullmatch(last.strip()):
        try:
            datetime.date.fromisoformat(last.strip())
        except ValueError:
            raise argparse.ArgumentTypeError(f"`{last}` is no day of the calendar") from None
        paper |= {"number": before.strip(), "date": last.strip()}
    if not (paper["issuer"] and paper["number"]):
        raise argparse.ArgumentTypeError(f"`{text}` must be an issuer and a number, such as `Notary Blum/4711`")
    return paper


def _page(given: argparse.Namespace, field: str, item: str) -> int:
    state = None if given.state is None else given.state.upper().replace("-", "_")
    asked = _asked("query", field, f"items {{ {item} }} next", state=state, after=given.after, first=given.first)
    calling.show(calling.asked(given, asked)["data"][field])
    return 0


def done(given: argparse.Namespace, field: str, selected: str, **arguments: Any) -> int:
    """Have an act done, and print what came of it; its receipt goes to a file."""
    if given.receipt is not None and given.receipt.exists():
        raise CommandRefused(f"`{given.receipt}` is there already; name a new file for the receipt")
    told = calling.asked(given, _asked("mutation", field, selected, **arguments, reference=given.reference))
    act = told["extensions"]["act"]
    calling.show({**told["data"][field], "act": {"id": act["id"], "at": act["at"]}})
    if given.receipt is not None:
        try:
            new_file(given.receipt, act["receipt"].encode())
        except OSError as error:
            message = f"it is done; its receipt cannot be written to `{given.receipt}` ({in_words(error)})"
            raise CommandRefused(message) from None
    return 0


def _asked(kind: str, field: str, selected: str, **arguments: Any) -> dict[str, Any]:
    """The body of a request; an argument that is None is left out."""
    there = {name: value for name, value in arguments.items() if value is not None}
    required = field in ("reportChange", "applyForRestoration")
    types = {**_TYPES, "record": "RecordInput!"} if required else _TYPES
    declared = ", ".join(f"${name}: {types[name]}" for name in there)
    passed = ", ".join(f"{name}: ${name}" for name in there)
    return {"query": f"{kind}({declared}) {{ {field}({passed}) {{ {selected} }} }}", "variables": there}
