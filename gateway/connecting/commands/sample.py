"""`dutybound source sample`: what a department's own system has of one subject, as its mapping gives it.

It asks a running gateway, as whoever the token in `--token-file` says: a steward of the department that keeps the
dataset. That they looked is entered in the ledger first, and stands in the subject's history.
"""

from __future__ import annotations

import argparse
from typing import Any

from gateway.ledger.log.operator import subject_of
from gateway.web import calling


def register(parts: Any) -> None:
    """Add the command."""
    text = "show a steward the mapped records of one subject; the look is entered in the ledger first"
    parser: argparse.ArgumentParser = parts.add_parser("sample", help=text)
    parser.add_argument("dataset", metavar="DATASET", help="its id, such as `tax-arrears`")
    parser.add_argument("subject", metavar="SCHEME:VALUE", type=subject_of, help="whom the records are about")
    calling.add_arguments(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    scheme, value = given.subject
    asked = {"dataset": given.dataset, "scheme": scheme, "value": value, "reason": given.reason}
    answered = calling.called(given, "POST", "/records/sample", asked)
    told = calling.expected(given, answered, "records", "count", "failure", "act")
    act = calling.expected(given, told.pop("act"), "id", "at")
    calling.show({**told, "act": {"id": act["id"], "at": act["at"]}})
    return 0 if told["failure"] is None else 1
