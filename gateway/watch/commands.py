"""The `dutybound watch` command: follow the ledger, and list what was found.

To look at it and end its review is oversight's, by its own token (`gateway.acts.oversight.commands`).

Exit codes: 0 done, 1 refused or out of reach, said in one sentence; 2 a wrong call.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from gateway.activation.stored import in_force
from gateway.command import options
from gateway.config import settings
from gateway.errors import StoreUnavailable, printable
from gateway.nouns import counted
from gateway.rules.files import thresholds
from gateway.saying import in_words
from gateway.storage.store import opened
from gateway.storage.tables import moment
from gateway.storage.watch import findings as kept
from gateway.storage.watch.findings import Kept
from gateway.watch import restore
from gateway.watch.break_glass import BreakGlass
from gateway.watch.follow import Follower


def register(subparsers: argparse._SubParsersAction[Any]) -> Any:
    """Add `watch`, and give its commands, to which others add; each sets `run`: from the arguments to the exit code."""
    watch = subparsers.add_parser("watch", help="signs of improper inquiries in the ledger, and their reviews")
    parts = watch.add_subparsers()

    follow = _part(parts, "follow", "read the ledger as it grows, and keep what should be looked at")
    follow.add_argument("--once", action="store_true", help="end when all that is there has been read")
    follow.add_argument(
        "--every", type=float, default=5.0, metavar="SECONDS", help="how often to look for new entries (default: 5)"
    )
    follow.set_defaults(run=_follow)

    listed = _part(parts, "findings", "what was found and waits for a review")
    listed.add_argument("--all", action="store_true", help="also those that were reviewed, with their verdicts")
    listed.set_defaults(run=_findings)
    return parts


def _part(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text)
    options.config(parser)
    return parser


def _follow(arguments: argparse.Namespace) -> int:
    found = settings.load(arguments.config, os.environ)
    with opened(found) as store:
        rules = in_force(found, store.engine).rules
        wanted, dates, purposes = thresholds.needed(rules.watch), rules.calendar, rules.policies.purposes
        own = [purpose.name for purpose in purposes.values() if purpose.scope == "self"]
        others = [purpose.name for purpose in purposes.values() if purpose.break_glass is None]
        follower = Follower(store, wanted, dates, own)
        glass = BreakGlass(store.engine, dates, lambda: purposes, lambda inquiry, client, purpose: None)
        if back := restore.brought_back(store, glass, others):
            print(f"{counted(back, 'finding')} of break-glass brought back, removed or altered before", file=sys.stderr)
        read = 0
        while True:
            try:
                taken = follower.turn()
            except (SQLAlchemyError, StoreUnavailable) as error:
                if arguments.once:
                    raise
                print(f"the store is out of reach ({in_words(error)}); trying again", file=sys.stderr)
                taken = 0
            read += taken
            if not taken and arguments.once:
                break
            if not taken:
                time.sleep(arguments.every)
        waiting = len(kept.findings(store.engine, decided=False))
        print(f"{counted(read, 'entry')} read; {counted(waiting, 'finding')} for review")
        if follower.passed_over:
            print(
                f"{counted(follower.passed_over, 'entry')} passed over: erased, or of a kind that this version"
                " does not know"
            )
    return 0


def _findings(arguments: argparse.Namespace) -> int:
    with opened(settings.load(arguments.config, os.environ)) as store:
        found = kept.findings(store.engine, decided=None if arguments.all else False)
    for each in found:
        for line in _lines(each):
            print(line)
    if not found:
        print("nothing was found" if arguments.all else "nothing waits for a review")
    return 0


def _lines(each: Kept) -> Iterator[str]:
    behind = f"{counted(each.entries, 'entry')}"
    yield f"{each.id}   {moment(each.at):%Y-%m-%d %H:%M} UTC   Art. {each.article}, {each.purpose}, {behind}"
    yield f"  {each.words}"
    if each.verdict is not None and each.decided_at is not None:
        yield printable(f"  {each.verdict}, by {each.by} on {moment(each.decided_at):%Y-%m-%d}: {each.reason}")
