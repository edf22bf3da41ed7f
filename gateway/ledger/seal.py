"""Payloads beside the leaf, encrypted by a key that can be destroyed.

A sealed part is

    nonce (12 bytes) || AES-256-GCM( period key, nonce, salt (32 bytes) || part, associated data )

with the associated data `told` or `over` in ASCII and the entry's id (8 bytes, big-endian), so that a sealed part moved
to another entry or column does not open. Nonces are random. A key seals one shard's entries of one day: at 5,000
entries a second that is under 2^30 messages, well below where random 96-bit nonces might meet (2^32, NIST SP 800-38D).
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ledger.leaf import SALT_SIZE

NONCE_SIZE = 12
KEY_SIZE = 32
TOLD = b"told"
OVERSIGHT = b"over"


class Part(NamedTuple):
    """An opened part: its salt, and the bytes that the entry says."""

    salt: bytes
    body: bytes


def seal(key: AESGCM, nonce: bytes, salt: bytes, body: bytes, which: bytes, entry: int) -> bytes:
    return nonce + key.encrypt(nonce, salt + body, which + entry.to_bytes(8, "big"))


def unseal(key: AESGCM, sealed: bytes, which: bytes, entry: int) -> Part:
    """Open a sealed part; raises `ValueError` where it was altered, moved or sealed by another key."""
    try:
        plain = key.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], which + entry.to_bytes(8, "big"))
    except (InvalidTag, ValueError) as error:
        raise ValueError("its payload does not open with its key; it was altered") from error
    if len(plain) < SALT_SIZE:
        raise ValueError("its payload is cut short")
    return Part(plain[:SALT_SIZE], plain[SALT_SIZE:])
