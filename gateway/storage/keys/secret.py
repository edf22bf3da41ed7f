"""The one row that a store's data keys stand in, wrapped by a key outside it; and whether the store's rows are sealed.

    root: 32 bytes, wrapped from outside (`Wrapping`)
    sealed: nonce (12) || AES-256-GCM( root, nonce, the data keys as JSON, "dutybound data keys" )

A store without that row is *plain*: its values stand as they are, and a version before this one can serve beside. It is
*sealing* while `dutybound store migrate --finish` is at it, and may be used by nobody else. Then it is *sealed*: every
value of a column that can be sealed is. It is *renaming* while `dutybound store rotate --names` is at it: each name is
sealed by one of two keys, and again nobody else may use it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Integer, func, insert, select, update

from gateway.errors import StoreUnavailable
from gateway.storage.schema import names_of
from gateway.storage.sealing.key_file import Wrapping
from gateway.storage.sealing.vault import DataKeys
from gateway.storage.tables import period_key, store_secret

SEALING, SEALED, RENAMING = "sealing", "sealed", "renaming"
KEY_SIZE = 32
"""Bytes of a day's key as it is in a plain store."""
_NONCE = 12
_BYTES = (bytes, memoryview)
_PURPOSE = b"dutybound data keys"


class Kept(NamedTuple):
    """The row of `store_secret`, but for its id."""

    state: str
    name: str
    root: bytes
    sealed: bytes

    def opened(self, by: Wrapping) -> DataKeys:
        """The data keys; raises `NotWrapped` where another key wrapped them, `StoreUnavailable` for altered ones."""
        root = by.unwrap(self.root)
        try:
            plain = AESGCM(root).decrypt(self.sealed[:_NONCE], self.sealed[_NONCE:], _PURPOSE)
        except (InvalidTag, ValueError) as error:
            raise StoreUnavailable("the store's keys do not open (`store_secret`): the row was altered") from error
        return msgspec.json.decode(plain, type=DataKeys)


def kept(connection: Connection) -> Kept | None:
    """The row; None in a plain store, and in one of a version that has no such table.

    Raises `StoreUnavailable` where it was altered.
    """
    if "store_secret" not in names_of(connection):
        return None
    row = connection.execute(select(*(store_secret.c[name] for name in Kept._fields))).first()
    if row is None:
        return None
    if not all(isinstance(each, str) for each in row[:2]) or not all(isinstance(each, _BYTES) for each in row[2:]):
        raise StoreUnavailable("the store's keys cannot be read (`store_secret`): the row was altered")
    return Kept(row[0], row[1], bytes(row[2]), bytes(row[3]))


def see_plain(connection: Connection) -> None:
    """Raise `StoreUnavailable` where a store without the row has values that are sealed: its keys are gone.

    Keys of days are sealed before anything else is (`converting.seal_all`), and a sealed one is longer.
    """
    if "period_key" not in names_of(connection):
        return  # its tables are not made yet
    sealed = func.length(period_key.c.secret, type_=Integer) > KEY_SIZE
    if connection.execute(select(period_key.c.id).where(sealed).limit(1)).first() is not None:
        raise StoreUnavailable(
            "the store's values are sealed, and the row with their keys (`store_secret`) is gone. Nothing was changed;"
            " restore a backup, or put that row back from one of the same store"
        )


def wrapped(state: str, keys: DataKeys, by: Wrapping) -> Kept:
    """A row that has these keys."""
    root, nonce = os.urandom(32), os.urandom(_NONCE)
    sealed = nonce + AESGCM(root).encrypt(nonce, msgspec.json.encode(keys), _PURPOSE)
    return Kept(state, by.name, by.wrap(root), sealed)


def begin(connection: Connection, row: Kept) -> None:
    """Insert the row; fails where there is one."""
    connection.execute(insert(store_secret).values(id=1, **row._asdict()))


def replaced(connection: Connection, before: Kept, after: Kept) -> bool:
    """Whether the row could be replaced: it still was as `before`."""
    same = [store_secret.c[name] == value for name, value in before._asdict().items()]
    return connection.execute(update(store_secret).where(*same).values(**after._asdict())).rowcount == 1


def unfinished(state: str) -> str:
    """Why a store of a state other than *sealed* is refused, and what to do."""
    if state == RENAMING:
        return "its key of names is being changed, and that is not finished; run `dutybound store rotate --names` again"
    return "its rows are being sealed, and that is not finished; run `dutybound store migrate --finish` again"
