"""A backup restored: where the store is missing, never over one that exists.

Everything is looked at before anything is written: the copy against its digest, the keys that belong to it, and that
nothing stands in the way. Without the keys the store would be no use, and without memory of what was published a
gateway would sign other entries over those whose receipts are out; so either is refused, unless `anyway`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import MetaData, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway.backup import postgresql, stores, unfinished
from gateway.backup.making import now
from gateway.backup.manifest import (
    COMMAND,
    KEYS,
    MANIFEST,
    SEALED,
    Key,
    Manifest,
    digest,
    digests,
    key_files,
    printed,
    read,
)
from gateway.backup.sealing import unseal
from gateway.config.settings import Settings
from gateway.errors import CommandRefused
from gateway.files import is_temporary_of, new_file, temporary_of
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log import retire
from gateway.ledger.log.retire import Missing
from gateway.storage import schema
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.port import Store
from gateway.storage.store import open_to_read, sqlite_path

if TYPE_CHECKING:
    from gateway.storage.engines.postgresql import PostgresStore

PLACE = "postgresql+asyncpg://gateway@scratch.example/verify"
_OUTSIDE = ("store_key_file", COMMAND)
UNSEALED = ".dutybound-copy-"


def restore(settings: Settings, folder: Path, *, anyway: bool = False, key: bytes | None = None) -> Manifest:
    """Put the backup in `folder` into the configured store; raises `CommandRefused`, and nothing was changed then.

    `key` is the one that sealed the copy, where one did.
    """
    found = read(folder)
    if found.sealed != (key is not None):
        raise CommandRefused(
            f"the copy in `{folder}` is sealed by a key of its own: name the key's file with `--key`"
            if found.sealed
            else f"the copy in `{folder}` is not sealed: leave out `--key`"
        )
    kind = stores.kind(settings)
    if found.kind != kind:
        raise CommandRefused(
            f"the backup is of a {found.kind} store, and `store` names a {kind} one; name one of the same kind"
        )
    if found.step > schema.LATEST:
        raise CommandRefused(
            f"the backup's tables are of step {found.step}, made by a newer version of the gateway ({found.gateway}),"
            f" and this one knows {schema.LATEST} and no later; use the newer version"
        )
    copy = folder / found.copy
    lost = _lost(settings, found, folder)
    try:
        if digest(copy) != found.sha256:
            raise CommandRefused(f"`{copy}` is not what was backed up: it was changed or cut short; use another backup")
        if not anyway:
            _check_keys(lost)
            _check_printed(settings, found)
            _check_memory(settings)
        with opened(copy, key) as plain:
            if kind == "sqlite":
                with stores.file(plain) as store:
                    _check_said(found, store, folder, "")
                _put_file(settings, plain)
            else:
                _put_database(settings, plain)
                with stores.database(settings) as database:
                    left = f" `{make_url(settings.store).render_as_string()}` was filled already: empty it"
                    _check_said(found, database, folder, left)
        for each, file in lost:
            if each.inside and not file.exists():
                new_file(file, (folder / KEYS / each.setting).read_bytes())
    except OSError as error:
        where = f"(`{error.filename}`)" if error.filename else f"(beside the store, or in `{tempfile.gettempdir()}`)"
        raise CommandRefused(f"the backup cannot be put back: {error.strerror} {where}") from error
    return found


def _check_said(found: Manifest, store: SqliteStore | PostgresStore, folder: Path, left: str) -> None:
    """What `backup.json` says of the tables and shards is what they are; nothing else checks it against the copy.

    `left` is what has to be done about a store that was filled.
    """
    with contextlib.closing(store.reader()) as reader:
        shards = stores.shards(reader)
    if (found.step, found.shards) != (stores.step(store.engine, f"`{folder}`"), shards):
        listed = ", ".join(f"{origin}: {size}" for origin, size in shards.items())
        raise CommandRefused(
            f"`{folder / MANIFEST}` was altered: the copy's tables are of another step, or its shards have other"
            f" entries ({listed}); use another backup.{left or ' Nothing was changed'}"
        )


@contextlib.contextmanager
def opened(copy: Path, key: bytes | None, beside: Path | None = None) -> Iterator[Path]:
    """A copy that can be read: itself, or one unsealed in a folder for its owner only, which goes afterwards.

    That folder is hidden in `beside`, or where temporary files go. Raises `OSError`, and `CommandRefused` where `key`
    is another one. What a run left there that was killed is removed.
    """
    if key is None:
        yield copy
        return
    with unfinished.folder(beside or Path(tempfile.gettempdir()), UNSEALED) as folder:
        plain = folder / copy.name.removesuffix(SEALED)
        unseal(key, copy, plain)
        yield plain


def seal(settings: Settings) -> list[Missing]:
    """Seal each shard of the restored store that has less than its head file remembers, before anything is appended;
    gives what is missing. Where the registry lacks something, nothing is sealed, and no gateway starts.

    Processes that start together would pass by a shard that neither of them takes.
    """
    if stores.kind(settings) == "sqlite":
        with contextlib.closing(SqliteStore(sqlite_path(settings.store))) as file:
            return _seal(file, settings)
    with stores.database(settings) as store:
        return _seal(store, settings)


def check_scratch(settings: Settings, url: str | None) -> None:
    """Raises `CommandRefused` where a dump cannot be verified at `url`: it is none, or not empty, or out of reach."""
    if url is None:
        raise CommandRefused(
            "`--verify` of a PostgreSQL store needs `--scratch`, the URL of an empty database, best on another server"
        )
    try:
        named = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise CommandRefused(f"`--scratch` is not understood; write it as `store`: {PLACE}") from error
    if named != "postgresql":
        raise CommandRefused(f"`--scratch` names no PostgreSQL database; write it as `store`: {PLACE}")
    with stores.database(msgspec.structs.replace(settings, store=url)) as store:
        if inspect(store.engine).get_table_names():
            raise CommandRefused(f"`{make_url(url).render_as_string()}` has tables already: name an empty database")


@contextlib.contextmanager
def scratch(settings: Settings, copy: Path, url: str) -> Iterator[Store]:
    """A dump in the empty database at `url`, open to be read; at the end the database is empty again."""
    there = msgspec.structs.replace(settings, store=url)
    _put_database(there, copy)
    try:
        with contextlib.closing(open_to_read(url, "--scratch", settings.store_key)) as store:
            yield store
    finally:
        with stores.database(there) as store, store.engine.begin() as connection:
            restored = MetaData()
            restored.reflect(connection)
            restored.drop_all(connection)


def _seal(store: SqliteStore | PostgresStore, settings: Settings) -> list[Missing]:
    found = stores.gaps(store, settings)
    if any(gap.name == ROOT for gap in found):
        return found

    async def sealed(gap: Missing) -> None:
        held = await store.hold(gap.name)
        if held is not None:  # else a gateway is at it already
            try:
                await asyncio.to_thread(retire.seal, store, gap, now())
            finally:
                await held.release()

    async def all_of_them() -> None:
        for gap in found:
            await sealed(gap)

    asyncio.run(all_of_them())
    return found


def _lost(settings: Settings, found: Manifest, folder: Path) -> list[tuple[Key, Path]]:
    """The keys that belong to a backup, and are not where the configuration names them, or are others."""
    configured, lost = key_files(settings), []
    for key in found.keys:
        if key.sha256 is None:
            continue
        file = configured.get(key.setting)
        if file is None and key.setting in _OUTSIDE and settings.store_key is not None:
            continue  # it moved between a file and a command, or is a command's
        if file is None:
            raise CommandRefused(f"the backup belongs to a key `{key.setting}`, which the configuration does not name")
        if not file.is_file() or not key.fits(file):
            lost.append((key, file))
    return lost


def _check_keys(lost: list[tuple[Key, Path]]) -> None:
    for key, file in lost:
        if file.exists():
            raise CommandRefused(
                f"the backup needs another key as `{key.setting}` than `{file}`: the one whose file has SHA-256"
                f" {key.sha256}. Keys were changed since: use a newer backup, or name that key. Nothing was changed"
            )
        if not key.inside:
            raise CommandRefused(
                f"the backup needs the key `{key.setting}`, and `{file}` is missing: put back the file with SHA-256"
                f" {key.sha256}, and run this again. Nothing was changed"
            )


def _check_printed(settings: Settings, found: Manifest) -> None:
    """The key that a command prints is the backup's; raises `ConfigurationError` where it is away."""
    keys = printed(settings)
    wanted = {key.sha256 for key in found.keys if key.setting in _OUTSIDE and key.sha256 is not None}
    if keys is not None and wanted and wanted.isdisjoint(digests(keys)):
        raise CommandRefused(
            f"the backup needs another key than `{COMMAND}` prints: the one whose file has SHA-256 {wanted.pop()}."
            " Have it print that key too, in a line of its own. Nothing was changed"
        )


def _check_memory(settings: Settings) -> None:
    if not settings.ledger.head_file.exists() and not settings.ledger.witnesses:
        raise CommandRefused(
            f"the head file `{settings.ledger.head_file}` is missing, and there is no witness: nobody recorded what was"
            " published since the backup, and other entries would be signed over it. Put the head file back; where"
            " it is lost and you know that no answer left since the backup, run this with `--anyway`"
        )


def _put_file(settings: Settings, copy: Path) -> None:
    path = sqlite_path(settings.store, str(settings.file))
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True)
    for each in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", "-journal"))):
        if os.path.lexists(each):
            raise CommandRefused(
                f"`{each}` exists already: stop every gateway, move it away with the files beside it, and keep it,"
                " since it may have what the backup lacks. Nothing was changed"
            )
    lock = SqliteStore(path).lock("serve")
    if lock is None:
        raise CommandRefused(f"`{path}` is served by a `dutybound serve`; stop it. Nothing was changed")
    try:
        mine = is_temporary_of(path)
        for left in [each for each in path.parent.iterdir() if mine(each.name)]:
            left.unlink()  # of a run that was killed: nobody else has the lock
        handle, name = temporary_of(path)
        try:
            with os.fdopen(handle, "wb") as there, copy.open("rb") as here:
                shutil.copyfileobj(here, there, 1 << 20)
                there.flush()
                os.fsync(there.fileno())
            os.link(name, path)  # unlike a rename, never over a file that came meanwhile
        finally:
            os.unlink(name)
        opened = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    finally:
        os.close(lock)


def _put_database(settings: Settings, copy: Path) -> None:
    url = make_url(settings.store)
    with stores.database(settings) as store:
        if not stores.empty(store.engine):
            raise CommandRefused(
                f"`{url.render_as_string()}` has a gateway's tables already: name an empty database, and keep this one,"
                " since it may have what the backup lacks. Nothing was changed"
            )
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-acl")
    postgresql.run("pg_restore", url, *options, str(copy.absolute()))
