"""A backup's copy sealed by a key made for it, so that the copy ends with the key, wherever it was carried.

The keys of a store outlive a backup: a later rotation wraps or replaces them, and whoever has the store as it is now
still opens an older copy by them. A file of a key that is for backups alone can be destroyed. From then on the copy
opens nowhere, whatever keys of the gateway are at hand.

    sealed: magic (16) || salt (32) || pieces
    piece:  AES-256-GCM( key, nonce, at most 1 MiB of the copy ), nonce: number of the piece (11 bytes) || 1 if last

with the key made of the file's by HKDF-SHA-256 and the salt. So one file may seal several backups, and no piece can be
left out, moved, or come from another.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import CommandRefused
from gateway.files import new_file
from gateway.storage.sealing import key_file

_MAGIC = b"dutybound.copy/1"
_SALT = 32
_PIECE = 1 << 20
_TAG = 16
_ABOUT = b"# The key of backups that were made with `--key`. Destroy it when they are to end.\n"


def key_of(file: Path, *, make: bool = False) -> bytes:
    """The key in a file; with `make`, of a new file of mode 0600 where there is none.

    Raises `ConfigurationError` for one that cannot be used, `CommandRefused` where there is none, or none is made.
    """
    if make and not os.path.lexists(file):
        try:
            new_file(file, _ABOUT + base64.b64encode(os.urandom(key_file.SIZE)) + b"\n")
        except OSError as error:
            raise CommandRefused(f"`{file}` cannot be written ({error.strerror}); no backup was made") from error
    if not file.is_file():
        raise CommandRefused(
            f"`{file}` cannot be read as the key of a backup: it is no file. Put that key back, or name it"
        )
    return key_file.load(file, key_file.OF_BACKUP).keys[0]


def seal(key: bytes, plain: Path, sealed: Path) -> None:
    """Write a file's content into a new file, sealed, for its owner only; raises `OSError`."""
    salt = os.urandom(_SALT)
    cipher = _cipher(key, salt)
    with (
        plain.open("rb") as source,
        os.fdopen(os.open(sealed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
    ):
        to.write(_MAGIC + salt)
        for number, (piece, last) in enumerate(_pieces(source, _PIECE)):
            to.write(cipher.encrypt(_nonce(number, last), piece, None))
        to.flush()
        os.fsync(to.fileno())


def unseal(key: bytes, sealed: Path, plain: Path) -> None:
    """The inverse of `seal`; raises `OSError`, `CommandRefused` where the key is another or it was altered."""
    with (
        sealed.open("rb") as source,
        os.fdopen(os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
    ):
        head = source.read(len(_MAGIC) + _SALT)
        if not head.startswith(_MAGIC) or len(head) != len(_MAGIC) + _SALT:
            raise CommandRefused(f"`{sealed}` is no sealed copy; use another backup")
        cipher = _cipher(key, head[len(_MAGIC) :])
        try:
            for number, (piece, last) in enumerate(_pieces(source, _PIECE + _TAG)):
                to.write(cipher.decrypt(_nonce(number, last), piece, None))
        except InvalidTag as error:
            raise CommandRefused(
                f"`{sealed}` does not open: it was sealed by another key than the one in the file of `--key`, or was"
                " altered. Nothing was changed"
            ) from error


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"dutybound backup").derive(key))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


def _pieces(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    piece = source.read(size)
    while True:
        following = source.read(size)
        yield piece, not following
        if not following:
            return
        piece = following
