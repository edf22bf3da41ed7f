"""The `dutybound store` command. Exit codes: 0 done, 1 refused, said in one sentence."""

from __future__ import annotations

import argparse
import os
from typing import Any

from gateway.command import options
from gateway.config import settings
from gateway.storage.store import migrate_store


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `store` with its commands; each sets `run`: from the parsed arguments to the exit code."""
    store = subparsers.add_parser("store", help="the database that the gateway keeps its state in")
    parts = store.add_subparsers()
    migrate = parts.add_parser(
        "migrate", help="bring an older store's tables to this version's; stop every gateway and keep a copy first"
    )
    options.config(migrate)
    migrate.set_defaults(run=_migrate)


def _migrate(arguments: argparse.Namespace) -> int:
    found = settings.load(arguments.config, os.environ)
    with settings.placing(found):
        before, now = migrate_store(found.store, str(found.file))
    if before == now:
        print(f"the store's tables are of step {now} already")
    else:
        print(f"the store's tables are of step {now} now; they were {f'of step {before}' if before else 'not there'}")
    return 0
