"""`dutybound source findings`: what does not fit of departments' systems, as its stewards and oversight see it.

It asks a running gateway, as whoever the token in `--token-file` says; the look is entered in the ledger first.
"""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlencode

from gateway.web import calling


def register(parts: Any) -> None:
    """Add the command."""
    text = "list what a watch found of departments' systems: a steward's own department's, or all for oversight"
    parser: argparse.ArgumentParser = parts.add_parser("findings", help=text)
    calling.add_arguments(parser)
    parser.add_argument("--all", action="store_true", help="also those that are over")
    parser.add_argument("--after", metavar="CURSOR", help="continue after this page: its `next`")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    asked = {**({"over": "yes"} if given.all else {}), **({"after": given.after} if given.after else {})}
    answered = calling.called(given, "GET", f"/sources/findings?{urlencode(asked)}")
    calling.show(calling.expected(given, answered, "items", "next"))
    return 0
