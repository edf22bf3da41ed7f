"""The key outside the store: whoever has it unwraps one key of the store, once at a start and never for an inquiry.

A key file has one line per key, the base64 of 32 bytes; empty lines and `#` comments stand between. The first wraps. A
second is there while the first is on its way to replace it, so that a rotation that was interrupted is no loss.
Wrapping is AES key wrap (RFC 3394).

`Wrapping` is all that a store asks for. What `store_key_command` prints has the same form
(`gateway.storage.sealing.outside`).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.errors import ConfigurationError, Problem
from gateway.files import new_file, readable_by_others, replace_file

SIZE = 32
_ABOUT = b"# The key that unwraps a store's own keys (`store_key_file`). Without it nothing in the store can be read.\n"


NO_KEYS = "holds no key of a store (the base64 of 32 bytes per line), as `dutybound store key` writes it"
"""Before what `decoded` found wrong."""


class Kind(NamedTuple):
    """What to report of a file of keys that is `missing`, and of one that is `empty` of them; both with the fix."""

    missing: str
    empty: str


OF_STORE = Kind(
    "the key of the store is missing. Nothing was changed; put it back, or make one for a new store with"
    " `dutybound store key`",
    NO_KEYS,
)
OF_BACKUP = Kind(
    "the key of the backup is missing. Put it back, or name it",
    "holds no key of a backup (the base64 of 32 bytes in a line), as `dutybound backup --key` writes it",
)
OF_SECRETS = Kind(
    "put it back, or make one with `dutybound keys secrets`: who is signed in then signs in again",
    "holds no secrets (the base64 of 32 bytes per line), as `dutybound keys secrets` writes them",
)


class NotWrapped(ValueError):
    """What was to be unwrapped was not wrapped by this key."""


class Wrapping(Protocol):
    """A key that stands outside the store."""

    @property
    def name(self) -> str:
        """A name for it that reveals nothing of it."""

    def wrap(self, key: bytes) -> bytes:
        """Wrap a key of 32 bytes."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap it; raises `NotWrapped`."""


class KeyFile:
    """The keys of a file, the one that wraps first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    @property
    def name(self) -> str:
        """The first 8 hexadecimal digits of a digest of the key."""
        return hashlib.sha256(b"dutybound store key " + self._keys[0]).hexdigest()[:8]

    def wrap(self, key: bytes) -> bytes:
        """See `Wrapping`."""
        return aes_key_wrap(self._keys[0], key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """See `Wrapping`."""
        for each in self._keys:
            try:
                return aes_key_unwrap(each, wrapped)
            except (InvalidUnwrap, ValueError):
                continue
        raise NotWrapped

    def followed_by_its_next(self) -> KeyFile:
        """The same with a new key before them."""
        return KeyFile((os.urandom(SIZE), *self._keys))

    def first_alone(self) -> KeyFile:
        """The first key, without those that it replaced."""
        return KeyFile(self._keys[:1])

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All of them, the first one first."""
        return self._keys

    @property
    def several(self) -> bool:
        """Whether a rotation was interrupted."""
        return len(self._keys) > 1

    def encode(self) -> bytes:
        """The file."""
        return _ABOUT + b"".join(base64.b64encode(key) + b"\n" for key in self._keys)


def generate(path: Path) -> KeyFile:
    """Make a key and a new file of mode 0600; raises `ConfigurationError` where the file exists already."""
    made = KeyFile((os.urandom(SIZE),))
    try:
        new_file(path, made.encode())
    except FileExistsError as error:
        raise _refusal(path, "exists already; a key is never overwritten") from error
    except OSError as error:
        raise _refusal(path, f"cannot be written ({error.strerror})") from error
    return made


def replace(path: Path, keys: KeyFile) -> None:
    """Write a key file anew, whole or not at all; raises `ConfigurationError`.

    What a writer that was killed left beside it holds keys too, and goes; copies that somebody made stay.
    """
    try:
        replace_file(path, keys.encode())
    except OSError as error:
        raise _refusal(path, f"cannot be written ({error.strerror})") from error


def load(path: Path, kind: Kind = OF_STORE) -> KeyFile:
    """Read a key file of this kind; refuses one that others may read. Raises `ConfigurationError` with the fix."""
    try:
        if wrong := readable_by_others(path):
            raise _refusal(path, wrong)
        content = path.read_bytes()
    except OSError as error:
        raise _refusal(
            path,
            f"cannot be read ({error.strerror}): {kind.missing}",
        ) from error
    try:
        return decoded(content)
    except ValueError as error:
        raise _refusal(path, f"{kind.empty}: {error}. Put the whole file back, and make no other") from error


def decoded(content: bytes) -> KeyFile:
    """The keys that a file has, or what a command printed; raises `ValueError` with what is wrong where that is none.

    Nothing of the content is in the message.
    """
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in ASCII") from error
    keys = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        try:
            keys.append(base64.b64decode(line, validate=True))
        except ValueError as error:
            raise ValueError(f"line {number} is no base64, or was cut short") from error
        if len(keys[-1]) != SIZE:
            raise ValueError(f"line {number} has {len(keys[-1])} bytes in base64, and a key has {SIZE}")
    if not keys:
        raise ValueError("it has comments alone" if content.strip() else "it is empty")
    return KeyFile(keys)


def _refusal(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 0, 0, "", message)])
