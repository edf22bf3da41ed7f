"""Payloads beside the leaf, encrypted by keys that can be destroyed.

The general parts of an entry are sealed by the key of their shard's day, each on its own:

    nonce (12 bytes) || AES-256-GCM( period key, nonce, salt (32 bytes) || part, associated data )

with the associated data `told` or `over` in ASCII and the entry's id (8 bytes, big-endian). What it says of one subject
is a segment, sealed by that subject's key in that shard; an entry's segments stand one behind the other:

    key's id (8) || told subject digest (32) || oversight subject digest (32) || length of what follows (4) ||
    nonce (12) || AES-256-GCM( subject key, nonce, told salt (32) || oversight salt (32) || length of the told part (4)
                               || told part || oversight part, associated data )

with the associated data `subj`, the entry's id, the segment's place in it (2 bytes), and the key's id and digests that
stand before. So whatever is altered, or moved to another entry, place or column, does not open, and where the key was
destroyed the digests that the leaf commits to are left. A key's id is random: it links a subject's entries to each
other and, once its row was emptied, to nobody.

Nonces are random. A period key seals one shard's entries of one day: at 5,000 entries per second that is under 2^30
messages, well below where random 96-bit nonces might meet (2^32, NIST SP 800-38D). A subject's key seals less.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ledger.proof.leaf import SALT_SIZE, Part, Salted, subject_digest

NONCE_SIZE = 12
KEY_SIZE = 32
TOLD = b"told"
OVERSIGHT = b"over"

_SEGMENT = struct.Struct(">Q32s32sI")
_PLACED = struct.Struct(">4sQHQ32s32s")
_SALTS = 2 * SALT_SIZE
_new = tuple.__new__  # a named tuple's own constructor is a Python function, and every entry has four parts
_LAST_KEY, _LAST_PLACE = 2**63 - 1, 2**16 - 1


class Segment(NamedTuple):
    """What an entry has about one subject, sealed: its key's id, and the digests of its two parts."""

    key: int
    told: bytes
    oversight: bytes
    sealed: bytes


def seal(key: AESGCM, nonce: bytes, part: Salted, which: bytes, entry: int) -> bytes:
    """Seal a general part."""
    salt, body = part
    return nonce + key.encrypt(nonce, salt + body, which + entry.to_bytes(8, "big"))


def unseal(key: AESGCM, sealed: bytes, which: bytes, entry: int) -> Part:
    """Open a general part; raises `ValueError` where it was altered, moved or sealed by another key."""
    plain = _open(key, sealed, which + entry.to_bytes(8, "big"))
    if len(plain) < SALT_SIZE:
        raise ValueError("its payload is cut short")
    return _new(Part, (plain[:SALT_SIZE], plain[SALT_SIZE:]))


def seal_subject(
    key: tuple[int, AESGCM], nonce: bytes, told: Salted, oversight: Salted, entry: int, place: int
) -> tuple[bytes, bytes, bytes]:
    """Seal both parts of one subject by a key and its id; gives the digests of both, and the segment as it is laid."""
    id_, cipher = key
    (salt, body), (other_salt, other) = told, oversight
    digest, other_digest = subject_digest(salt, body), subject_digest(other_salt, other)
    plain = b"".join((salt, other_salt, len(body).to_bytes(4, "big"), body, other))
    sealed = cipher.encrypt(nonce, plain, _PLACED.pack(b"subj", entry, place, id_, digest, other_digest))
    head = _SEGMENT.pack(id_, digest, other_digest, NONCE_SIZE + len(sealed))
    return digest, other_digest, b"".join((head, nonce, sealed))


def unseal_subject(key: AESGCM, segment: Segment, entry: int, place: int) -> tuple[Part, Part]:
    """The told and the oversight part of one subject; raises `ValueError` as `unseal` does."""
    plain, end = _open_segment(key, segment, entry, place)
    told, oversight = plain[_SALTS + 4 : end], plain[end:]
    return _new(Part, (plain[:SALT_SIZE], told)), _new(Part, (plain[SALT_SIZE:_SALTS], oversight))


def told_of_subject(key: AESGCM, segment: Segment, entry: int, place: int) -> bytes:
    """The first part of `unseal_subject`, without its salt; raises `ValueError` as `unseal` does."""
    plain, end = _open_segment(key, segment, entry, place)
    return plain[_SALTS + 4 : end]


def oversight_of_subject(key: AESGCM, segment: Segment, entry: int, place: int) -> bytes:
    """The second part of `unseal_subject`, without its salt; raises `ValueError` as `unseal` does."""
    plain, end = _open_segment(key, segment, entry, place)
    return plain[end:]


def _open_segment(key: AESGCM, segment: Segment, entry: int, place: int) -> tuple[bytes, int]:
    """What stands in a segment, and where its told part ends."""
    id_, told_digest, oversight_digest, sealed = segment
    plain = _open(key, sealed, _PLACED.pack(b"subj", entry, place, id_, told_digest, oversight_digest))
    end = _SALTS + 4 + int.from_bytes(plain[_SALTS : _SALTS + 4], "big")
    if len(plain) < end:
        raise ValueError("its payload is cut short")
    return plain, end


def segments(laid: bytes) -> list[Segment]:
    """An entry's segments; raises `ValueError` where they were altered."""
    found: list[Segment] = []
    at = 0
    while at < len(laid):
        if len(laid) - at < _SEGMENT.size:
            raise ValueError("its part about its subjects is cut short")
        key, told, oversight, length = _SEGMENT.unpack_from(laid, at)
        if key > _LAST_KEY or len(found) > _LAST_PLACE:
            raise ValueError("its part about its subjects was altered: there is no such key or place")
        at += _SEGMENT.size
        found.append(_new(Segment, (key, told, oversight, laid[at : at + length])))
        at += length
    if at != len(laid):
        raise ValueError("its part about its subjects is cut short")
    return found


def _open(key: AESGCM, sealed: bytes, associated: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], associated)
    except (InvalidTag, ValueError) as error:
        raise ValueError("its payload does not open with its key; it was altered") from error
