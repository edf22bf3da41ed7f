"""Opening the store: which of the two it is, whether its tables are of this version, and whether it may be used.

Invariants: an empty store is made; one of an older version is refused with what to do, and one of a newer version
unless it may be served; so is a PostgreSQL that does not keep what it committed, before anything is written there. The
SQLite file, and the folder made for it, are readable by their owner only, since the keys that open payloads are rows in
it. A URL that cannot be used is a `ConfigurationError` that says why.

Left to others: what the tables mean (`gateway.ledger`, `gateway.inquiry`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from gateway.config.settings import Settings, placing
from gateway.config.store_key import StoreKey
from gateway.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.files import also_named, not_writable, readable_by_others
from gateway.saying import in_words
from gateway.storage import schema
from gateway.storage.archive.files import archive_at
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.engines.sqlite_file import unusable
from gateway.storage.keys.opening import Sealable, told_of_plain, unlock
from gateway.storage.port import Store
from gateway.storage.whole import metadata

if TYPE_CHECKING:
    from gateway.storage.engines.postgresql import PostgresStore

assert metadata.tables, "every table is declared"

__all__ = [
    "Store", "as_it_stands", "check_durable", "examine_store", "first_line", "later", "not_made", "open_configured",
    "open_copy", "open_file", "open_store", "open_to_read", "opened", "read_configured", "refusal", "see_made",
    "sqlite_path",
]  # fmt: skip


def refusal(file: str, message: str) -> ConfigurationError:
    """What a store that cannot be used is refused by; `file` is the configuration that names it."""
    return ConfigurationError([Problem(file, 0, 0, "store", message)])


def _url(text: str, file: str) -> URL:
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise refusal(file, f"`{text}` is not a store URL; write `sqlite:///path/to/file.db`") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise refusal(
            file,
            f"`{parsed.get_backend_name()}` stores are not supported; use `sqlite:///path` or `postgresql+asyncpg`",
        )
    return parsed


def sqlite_path(url: str, file: str = "gateway.yaml") -> Path:
    """The file that a store URL (`sqlite:///path`) names; raises `ConfigurationError` for any other URL."""
    parsed = _url(url, file)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or parsed.host or parsed.query:
        raise refusal(
            file,
            f"`{parsed.render_as_string()}` must be `sqlite:///path/to/file.db`, without driver, host or parameters",
        )
    if not parsed.database or parsed.database == ":memory:":
        raise refusal(file, "an in-memory store would lose the ledger; write `sqlite:///path/to/file.db`")
    return Path(parsed.database)


def open_store(
    url: str, file: str = "gateway.yaml", *, single_node: bool | None = None, key: StoreKey | None = None
) -> Store:
    """Open the store at `url`, making its folder, file and tables where it is empty.

    `key` is where the key is that its rows are sealed by, where they are; a new store is then sealed.

    `single_node` says whether one PostgreSQL server is durable enough, else it must have a synchronous standby; None
    leaves that unexamined, for tools that read. Raises `ConfigurationError` (naming `file`, the configuration that
    holds the URL) where it cannot be used.
    """
    if _url(url, file).get_backend_name() == "postgresql":
        return _open_postgresql(url, file, single_node, key)
    return open_file(sqlite_path(url, file), file, key)


def open_configured(settings: Settings) -> Store:
    """Open the store that `gateway.yaml` names, as `open_store` does, to serve with it or to change it."""
    with placing(settings):
        archive = archive_at(settings.ledger.archive)
        key = settings.store_key
        store = open_store(settings.store, str(settings.file), single_node=settings.single_node, key=key)
        store.archive = archive
        return store


@contextlib.contextmanager
def opened(settings: Settings, *, make: bool = False) -> Iterator[Store]:
    """The configured store, for a command; what goes wrong with it is a `StoreUnavailable`, without a trace of rows.

    Only with `make` is one made where there is none. Else that raises `ConfigurationError`: to whoever named another
    store by mistake, or lost theirs, an empty one would look as if nothing was ever asked.
    """
    if not make:
        see_made(settings)
    store = open_configured(settings)
    try:
        with placing(settings):
            yield store
    except SQLAlchemyError as error:
        if isinstance(error, OperationalError) and _busy(error.orig):
            raise StoreUnavailable(
                "others are writing to the store and left no moment for this; run it again"
            ) from error
        if isinstance(store, SqliteStore):
            raise StoreUnavailable(f"`{store.path}` cannot be used: {unusable(store.path, error)}") from error
        raise StoreUnavailable(f"the store is out of reach ({in_words(error)})") from error
    finally:
        store.close()


def see_made(settings: Settings) -> None:
    """Raises `ConfigurationError` where the configured store is not there, or has no tables yet; makes none."""
    file = str(settings.file)
    with placing(settings):
        if _url(settings.store, file).get_backend_name() != "postgresql":
            missing = not_made(sqlite_path(settings.store, file))
        else:
            missing = _is_empty(settings.store, file)
    if missing:
        raise refusal(
            file,
            "is not there yet: the first start of `dutybound serve` makes it. Where there was one, put it back, or name"
            " it here. Nothing was changed",
        )


def _is_empty(url: str, file: str) -> bool:
    """Whether a PostgreSQL database has no table at all; where it is out of reach, whoever opens it reports that."""
    import psycopg

    try:
        with contextlib.closing(as_it_stands(url, file)) as store, store.engine.connect() as connection:
            return schema.version(connection) == schema.Version(None)
    except (SQLAlchemyError, psycopg.Error, ValueError):
        return False


def _busy(error: BaseException | None) -> bool:
    """Whether SQLite refused since another process was writing."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def open_file(path: Path, file: str = "gateway.yaml", key: StoreKey | None = None) -> SqliteStore:
    """Open the SQLite store in the file `path`, as `open_store` does."""
    try:
        store = _sqlite(path, file)
        with _closed_where_refused(store):
            _check_version(store, file, key)
    except OSError as error:
        raise refusal(file, f"`{path}` cannot be opened for writing ({error.strerror})") from error
    except (DBAPIError, sqlite3.Error) as error:
        raise refusal(file, f"`{path}` cannot be used: {unusable(path, error)}") from error
    return store


@contextlib.contextmanager
def _closed_where_refused(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise


def _sqlite(path: Path, file: str) -> SqliteStore:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # For its owner only. A file that is there is not opened: closing it would drop the locks this process has on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        error = errno.EISDIR if path.is_dir() else errno.EACCES
        raise OSError(error, os.strerror(error))
    if wrong := also_named(path):
        raise refusal(file, f"`{path}` {wrong}")
    if path.stat().st_size:
        _refuse_foreign(path, file)
    return SqliteStore(path)


def _refuse_foreign(path: Path, file: str) -> None:
    """Refuse another program's file, before a connection of ours changes how it is kept."""
    with contextlib.closing(SqliteStore(path, read_only=True).connect()) as looked_at:
        others = schema.others_in(looked_at)
    if others:
        raise refusal(file, schema.Version(None, others).foreign())


def _open_postgresql(
    url: str, file: str, single_node: bool | None, key: StoreKey | None, *, make: bool = True, without: bool = False
) -> PostgresStore:
    import psycopg  # with its drivers, which a SQLite store does without

    from gateway.storage.engines.postgresql import PostgresStore

    parsed = _url(url, file)
    if parsed.drivername != "postgresql+asyncpg":
        raise refusal(file, f"`{parsed.drivername}` must be `postgresql+asyncpg`")
    try:
        store = PostgresStore(parsed, replicated=single_node is False)
    except ValueError as error:
        raise refusal(file, str(error)) from error
    try:
        with _closed_where_refused(store):
            if single_node is not None:
                check_durable(store, file, single_node=single_node)  # first: to make tables may wait for a standby
            _check_version(store, file, key, make=make, without=without)
    except (SQLAlchemyError, psycopg.Error) as error:
        raise refusal(file, f"`{parsed.render_as_string()}` is unusable: {_with_fix(error, parsed)}") from error
    return store


def check_durable(store: PostgresStore, file: str, *, single_node: bool) -> None:
    """See that the server keeps what it commits; raises `ConfigurationError`, and `psycopg.Error` out of reach."""
    from gateway.storage.engines.durability import weaknesses

    if found := weaknesses(store, single_node=single_node):
        raise ConfigurationError([Problem(file, 0, 0, "store", each) for each in found])


def first_line(error: Exception) -> str:
    """Why, as the driver or the system reports it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(getattr(error, "orig", None) or error).splitlines() or [in_words(error)])[0]


def _with_fix(error: Exception, url: URL) -> str:
    """Why PostgreSQL cannot be reached, and where TLS is why, what to do."""
    text = str(getattr(error, "orig", None) or error)
    fixes = {
        "certificate verify failed": f"`{url.query.get('sslrootcert', '')}` is not the authority of the server's"
        " certificate; name the right file with `sslrootcert`",
        "root certificate file": "name the file of the authority's certificate with `sslrootcert`",
        "does not match host name": "name the server as its certificate does, or give it another certificate",
        "does not support SSL": "the server has no TLS: set `ssl = on` there, with its certificate",
    }
    fix = next((f" ({fix})" for sign, fix in fixes.items() if sign in text), "")
    return f"{first_line(error)}{fix}"


def examine_store(url: str, file: str, *, single_node: bool, key: StoreKey | None = None) -> list[str]:
    """Look at a store as `open_store` does, and write nothing; what hinders there. Raises `ConfigurationError`."""
    if _url(url, file).get_backend_name() == "postgresql":
        from gateway.storage.engines.durability import hindrances

        store = _open_postgresql(url, file, single_node, key, make=False)
        try:
            return [*later(store.engine), *hindrances(store), *told_of_plain(store, key)]
        finally:
            store.close()
    path = sqlite_path(url, file)
    if wrong := not_writable(path, make_folder=True):
        raise refusal(file, f"`{path}` {wrong}")
    if path.is_file():
        looked_at = SqliteStore(path, read_only=True)
        try:
            _check_version(looked_at, file, key, make=False)
            told = [*later(looked_at.engine), *told_of_plain(looked_at, key)]
        except (DBAPIError, sqlite3.Error) as error:
            raise refusal(file, f"`{path}` cannot be used: {unusable(path, error)}") from error
        finally:
            looked_at.close()
        if wrong := readable_by_others(path) or also_named(path):
            raise refusal(file, f"`{path}` {wrong}")
        return told
    return []


def later(engine: Engine) -> list[str]:
    """What is to be known of a store at a later step than this version's; of any other nothing."""
    with engine.connect() as connection:
        found = schema.version(connection)
    return [found.served()] if found.later else []


def _check_version(
    store: Sealable, file: str, key: StoreKey | None, *, make: bool = True, without: bool = False
) -> None:
    with store.engine.connect() as connection:
        found = schema.version(connection)
    if found.others:
        raise refusal(file, found.foreign())
    if found.number is None:
        if make:
            schema.migrate(store.engine, metadata)
        else:
            return
    elif not found.known:
        raise refusal(file, found.newer())
    elif found.number < schema.LATEST:
        raise _of_before(found, file)
    unlock(store, key, file, new=make, without=without)


def _of_before(found: schema.Version, file: str) -> ConfigurationError:
    return refusal(
        file,
        f"its tables are of step {found.number}, and this version needs {schema.LATEST}; make a backup, and run"
        f" `dutybound store migrate --config {file}` (with `--plan` it prints whether gateways have to be stopped)",
    )


def as_it_stands(url: str, file: str) -> SqliteStore | PostgresStore:
    """The store, whatever its version and whether its rows are sealed or not."""
    parsed = _url(url, file)
    if parsed.get_backend_name() != "postgresql":
        return _sqlite(sqlite_path(url, file), file)
    from gateway.storage.engines.postgresql import PostgresStore

    return PostgresStore(parsed)


def open_to_read(url: str, file: str = "gateway.yaml", key: StoreKey | None = None, *, without: bool = False) -> Store:
    """Open an existing store to read from, as auditors do; raises `ConfigurationError` where it is none.

    `without`: it may be one whose rows are sealed by a key that the reader has not (`Reader.locked`).
    """
    if _url(url, file).get_backend_name() == "sqlite":
        return open_copy(sqlite_path(url, file), key, without=without)
    return _open_postgresql(url, file, None, key, make=False, without=without)


def read_configured(settings: Settings) -> Store:
    """Open the store that `gateway.yaml` names to read from, as `open_to_read` does."""
    file = str(settings.file)
    with placing(settings):
        if _url(settings.store, file).get_backend_name() == "sqlite":
            return open_copy(sqlite_path(settings.store, file), settings.store_key, config=file)
        return open_to_read(settings.store, file, settings.store_key)


def not_made(path: Path) -> bool:
    """Whether there is no SQLite store at a path: no file, or one without any table yet, as while a store is made."""
    if not path.is_file():
        return not path.exists()
    store = SqliteStore(path, read_only=True)
    try:
        with store.engine.connect() as connection:
            return schema.version(connection) == schema.Version(None)
    except (DBAPIError, sqlite3.Error):
        return False  # whoever opens it says why
    finally:
        store.close()


def open_copy(path: Path, key: StoreKey | None = None, *, without: bool = False, config: str = "") -> SqliteStore:
    """Open an existing SQLite store for reading only, as `open_to_read` does; `config` names it, where any does."""
    try:
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        store = SqliteStore(path, read_only=True)
        connection = store.connect()
        try:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()
    except (OSError, sqlite3.Error, StoreUnavailable) as error:
        why = unusable(path, error)
        raise ConfigurationError([Problem(str(path), 0, 0, "", f"cannot be read as a store ({why})")]) from error
    if "entry" not in names or "shard" not in names:
        raise ConfigurationError([Problem(str(path), 0, 0, "", "holds no ledger; name the gateway's store file")])
    with store.engine.connect() as checked:
        found = schema.version(checked)
    if not found.known:
        raise ConfigurationError([Problem(str(path), 0, 0, "", found.newer())])
    if found.number is None or found.number < schema.LATEST:
        older = (
            f"its tables are of step {found.number}, and this version reads {schema.LATEST}; bring a copy of it there"
        )
        copied = ConfigurationError([Problem(str(path), 0, 0, "", f"{older} with `dutybound store migrate`")])
        raise _of_before(found, config) if config else copied
    with _closed_where_refused(store):
        unlock(store, key, str(path), without=without)
    return store
