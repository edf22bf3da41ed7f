"""Opening a store whose rows are sealed: with the key outside it, or not at all.

A store that was just made is sealed from its first row on where a key is named; one that was written plain stays so
until `dutybound store migrate --finish` (`gateway.storage.keys.finishing`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from gateway.config.store_key import StoreKey
from gateway.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.storage import schema
from gateway.storage.keys import converting, secret
from gateway.storage.keys.secret import Kept
from gateway.storage.sealing import columns, outside
from gateway.storage.sealing.key_file import NotWrapped, Wrapping
from gateway.storage.sealing.vault import DataKeys, Vault, new_keys
from gateway.storage.tables import shard


class Sealable(Protocol):
    """A store, as far as its rows can be sealed. `locked`: they are, and nobody has the key."""

    vault: Vault | None
    locked: bool

    @property
    def engine(self) -> Engine: ...


def unlock(store: Sealable, key: StoreKey | None, file: str, *, new: bool = False, without: bool = False) -> None:
    """Give a store what seals and opens its rows, by the key outside it; nothing where its rows stand as they are.

    `new`: where nothing was entered yet, its rows are sealed from now on. `without`: it may be opened without a key, to
    read what needs none. Raises `ConfigurationError` with the fix, and `StoreUnavailable` where its rows are sealed by
    keys that are gone; nothing was changed then.
    """
    with store.engine.connect() as connection:
        row = secret.kept(connection)
        if row is None:
            secret.see_plain(connection)
        empty = row is None and new and connection.execute(select(shard.c.id).limit(1)).first() is None
    if row is None and key is not None and empty:
        row = _begun(store.engine, outside.load(key, file))
    if row is None:
        return
    if row.state != secret.SEALED:
        raise _refusal(file, key, secret.unfinished(row.state))
    if key is None and without:
        store.locked = True
        return
    _give(store, Vault(keys_of(row, key, file), lambda: _now(store.engine, key, file)))


def _give(store: Sealable, vault: Vault) -> None:
    store.vault = vault
    columns.keep(store.engine, vault)


def _now(engine: Engine, key: StoreKey | None, file: str) -> DataKeys:
    with engine.connect() as connection:
        row = secret.kept(connection)
    assert row is not None, "it is never removed"
    if row.state == secret.RENAMING:  # the newest key of names is for nobody else yet
        raise StoreUnavailable(f"the store cannot be used: {secret.unfinished(row.state)}")
    return keys_of(row, key, file)


def keys_of(row: Kept, key: StoreKey | None, file: str) -> DataKeys:
    """The data keys of a row; raises `ConfigurationError` where the key outside is missing, or another's."""
    if key is None:
        raise _refusal(file, key, f"its rows are sealed by the key `{row.name}`: name its file with `store_key_file`")
    with contextlib.suppress(NotWrapped):
        return row.opened(outside.load(key, file))
    by = outside.load(key, file, again=True)  # it was changed since a command was asked
    try:
        return row.opened(by)
    except NotWrapped as error:
        there, fix = "holds", "name the right file, or put back the copy that was kept of it"
        if not isinstance(key, Path):
            there, fix = "prints", "have the command print the right one"
        raise _refusal(
            file,
            key,
            f"its rows are sealed by the key `{row.name}`, and {outside.shown(key)} {there} the key `{by.name}`; {fix}",
        ) from error


def told_of_plain(store: Sealable, key: StoreKey | None) -> list[str]:
    """The message about a store whose rows are not sealed, though there is a key for it."""
    with store.engine.connect() as connection:
        made = schema.version(connection).number is not None  # a new store is sealed from its first row on
    if key is None or store.vault is not None or not made:
        return []
    return [
        f"`{outside.setting(key)}` names a key, and the store's rows are not sealed by it: run `dutybound store migrate"
        " --finish`, once no gateway of an earlier version is to serve it any more"
    ]


def _begun(engine: Engine, by: Wrapping) -> Kept | None:
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


def _refusal(file: str, key: StoreKey | None, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, 0, 0, outside.setting(key), message)])
