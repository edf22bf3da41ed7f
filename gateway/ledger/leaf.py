"""The leaf: 32 bytes that commit to two separately salted parts. Pure. Version 1, which never changes:

    told digest      = SHA-256( "dutybound/told/v1\\n"      || salt (32 bytes) || told bytes )
    oversight digest = SHA-256( "dutybound/oversight/v1\\n" || salt (32 bytes) || oversight bytes )
    leaf             = SHA-256( "dutybound/leaf/v1\\n"      || told digest (32) || oversight digest (32) )
    leaf hash        = SHA-256( 0x00 || leaf )                                   (RFC 9162, `merkle.leaf_hash`)

and, inside what was told, for the answer's data:

    data digest      = SHA-256( "dutybound/data/v1\\n"      || salt (32 bytes) || data bytes )

The prefixes are ASCII, and \\n is the byte 0x0A. Each prefix, salt and digest has a fixed length, so no two different
inputs are laid out as the same bytes; no prefix begins another. Each part has a salt of its own, of 256 random bits:
opening one part tells nothing of the other, and a leaf tells nothing at all.

A receipt's `extra` opens the first part. Version 1:

    0x01 || told salt (32 bytes) || oversight digest (32 bytes) || told bytes (to the end)
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

_sha256 = hashlib.sha256

TOLD_PREFIX = b"dutybound/told/v1\n"
OVERSIGHT_PREFIX = b"dutybound/oversight/v1\n"
LEAF_PREFIX = b"dutybound/leaf/v1\n"
DATA_PREFIX = b"dutybound/data/v1\n"
EXTRA_VERSION = b"\x01"
SALT_SIZE = 32


def told_digest(salt: bytes, told: bytes) -> bytes:
    return _sha256(TOLD_PREFIX + salt + told).digest()


def oversight_digest(salt: bytes, oversight: bytes) -> bytes:
    return _sha256(OVERSIGHT_PREFIX + salt + oversight).digest()


def data_digest(salt: bytes, data: bytes) -> bytes:
    """The digest of an answer's `data` member, exactly as its bytes were sent."""
    return _sha256(DATA_PREFIX + salt + data).digest()


def commit(told_digest: bytes, oversight_digest: bytes) -> bytes:
    """The leaf."""
    return _sha256(LEAF_PREFIX + told_digest + oversight_digest).digest()


class Opening(NamedTuple):
    """What a receipt's `extra` says: the told part with its salt, and the other part's digest."""

    salt: bytes
    oversight: bytes
    told: bytes

    @property
    def leaf(self) -> bytes:
        return commit(told_digest(self.salt, self.told), self.oversight)

    def encode(self) -> bytes:
        return b"".join((EXTRA_VERSION, self.salt, self.oversight, self.told))


def open_extra(extra: bytes) -> Opening:
    """Read a receipt's `extra`; raises `ValueError` that says what is wrong with it."""
    if extra[:1] != EXTRA_VERSION:
        raise ValueError("its `extra` is of an unknown version")
    if len(extra) < 1 + 2 * SALT_SIZE:
        raise ValueError("its `extra` is cut short")
    return Opening(extra[1:33], extra[33:65], extra[65:])
