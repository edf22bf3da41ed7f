"""The data keys of one store, and what they make of a value.

A *name* is sealed by AES-SIV (RFC 5297) without a nonce: the same value of the same purpose gives the same bytes, whose
first 16 are a keyed digest of it. So rows are found by a name, and nobody without the key finds a name by trying.
Everything else has a random nonce. The purpose is authenticated with it, so that nothing opens in the place of
another. The first byte is the version of the key:

    name:   version (1) || AES-SIV( names key, value, [ "name", purpose ] )
    secret: version (1) || nonce (16) || AES-SIV( secrets key, 00 || value, [ "secret", purpose, nonce ] )

In a column of text stands `~` and the URL-safe base64 of that, without padding.

The newest version seals. One that is not known opens once `renew` was asked for the keys: another process may have made
it meanwhile.
"""

from __future__ import annotations

import base64
import functools
import os
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.errors import StoreUnavailable

KEY_SIZE = 64
MARK = "~"
_NONCE = 16
_FILLED = b"\0"
_LAST = 255
_LATELY = 64
"""Names kept sealed: an inquiry's subject is sealed for each table that is asked or written."""


class DataKeys(msgspec.Struct, frozen=True):
    """The keys of a store by their versions: of names, and of everything else."""

    names: dict[int, bytes]
    secrets: dict[int, bytes]

    def with_another(self) -> DataKeys:
        """The same with a new key for secrets. Raises `OverflowError` where there was the last one."""
        return DataKeys(self.names, _followed(self.secrets))

    def with_another_of_names(self) -> DataKeys:
        """The same with a new key for names. Raises `OverflowError` where there was the last one."""
        return DataKeys(_followed(self.names), self.secrets)

    def with_newest_of_names(self) -> DataKeys:
        """The same without the keys for names that were replaced."""
        newest = max(self.names)
        return DataKeys({newest: self.names[newest]}, self.secrets)

    def without_newest_of_names(self) -> DataKeys:
        """The same without the newest key for names."""
        newest = max(self.names)
        return DataKeys({version: key for version, key in self.names.items() if version != newest}, self.secrets)


def _followed(keys: dict[int, bytes]) -> dict[int, bytes]:
    version = max(keys) + 1
    if version > _LAST:
        raise OverflowError(f"the key of version {_LAST} is the last one")
    return {**keys, version: os.urandom(KEY_SIZE)}


def new_keys() -> DataKeys:
    """Keys of a store's own."""
    return DataKeys({1: os.urandom(KEY_SIZE)}, {1: os.urandom(KEY_SIZE)})


class Vault:
    """Seals and opens by a store's keys. `renew` gives the keys as they are now."""

    name: Callable[[str, str], str]
    """Seals a name for a purpose: the same each time."""

    def __init__(self, keys: DataKeys, renew: Callable[[], DataKeys] | None = None) -> None:
        self._renew = renew
        self._take(keys)

    def _take(self, keys: DataKeys) -> None:
        self._names = {version: AESSIV(key) for version, key in keys.names.items()}
        self._secrets = {version: AESSIV(key) for version, key in keys.secrets.items()}
        self._name_version, self._secret_version = max(keys.names), max(keys.secrets)
        self._name, self._secret = self._names[self._name_version], self._secrets[self._secret_version]
        self.name = functools.lru_cache(_LATELY)(self._named)

    def _named(self, purpose: str, value: str) -> str:
        if not value:
            return value  # AES-SIV of nothing is no digest; and it says nothing
        return _text(self._name_version, self._name.encrypt(value.encode(), [b"name", purpose.encode()]))

    def name_opened(self, purpose: str, sealed: str) -> str:
        """What was sealed as a name; raises `StoreUnavailable` where that does not open."""
        if not sealed:
            return sealed
        version, body = self._parted(purpose, _bytes(purpose, sealed))
        return self._open(self._names, version, body, [b"name", purpose.encode()], purpose).decode()

    def secret(self, purpose: str, value: bytes) -> bytes:
        """Bytes, sealed for a purpose: others each time."""
        nonce = os.urandom(_NONCE)
        sealed = self._secret.encrypt(_FILLED + value, [b"secret", purpose.encode(), nonce])
        return bytes((self._secret_version,)) + nonce + sealed

    def secret_opened(self, purpose: str, sealed: bytes) -> bytes:
        """What was sealed; raises `StoreUnavailable` where that does not open."""
        version, body = self._parted(purpose, sealed)
        nonce, body = body[:_NONCE], body[_NONCE:]
        return self._open(self._secrets, version, body, [b"secret", purpose.encode(), nonce], purpose)[1:]

    def words(self, purpose: str, value: str) -> str:
        """As `secret`, of text."""
        sealed = self.secret(purpose, value.encode())
        return _text(sealed[0], sealed[1:])

    def words_opened(self, purpose: str, sealed: str) -> str:
        """As `secret_opened`, of text."""
        return self.secret_opened(purpose, _bytes(purpose, sealed)).decode()

    def newest_name(self, sealed: str) -> bool:
        """Whether this is sealed by the newest key of names."""
        return not sealed or _version(sealed) == self._name_version

    def newest_secret(self, sealed: bytes) -> bool:
        """Whether this is sealed by the newest key of secrets."""
        return sealed[:1] == bytes((self._secret_version,))

    def newest_words(self, sealed: str) -> bool:
        """As `newest_secret`, of text."""
        return _version(sealed) == self._secret_version

    def _parted(self, purpose: str, sealed: bytes) -> tuple[int, bytes]:
        if len(sealed) <= _NONCE:
            raise _damaged(purpose)
        return sealed[0], sealed[1:]

    def _cipher(self, of: dict[int, AESSIV], version: int, purpose: str) -> AESSIV:
        found = of.get(version)
        if found is None and self._renew is not None:
            names = of is self._names
            self._take(self._renew())
            found = (self._names if names else self._secrets).get(version)
        if found is None:
            raise _damaged(purpose)
        return found

    def _open(self, of: dict[int, AESSIV], version: int, body: bytes, with_: list[bytes], purpose: str) -> bytes:
        try:
            return self._cipher(of, version, purpose).decrypt(body, with_)
        except (InvalidTag, ValueError) as error:
            raise _damaged(purpose) from error


def _text(version: int, body: bytes) -> str:
    return MARK + base64.urlsafe_b64encode(bytes((version,)) + body).rstrip(b"=").decode()


def _bytes(purpose: str, sealed: object) -> bytes:
    if not isinstance(sealed, str) or not sealed.startswith(MARK) or not sealed.isascii():
        raise _damaged(purpose)
    try:
        return base64.urlsafe_b64decode(sealed[1:] + "=" * (-len(sealed[1:]) % 4))
    except ValueError as error:
        raise _damaged(purpose) from error


def _version(sealed: str) -> int:
    try:
        return _bytes("", sealed)[0]
    except (StoreUnavailable, IndexError):
        return 0


def _damaged(purpose: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"a value of the store (`{purpose}`) does not open with the store's key: it was altered, or written by a"
        " program without that key"
    )
