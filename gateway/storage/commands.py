"""The `dutybound store` commands. Exit codes: 0 done, 1 refused, with one sentence why."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from gateway.command import options
from gateway.config import settings
from gateway.config.settings import Settings
from gateway.config.store_key import StoreKey
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.nouns import counted
from gateway.storage import schema
from gateway.storage.keys import finishing
from gateway.storage.migrating import migrate_store, opened_to_finish
from gateway.storage.migrations.planning import KEPT_SINCE, plan
from gateway.storage.sealing import key_file
from gateway.storage.store import opened, see_made


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `store` with its commands; each sets `run`: from the parsed arguments to the exit code."""
    store = subparsers.add_parser("store", help="the database that the gateway keeps its state in")
    parts = store.add_subparsers()
    migrate = parts.add_parser(
        "migrate", help="bring an older store's tables to this version's; `--plan` prints what to do first"
    )
    options.config(migrate)
    migrate.add_argument(
        "--finish",
        action="store_true",
        help="then seal its rows by the key outside the store; earlier versions can no longer read them",
    )
    migrate.add_argument(
        "--plan",
        action="store_true",
        help="only print the steps, what each does, and what waits for it; nothing is changed",
    )
    migrate.set_defaults(run=_migrate)
    text = "a key outside the store, by which its rows are sealed"
    key = parts.add_parser("key", help=text, description=text)
    key.add_argument("--out", type=Path, default=Path("store.key"), metavar="FILE", help="default: store.key")
    key.set_defaults(run=_key)
    text = "give a sealed store another key outside it, while it is served"
    rotate = parts.add_parser("rotate", help=text, description=text)
    options.config(rotate)
    which = rotate.add_mutually_exclusive_group()
    which.add_argument(
        "--secrets", action="store_true", help="give it another key inside, and seal all but names by it: takes longer"
    )
    which.add_argument(
        "--names",
        action="store_true",
        help="give it another key inside for names, with every gateway stopped; if interrupted, run it again",
    )
    rotate.set_defaults(run=_rotate)


def _migrate(arguments: argparse.Namespace) -> int:
    found = settings.load(arguments.config, os.environ)
    if arguments.plan:
        with settings.placing(found):
            return _plan(found)
    key = _named(found) if arguments.finish else None
    see_made(found)  # one that is made here would not be sealed
    with settings.placing(found):
        before, now = migrate_store(found.store, str(found.file), single_node=found.single_node)
    if before == now:
        print(f"the store's tables are of step {now} already")
    else:
        print(f"the store's tables are of step {now} now; they were of step {before}")
    if key is not None:
        with opened_to_finish(found) as store:
            done = finishing.finish(store, key, str(found.file), _Progress())
        print("its rows are sealed now" if done else "its rows were sealed already")
    return 0


def _plan(found: Settings) -> int:
    """Print what a migration would do."""
    see_made(found)
    with opened_to_finish(found) as store, store.engine.connect() as connection:
        stands = schema.version(connection)
    if stands.others or stands.later or stands.number is None:
        why = stands.newer() if stands.later else stands.foreign()
        raise ConfigurationError([Problem(str(found.file), 0, 0, "store", why)])
    steps = plan(stands.number)
    print(f"the store's tables are of step {stands.number}; this version's are of step {schema.LATEST}")
    for step in steps:
        print(f"step {step.number}, {'only adds' if step.additive else 'changes what is there'}: {step.about}")
        for each in step.does:
            print(f"  {each}")
    if not steps:
        print("nothing is to be done: gateways of this version and of others with the same step serve together")
    elif stands.number >= KEPT_SINCE and all(step.additive for step in steps):
        print(
            "all steps are one transaction, and only add: make a backup (`dutybound backup`), migrate while gateways"
            " serve, and replace them one by one"
        )
        print("versions that serve the store now serve it afterwards: the way back is to start them again")
    else:
        print(
            "all steps are one transaction: make a backup (`dutybound backup`), stop every gateway, migrate, and start"
        )
        print("a version from before refuses the store afterwards; the way back is the backup")
    return 0


def _key(arguments: argparse.Namespace) -> int:
    made = key_file.generate(arguments.out)
    print(f"key `{made.name}`: {arguments.out} (name it with `store_key_file`; keep a copy where the backups are not)")
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    found = settings.load(arguments.config, os.environ)
    key, file = _named(found), str(found.file)
    if arguments.names:
        with settings.placing(found):
            return _rotate_names(found, key)
    with opened(found) as store:
        if arguments.secrets:
            schema.refuse_later(store.engine)
            version = finishing.rotate_secrets(store.engine, key, file, _Progress())
            print(f"its rows are sealed by key {version} of the store's own now")
            return 0
        new = finishing.rotate_outside(store.engine, key, file)
    said = key if isinstance(key, Path) else f"`{key.words[0]}` need not print the one before any more"
    print(f"key `{new.name}`: {said} (keep a copy, and the one before only as long as backups from before are kept)")
    return 0


def _rotate_names(found: Settings, key: StoreKey) -> int:
    see_made(found)
    with opened_to_finish(found) as store:
        schema.refuse_later(store.engine)
        with store.engine.connect() as connection:
            stands = schema.version(connection)
        if stands.number != schema.LATEST:
            raise CommandRefused(
                f"nothing was done: the store's tables are not of step {schema.LATEST}; run `dutybound store migrate`"
            )
        version = finishing.rotate_names(store, key, str(found.file), _Progress())
    print(f"its names are sealed by key {version} of names now, and the key before is removed")
    return 0


def _named(found: Settings) -> StoreKey:
    if found.store_key is None:
        raise ConfigurationError(
            [
                Problem(
                    str(found.file), 0, 0, "store_key_file",
                    "is missing: make a key with `dutybound store key`, and name its file",
                )
            ]
        )  # fmt: skip
    return found.store_key


class _Progress:
    """How many rows were sealed, on standard error where that is a terminal."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, table: str, count: int) -> None:
        self._count += count
        if count and sys.stderr.isatty():
            print(f"\r{counted(self._count, 'row')} sealed (`{table}`)\033[K", end="", file=sys.stderr, flush=True)
