"""Opening a store whose rows are sealed: with the key outside it, or not at all.

A store that was just made is sealed from its first row on where a key is named; one that was written plain stays so
until `dutybound store migrate --finish` (`gateway.storage.keys.finishing`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import ConfigurationError, Problem
from gateway.storage.keys import converting, secret
from gateway.storage.keys.secret import Kept
from gateway.storage.sealing import columns, key_file
from gateway.storage.sealing.key_file import NotWrapped
from gateway.storage.sealing.vault import DataKeys, Vault, new_keys
from gateway.storage.tables import shard

SETTING = "store_key_file"


class Sealable(Protocol):
    """A store, as far as its rows can be sealed. `locked`: they are, and nobody has the key."""

    vault: Vault | None
    locked: bool

    @property
    def engine(self) -> Engine: ...


def unlock(store: Sealable, key: Path | None, file: str, *, new: bool = False, without: bool = False) -> None:
    """Give a store what seals and opens its rows, by a key file; nothing where its rows stand as they are.

    `new`: where nothing was entered yet, its rows are sealed from now on. `without`: it may be opened without a key, to
    read what needs none. Raises `ConfigurationError` with the fix; nothing was changed then.
    """
    with store.engine.connect() as connection:
        row = secret.kept(connection)
        empty = row is None and new and connection.execute(select(shard.c.id).limit(1)).first() is None
    if row is None and key is not None and empty:
        row = _begun(store.engine, key_file.load(key))
    if row is None:
        return
    if row.state != secret.SEALED:
        raise _refusal(
            file,
            "its rows are being sealed, and that has not come to its end; run `dutybound store migrate --finish` again",
        )
    if key is None and without:
        store.locked = True
        return
    _give(store, Vault(keys_of(row, key, file), lambda: _now(store.engine, key, file)))


def _give(store: Sealable, vault: Vault) -> None:
    store.vault = vault
    columns.keep(store.engine, vault)


def _now(engine: Engine, key: Path | None, file: str) -> DataKeys:
    with engine.connect() as connection:
        row = secret.kept(connection)
    assert row is not None, "it is never removed"
    return keys_of(row, key, file)


def keys_of(row: Kept, key: Path | None, file: str) -> DataKeys:
    """The data keys of a row; raises `ConfigurationError` where the key file is away, or another's."""
    if key is None:
        raise _refusal(file, f"its rows are sealed by the key `{row.name}`: name its file with `{SETTING}`")
    by = key_file.load(key)
    try:
        return row.opened(by)
    except NotWrapped as error:
        raise _refusal(
            file,
            f"its rows are sealed by the key `{row.name}`, and `{key}` holds the key `{by.name}`; name the right file,"
            " or put back the copy that was kept of it",
        ) from error


def _begun(engine: Engine, by: key_file.Wrapping) -> Kept | None:
    """Seal a store in which nothing was entered yet; the row that then stands, whoever was first."""
    keys = new_keys()
    made = secret.wrapped(secret.SEALED, keys, by)
    try:
        with engine.begin() as connection:
            secret.begin(connection, made)
            converting.seal_new(connection, Vault(keys))
    except IntegrityError:
        with engine.connect() as connection:
            return secret.kept(connection)
    return made


def _refusal(file: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, 0, 0, SETTING, message)])
