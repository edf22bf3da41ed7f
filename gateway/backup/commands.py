"""`dutybound backup` and `dutybound restore`. Exit codes: 0 done, 1 refused or less than published."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.backup import last, making, restoring, sealing, stores
from gateway.backup.manifest import Manifest, key_files
from gateway.command import options
from gateway.config import settings
from gateway.config.settings import Settings
from gateway.errors import CommandRefused
from gateway.ledger.commands.progress import teller
from gateway.ledger.entry.registry import EVERY, ROOT
from gateway.ledger.log.retire import registry_set_back
from gateway.ledger.proof import key_files as signing
from gateway.ledger.verify.store import verify_store
from gateway.nouns import counted
from gateway.storage import schema
from gateway.storage.archive.files import archive_at
from gateway.storage.port import Store
from gateway.storage.store import open_copy


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add both commands."""
    backup = subparsers.add_parser("backup", help="copy the store into a new folder, while gateways serve")
    options.config(backup)
    backup.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the new folder")
    backup.add_argument(
        "--with-keys", action="store_true", help="also copy the keys; then whoever has the backup can read everything"
    )
    backup.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="seal the copy by the key in this file, created if missing; without it nobody can open the backup",
    )
    backup.add_argument("--verify", action="store_true", help="also open every entry of the copy")
    backup.add_argument(
        "--scratch", metavar="URL", help="an empty PostgreSQL database where the copy is verified, and emptied again"
    )
    backup.set_defaults(run=_backup)

    restore = subparsers.add_parser("restore", help="restore a backup, where the store is missing")
    options.config(restore)
    restore.add_argument("folder", type=Path, metavar="FOLDER", help="what `dutybound backup` made")
    restore.add_argument(
        "--anyway", action="store_true", help="even if a key is missing or another one, or the head file is lost"
    )
    restore.add_argument("--key", type=Path, metavar="FILE", help="the file of the key that sealed the copy")
    restore.set_defaults(run=_restore)


def _backup(arguments: argparse.Namespace) -> int:
    found, out = settings.load(arguments.config, os.environ), arguments.out
    with settings.placing(found):
        if arguments.verify and stores.kind(found) == "postgresql":
            restoring.check_scratch(found, arguments.scratch)
        sealed_by = _key_of_its_own(found, arguments.key) if arguments.key else None
        made = making.make(found, out, with_keys=arguments.with_keys, key=sealed_by)
    print(f"backup: {out}, {made.bytes} bytes, tables of step {made.step}")
    _print_shards(made)
    for key in made.keys:
        if key.sha256 is None:
            print(f"the key `{key.setting}` is missing: the backup does not record which one it needs", file=sys.stderr)
        else:
            where = f"{out}/keys" if key.inside else "not in the backup; keep it elsewhere"
            print(f"key: {key.setting}, SHA-256 {key.sha256} ({where})")
    if made.sealed:
        print(f"sealed: by the key in `{arguments.key}`; keep it apart, and destroy it when the backup is to end")
    print("the head file is not in the backup: it has to be newer than the store")
    if arguments.verify:
        with _opened(out / made.copy, sealed_by) as copy:
            scratch = arguments.scratch
            with restoring.scratch(found, copy, scratch) if made.kind == "postgresql" else _file(found, copy) as store:
                _verify(found, store, made)
    try:
        last.write(found, last.Last(last.VERSION, made.made, str(out.absolute()), made.bytes, made.shards))
    except OSError as error:
        print(
            f"`{last.path(found)}` cannot be written ({error.strerror}): `status` does not know of it", file=sys.stderr
        )
        return 1
    return 0


def _key_of_its_own(found: Settings, file: Path) -> bytes:
    """The key in a file, made where there is none; raises `CommandRefused` for one that the gateway goes on using."""
    for setting, other in key_files(found).items():
        if file.resolve() == other.resolve():
            raise CommandRefused(f"`{file}` is `{setting}`, which does not end with a backup: name a file of its own")
    return sealing.key_of(file, make=True)


@contextlib.contextmanager
def _opened(copy: Path, key: bytes | None) -> Iterator[Path]:
    try:
        with restoring.opened(copy, key, copy.absolute().parent.parent) as plain:
            yield plain
    except OSError as error:
        raise CommandRefused(f"the backup is made, but cannot be opened to be verified: {error.strerror}") from error


@contextlib.contextmanager
def _file(found: Settings, copy: Path) -> Iterator[Store]:
    with contextlib.closing(open_copy(copy, found.store_key)) as store:
        yield store


def _verify(found: Settings, store: Store, made: Manifest) -> None:
    if not made.shards:
        print("whole: no entry yet, since no gateway has served with this store")
        return
    store.archive = archive_at(found.ledger.archive)
    verifiers = signing.verifiers(signing.load(found.ledger.key_file), found.ledger.origin, EVERY)
    for shard in verify_store(store, verifiers, teller()):
        print(f"whole: {shard.origin}, {counted(shard.size, 'entry')}, root {shard.root.hex()}")


def _restore(arguments: argparse.Namespace) -> int:
    found, config = settings.load(arguments.config, os.environ), arguments.config
    with settings.placing(found):
        key = sealing.key_of(arguments.key) if arguments.key else None
        put = restoring.restore(found, arguments.folder, anyway=arguments.anyway, key=key)
    print(f"restored: the store as of {put.made.isoformat()}")
    _print_shards(put)
    if put.step != schema.LATEST:
        print(f"its tables are of step {put.step}; next:\n  dutybound store migrate --config {config}")
        return 0
    gaps = restoring.seal(found)
    for gap in gaps:
        if gap.name == ROOT:
            print(registry_set_back(gap), file=sys.stderr)
            return 1
        seen = gap.remembered.checkpoint
        print(
            f"gap: {seen.origin} has {counted(gap.size, 'entry')}, and {seen.size} were published; it is sealed,"
            " and the next"
            " entry names the gap"
        )
    if not gaps:
        print("gap: none that is remembered; the last seconds before the loss may still be missing")
    print("next, where subjects were erased since, with the receipts of all erasures:")
    print(f"  dutybound ledger erase again --receipt FILE... --by NAME --config {config}")
    print(f"then:\n  dutybound serve --config {config}\n  dutybound ledger verify --config {config}")
    return 0


def _print_shards(manifest: Manifest) -> None:
    for origin, size in manifest.shards.items():
        print(f"shard: {origin}, {counted(size, 'entry')}")
