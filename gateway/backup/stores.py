"""A store as a backup sees it: opened whatever step its tables are of, its shards counted, its heads verified."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from gateway.backup.manifest import printed
from gateway.config.settings import Settings
from gateway.errors import CommandRefused, ConfigurationError, StoreUnavailable
from gateway.ledger.log.head_file import HeadFile, SeenOutside
from gateway.ledger.log.retire import Missing, behind
from gateway.ledger.proof.note import Verifier
from gateway.ledger.verify.heads import check_no_others, check_signed, reading, standing
from gateway.saying import in_words
from gateway.storage import schema
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.keys.opening import unlock
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.tables import sealed, shard

if TYPE_CHECKING:
    from gateway.storage.engines.postgresql import PostgresStore

_SHARDS = Statement(select(shard.c.origin, shard.c.size).order_by(shard.c.id))
_SEALED = Statement(select(sealed.c.name))
_SNAPSHOT = Statement(select(func.pg_export_snapshot()))


def kind(settings: Settings) -> str:
    """Which kind of store a configuration names: `sqlite` or `postgresql`."""
    return make_url(settings.store).get_backend_name()


@contextlib.contextmanager
def file(path: Path) -> Iterator[SqliteStore]:
    """A SQLite file, to read from; raises `CommandRefused` where that is impossible."""
    store = SqliteStore(path, read_only=True)
    with _told(f"`{path}`"):
        try:
            yield store
        finally:
            store.close()


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[PostgresStore]:
    """The PostgreSQL database of a configuration, with or without tables; raises `CommandRefused` out of reach."""
    from gateway.storage.engines.postgresql import PostgresStore

    url = make_url(settings.store)
    with _told(f"`{url.render_as_string()}`"):
        store = PostgresStore(url)
        try:
            yield store
        finally:
            store.close()


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, StoreUnavailable, ValueError) as error:
        of_file = isinstance(getattr(error, "orig", error), sqlite3.Error)
        why = in_words(error) if of_file else (str(getattr(error, "orig", None) or error).splitlines() or [""])[0]
        raise CommandRefused(f"{what} cannot be read: {why}; nothing was changed") from error


def step(engine: Engine, what: str) -> str:
    """The step of a store's tables; raises `CommandRefused` where it has none of ours, or newer ones."""
    with engine.connect() as connection:
        found = schema.version(connection)
    if found.others:
        raise CommandRefused(f"{what}: {found.foreign()}")
    if found.number is None:
        raise CommandRefused(f"{what} has no tables of a gateway; name the store of one that served")
    if not found.known:
        raise CommandRefused(f"{what}: {found.newer()}")
    return found.number


def empty(engine: Engine) -> bool:
    """Whether a database has no tables of ours."""
    with engine.connect() as connection:
        return schema.version(connection).number is None


def shards(reader: Reader) -> dict[str, int]:
    """The entries of each shard, by its origin."""
    return {str(origin): int(size) for origin, size in reader.rows(_SHARDS)}


def snapshot(reader: Reader) -> str:
    """The name of a PostgreSQL reader's snapshot, for a program that is to read the same."""
    return str(reader.rows(_SNAPSHOT)[0][0])


def check_heads(store: SqliteStore | PostgresStore, verifiers: Sequence[Verifier], settings: Settings) -> None:
    """Every head is there and signed; raises `VerificationFailed`, and `ConfigurationError` for another store's key.

    Without the key of a sealed store nobody can read the registry, by which heads count: nothing is checked then. A
    store that no gateway has served yet has no head, and its head file remembers none.
    """
    _unlock(store, settings)
    if store.locked:
        return
    with reading(store) as reader:
        if not shards(reader) and not _remembered(settings):
            check_no_others(reader)
            return
        found, trusted = standing(reader, verifiers)
        for head in found:
            check_signed(head, trusted)


def _unlock(store: SqliteStore | PostgresStore, settings: Settings) -> None:
    """Open what is sealed of a store of today's tables, where the key is there."""
    unlock(store, settings.store_key if _there(settings) else None, str(settings.file), without=True)


def _there(settings: Settings) -> bool:
    """Whether there is a key to open the store with; one that is wrong is refused by whoever opens it."""
    if isinstance(settings.store_key, Path):
        return settings.store_key.exists()
    try:
        return printed(settings) is not None
    except ConfigurationError:
        return False


def gaps(store: SqliteStore | PostgresStore, settings: Settings) -> list[Missing]:
    """What the store lacks of what its head file remembers, for each shard that is not sealed; the registry first.

    Raises `LedgerUnavailable` where the head file cannot be read, or the store is damaged.
    """
    _unlock(store, settings)
    with contextlib.closing(store.reader()) as reader:
        over = {str(name) for (name,) in reader.rows(_SEALED)}
    remembered = _remembered(settings)
    found = [behind(store, name, [each]) for name, each in remembered.items() if name not in over]
    return sorted((gap for gap in found if gap is not None), key=lambda gap: (gap.name != "root", gap.name))


def _remembered(settings: Settings) -> dict[str, SeenOutside]:
    """What the head file remembers of this ledger, by the shard's name; raises `LedgerUnavailable`."""
    every = HeadFile(settings.ledger.head_file).all()
    named = [(each.checkpoint.origin.rpartition("/"), each) for each in every]
    return {name: each for (ledger, _, name), each in named if ledger == settings.ledger.origin}
