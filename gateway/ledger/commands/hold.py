"""`dutybound ledger hold`: keep what the ledger has about a subject, and let that end."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from gateway.command import options
from gateway.errors import printable
from gateway.ledger.commands.progress import teller
from gateway.ledger.erasure import hold, named
from gateway.ledger.log.operator import account, enter_list, opened, place_of, subject_of
from gateway.storage.subjects import erasure as kept
from gateway.storage.tables import moment


def register(parser: argparse.ArgumentParser, identifiers: named.Identifiers) -> None:
    """Add the commands; each sets `run`: from the parsed arguments to the exit code."""
    parts = parser.add_subparsers()
    place = part(parts, "place", "keep what the ledger has about a subject, whatever is requested meanwhile")
    place.add_argument("--subject", required=True, type=subject_of, metavar="SCHEME:VALUE", help="the subject")
    said(place)
    place.set_defaults(run=functools.partial(_place, identifiers))
    lift = part(parts, "lift", "end a hold")
    lift.add_argument("id", metavar="ID", help="the hold's number")
    said(lift)
    lift.set_defaults(run=_lift)
    part(parts, "list", "the holds; for an open one, whom it is about").set_defaults(run=_list)


def part(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command that works on the configured ledger."""
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text)
    options.config(parser)
    return parser


def said(parser: argparse.ArgumentParser) -> None:
    """Who does it, and why."""
    parser.add_argument("--by", required=True, metavar="NAME", help="who does this; is entered in the ledger")
    parser.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        help="why; is entered in the ledger, and stays: name no subject in it",
    )


def _place(identifiers: named.Identifiers, arguments: argparse.Namespace) -> int:
    with opened(arguments.config) as place:
        named.check(place.store, arguments.subject, lambda: identifiers(place.settings), teller())
        entered = place.run(
            lambda ledger: hold.place(ledger, arguments.subject, arguments.by, arguments.reason, account())
        )
        print(f"placed: hold {entered.id}, {place_of(place, entered.receipt)}")
    print("nothing that the ledger has about this subject is erased before it is lifted")
    return 0


def _lift(arguments: argparse.Namespace) -> int:
    with opened(arguments.config) as place:
        entered = place.run(lambda ledger: hold.lift(ledger, arguments.id, arguments.by, arguments.reason, account()))
        print(f"lifted: hold {entered.id}, {place_of(place, entered.receipt)}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with opened(arguments.config) as place:
        found = kept.holds(place.store.engine)
        listed = [(each.scheme, each.value) for each in found if each.scheme is not None and each.value is not None]
        enter_list(place, listed, "a list of the holds")
    for each in found:
        about = f"on {each.scheme}:{each.value}" if each.value is not None else "lifted"
        print(printable(f"{each.id}   {moment(each.at):%Y-%m-%d}   {about}, placed by {each.by}: {each.reason}"))
        if each.lifted_at is not None:
            print(f"  lifted by {each.lifted_by} on {moment(each.lifted_at):%Y-%m-%d}")
    if not found:
        print("there is no hold")
    return 0
