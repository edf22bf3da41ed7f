"""The `dutybound source` commands: connecting departments' systems, and whether they still fit.

Exit codes: 0 all well, 1 something does not fit or cannot be done (said in words), 2 a wrong call.
"""

from __future__ import annotations

import argparse
from typing import Any


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `source` with its commands; each sets `run`: from the parsed arguments to the exit code."""
    # Here, since `dutybound ledger` takes `reconcile` from this folder, and needs nothing of these.
    from gateway.connecting.commands import conformance, deliver, findings, new, sample, test, watch

    source = subparsers.add_parser("source", help="connect a department's system, try it, and watch it")
    parts = source.add_subparsers()
    new.register(parts)
    test.register(parts)
    sample.register(parts)
    conformance.register(parts)
    watch.register(parts)
    findings.register(parts)
    deliver.register(parts)
