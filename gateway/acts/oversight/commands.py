"""`dutybound watch open` and `review`: what oversight does about a finding without the pages.

As `gateway.acts.commands`: the token in `--token-file` says who acts, and nothing that is typed.
"""

from __future__ import annotations

import argparse
from typing import Any

from gateway.acts.commands import act, done

_VERDICTS = ("proper", "improper", "unclear")
_FINDING = "id detector words purpose article inquiries found due department state verdict decided by because"
_OPENED = (
    f"finding {{ {_FINDING} }} inquiries {{ id at what department purpose title basis {{ law article }} forCase fields"
    " records outcome told }"
)


def register(parts: Any) -> None:
    """Add both to the commands of `dutybound watch`; each sets `run`: from the parsed arguments to the exit code."""
    show = act(parts, "open", "the inquiries behind a finding; that they were opened is entered in the ledger first")
    show.add_argument("finding", metavar="FINDING", help="its id, as `watch findings` prints it")
    show.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    show.set_defaults(run=_open)

    review = act(parts, "review", "end the review of a finding; verdict and reason are entered in the ledger")
    review.add_argument("finding", metavar="FINDING", help="its id, as `watch findings` prints it")
    review.add_argument("--verdict", required=True, choices=_VERDICTS, help="your verdict on the inquiries")
    review.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    review.set_defaults(run=_review)


def _open(given: argparse.Namespace) -> int:
    return done(given, "openFinding", _OPENED, id=given.finding, reason=given.reason)


def _review(given: argparse.Namespace) -> int:
    verdict = given.verdict.upper()
    return done(given, "endReview", _FINDING, id=given.finding, verdict=verdict, reason=given.reason)
