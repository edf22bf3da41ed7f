"""A backup, made while gateways serve: one snapshot of the store, in a new folder for its owner only, or nothing.

A SQLite file is copied by `VACUUM INTO`: one read of the whole file, which no writer waits for. Other than a copy page
by page it leaves out what was deleted, so a backup that is made after an erasure has no remnant of it. Of PostgreSQL
`pg_dump` copies the snapshot in which the shards were counted.

Invariants: the folder has its name only once everything in it is on the disk. The head file is not in it: it remembers
what was published after the backup, and an older one would hide the gap.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import importlib.metadata
import os
import sqlite3
from pathlib import Path

from sqlalchemy.engine import make_url

from gateway.backup import postgresql, stores, unfinished
from gateway.backup.manifest import (
    COMMAND,
    COPIES,
    KEYS,
    MANIFEST,
    SEALED,
    SEALED_VERSION,
    VERSION,
    Key,
    Manifest,
    digest,
    digests,
    encode,
    key_digest,
    key_files,
    printed,
)
from gateway.backup.sealing import seal
from gateway.config.settings import Settings
from gateway.errors import CommandRefused, ConfigurationError
from gateway.files import new_file
from gateway.ledger.entry.registry import EVERY
from gateway.ledger.proof import key_files as keys
from gateway.ledger.proof.note import Verifier
from gateway.storage import schema
from gateway.storage.store import sqlite_path

_LOCK_WAIT = "60s"
UNFINISHED = ".dutybound-backup-"


def make(settings: Settings, out: Path, *, with_keys: bool = False, key: bytes | None = None) -> Manifest:
    """Back the configured store up into the new folder `out`; with `key`, the copy is sealed by it.

    Raises `CommandRefused`, `ConfigurationError` for a wrong key file, and `VerificationFailed` where a head is not
    signed; nothing is left then.
    """
    if os.path.lexists(out):
        raise CommandRefused(f"`{out}` exists already; name a new folder, so that no earlier backup is lost")
    try:
        with unfinished.folder(out.absolute().parent, UNFINISHED) as folder:
            made = _fill(settings, folder, with_keys, key)
            _sync(folder)
            folder.rename(out)
            _sync(out.absolute().parent)
    except OSError as error:
        fix = "; make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        if not out.absolute().parent.exists():
            fix = f"; make the folder `{out.parent}` first"
        at = f": `{error.filename}`" if error.filename and UNFINISHED not in error.filename else ""
        raise CommandRefused(f"`{out}` cannot be made ({error.strerror}{at}){fix}; no backup was made") from error
    return made


def now() -> datetime.datetime:
    """The machine's time: for people, nothing is decided by it."""
    return datetime.datetime.now(datetime.UTC)


def _fill(settings: Settings, folder: Path, with_keys: bool, key: bytes | None) -> Manifest:
    found = _keys(settings, folder / KEYS, with_keys)
    made, kind = now().replace(microsecond=0), stores.kind(settings)
    copy = folder / COPIES[kind]
    copy.touch(mode=0o600)  # both ways to copy write into a file that is there and empty
    step, shards = (_copied if kind == "sqlite" else _dumped)(settings, copy, _verifiers(settings))
    if key is not None:
        plain, copy = copy, copy.with_name(copy.name + SEALED)
        seal(key, plain, copy)
        plain.unlink()
    size, gateway = copy.stat().st_size, importlib.metadata.version("dutybound")
    version = VERSION if key is None else SEALED_VERSION
    manifest = Manifest(version, made, gateway, kind, step, size, digest(copy), shards, found)
    new_file(folder / MANIFEST, encode(manifest))
    return manifest


def _keys(settings: Settings, folder: Path, with_keys: bool) -> list[Key]:
    """The keys that belong to the store, copied into `folder` where that is wanted."""
    found = []
    for setting, file in key_files(settings).items():
        if not file.exists():
            if with_keys:
                raise CommandRefused(f"`{file}` (`{setting}`) is missing, so `--with-keys` cannot copy it; put it back")
            found.append(Key(setting, None))
            continue
        if with_keys:
            folder.mkdir(mode=0o700, exist_ok=True)
            new_file(folder / setting, file.read_bytes())
        found.append(Key(setting, digest(file), with_keys, key_digest(file)))
    if with_keys and folder.exists():
        _sync(folder)
    try:
        if keys := printed(settings):
            found.append(Key(COMMAND, digests(keys)[0]))
    except ConfigurationError:
        found.append(Key(COMMAND, None))
    return found


def _verifiers(settings: Settings) -> list[Verifier] | None:
    """What heads are held to; None where the key is away: the store is backed up all the same."""
    if not settings.ledger.key_file.exists():
        return None
    return keys.verifiers(keys.load(settings.ledger.key_file), settings.ledger.origin, EVERY)


def _copied(settings: Settings, copy: Path, verifiers: list[Verifier] | None) -> tuple[str, dict[str, int]]:
    path = sqlite_path(settings.store, str(settings.file))
    if not path.is_file():
        raise CommandRefused(f"there is no store at `{path}`: nothing is backed up")
    with stores.file(path) as store:
        step = stores.step(store.engine, f"`{path}`")
        with contextlib.closing(store.connect()) as connection:
            try:
                connection.execute("VACUUM INTO ?", (str(copy.absolute()),))
            except sqlite3.OperationalError as error:
                full = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
                fix = "; make room on the disk" if full else ""
                raise CommandRefused(f"`{path}` cannot be copied: {error}{fix}; no backup was made") from error
    _sync(copy)
    with stores.file(copy) as made:
        with contextlib.closing(made.connect()) as connection:
            if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise CommandRefused(f"the copy of `{path}` is damaged ({found}); keep the backups that you have")
        if verifiers is not None and step >= schema.LATEST:
            stores.check_heads(made, verifiers, settings)
        with contextlib.closing(made.reader()) as reader:
            return step, stores.shards(reader)


def _dumped(settings: Settings, copy: Path, verifiers: list[Verifier] | None) -> tuple[str, dict[str, int]]:
    url = make_url(settings.store)
    with stores.database(settings) as store:
        step = stores.step(store.engine, f"`{url.render_as_string()}`")
        if verifiers is not None and step >= schema.LATEST:
            stores.check_heads(store, verifiers, settings)
        with contextlib.closing(store.reader()) as reader:
            shards = stores.shards(reader)
            options = ("--format=custom", "--no-owner", "--no-acl", f"--lock-wait-timeout={_LOCK_WAIT}")
            postgresql.run("pg_dump", url, *options, f"--snapshot={stores.snapshot(reader)}", f"--file={copy}")
    return step, shards


def _sync(path: Path) -> None:
    """Have a file, or what a folder names, on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
