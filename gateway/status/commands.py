"""The `dutybound status` command. Exit codes: 0 all is well, 1 something wants a person."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from gateway.command import options
from gateway.config import settings
from gateway.errors import ConfigurationError, DutyboundError
from gateway.ledger.log.build import examine_registry
from gateway.saying import in_words
from gateway.status.departments import of_departments
from gateway.status.files import of_backup, of_files
from gateway.status.lines import Line, day, table, trouble
from gateway.status.processes import of_processes
from gateway.status.store import not_made, of_store
from gateway.storage.store import read_configured
from gateway.storage.tables import micros


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `status`, which sets `run`: from the parsed arguments to the exit code."""
    status = subparsers.add_parser("status", help="the state of the gateway: ledger, rules, departments, queue, keys")
    options.config(status)
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=_status)


def _status(arguments: argparse.Namespace) -> int:
    found = settings.load(arguments.config, os.environ)
    now, version = datetime.datetime.now(datetime.UTC), importlib.metadata.version("dutybound")
    lines = list(_lines(arguments.config, found, now))
    wanting = sum(not each.well for each in lines)
    if arguments.json:
        said = {"version": version, "at": now, "well": not wanting, "lines": lines}
        print(msgspec.json.format(msgspec.json.encode(said)).decode())
    else:
        print(f"dutybound {version}, {day(now)}\n\n{table(lines)}\n")
        print(f"{wanting} of these want a person (!)" if wanting else "all is well")
    return 1 if wanting else 0


def _lines(config: Path, found: settings.Settings, now: datetime.datetime) -> Iterator[Line]:
    yield from of_processes(found.manage)
    try:
        store = read_configured(found)
    except DutyboundError as error:
        yield trouble("store", str(error))
    else:
        try:
            if not_made(store):
                yield trouble("store", "no tables yet; the first start makes them")
            else:
                yield from of_store(store, micros(now))
                yield from of_departments(config, store)
                yield from _of_registry(found)
        except (DutyboundError, SQLAlchemyError) as error:
            own = isinstance(error, DutyboundError)
            yield trouble("store", str(error) if own else f"it cannot be read ({in_words(error)})")
        finally:
            store.close()
    yield of_backup(found, now)
    yield from of_files(found, now)


def _of_registry(found: settings.Settings) -> Iterator[Line]:
    """What a start would refuse of the ledger's registry, such as another key than the registered one."""
    try:
        examine_registry(found.store, found.ledger, str(found.file), found.store_key)
    except ConfigurationError as error:
        yield from (trouble("ledger", each.message, "registry") for each in error.problems)
