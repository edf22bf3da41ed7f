"""The leaf: 32 bytes that commit to separately salted parts. Pure. Two versions, which never change.

Version 2, which is written. What an entry says is in two sides: `told`, what the requester was told, and `oversight`,
what only oversight may open. Each has a general part, and one part for every subject that the entry names:

    general digest   = SHA-256( "dutybound/general/v2\\n"   || salt (32 bytes) || general bytes )
    subject digest   = SHA-256( "dutybound/subject/v2\\n"   || salt (32 bytes) || subject bytes )
    told digest      = SHA-256( "dutybound/told/v2\\n"      || general digest || subject digest || ... )
    oversight digest = SHA-256( "dutybound/oversight/v2\\n" || general digest || subject digest || ... )
    leaf             = SHA-256( "dutybound/leaf/v2\\n"      || told digest (32) || oversight digest (32) )

Version 1, in which each side is one part:

    told digest      = SHA-256( "dutybound/told/v1\\n"      || salt (32 bytes) || told bytes )
    oversight digest = SHA-256( "dutybound/oversight/v1\\n" || salt (32 bytes) || oversight bytes )
    leaf             = SHA-256( "dutybound/leaf/v1\\n"      || told digest (32) || oversight digest (32) )

The general part of `oversight` holds a digest of the ids of the subjects' keys (`gateway.ledger.stored.encryption`), 8
bytes each:

    keys digest      = SHA-256( "dutybound/keys/v2\\n"      || salt of that part (32 bytes) || id || id || ... )

and in both:

    leaf hash        = SHA-256( 0x00 || leaf )                                   (RFC 9162, `merkle.leaf_hash`)
    data digest      = SHA-256( "dutybound/data/v1\\n"      || salt (32 bytes) || data bytes )

The prefixes are ASCII, and \\n is the byte 0x0A. Each prefix, salt and digest has a fixed length, so no two different
inputs are laid out as the same bytes; no prefix begins another. Each part has a salt of its own, of 256 random bits:
opening one part tells nothing of the others, and a leaf tells nothing at all. So a subject's parts can be destroyed,
and the rest still be proved from their digests.

A receipt's `extra` opens the told side. Lengths are 4 bytes, big-endian:

    version 2:  0x02 || oversight digest (32) || part (general) || part (a subject's) || ...
                with part = 0x01 || salt (32) || length || bytes, or, of a subject that was erased, 0x00 || digest (32)
    version 1:  0x01 || told salt (32 bytes) || oversight digest (32 bytes) || told bytes (to the end)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

_sha256 = hashlib.sha256

TOLD_PREFIX = b"dutybound/told/v1\n"
OVERSIGHT_PREFIX = b"dutybound/oversight/v1\n"
LEAF_PREFIX = b"dutybound/leaf/v1\n"
DATA_PREFIX = b"dutybound/data/v1\n"
GENERAL_PREFIX = b"dutybound/general/v2\n"
SUBJECT_PREFIX = b"dutybound/subject/v2\n"
KEYS_PREFIX = b"dutybound/keys/v2\n"
TOLD_PREFIX_2 = b"dutybound/told/v2\n"
OVERSIGHT_PREFIX_2 = b"dutybound/oversight/v2\n"
LEAF_PREFIX_2 = b"dutybound/leaf/v2\n"
SALT_SIZE = 32

_VERSION_1, _VERSION_2 = b"\x01", b"\x02"
_OPEN, _ERASED = b"\x01", b"\x00"


Salted = tuple[bytes, bytes]
"""A part as a plain pair: its salt, and the entry's bytes."""


class Part(NamedTuple):
    """An opened part: its salt, and the entry's bytes."""

    salt: bytes
    body: bytes


class Side(NamedTuple):
    """One side of an entry, as far as it opens: of a subject that was erased only the digest is left.

    `subjects` is None in version 1, where `general` is all there is.
    """

    general: Part
    subjects: tuple[Part | bytes, ...] | None

    @property
    def bodies(self) -> tuple[bytes | None, ...] | None:
        """The subjects' bytes; None for one that was erased."""
        if self.subjects is None:
            return None
        return tuple(part.body if isinstance(part, Part) else None for part in self.subjects)


def general_digest(salt: bytes, body: bytes) -> bytes:
    return _sha256(GENERAL_PREFIX + salt + body).digest()


def subject_digest(salt: bytes, body: bytes) -> bytes:
    return _sha256(SUBJECT_PREFIX + salt + body).digest()


def keys_digest(salt: bytes, keys: Sequence[int]) -> bytes:
    """What the other side's general part has of its subjects' keys: their ids, by that part's own salt."""
    return _sha256(KEYS_PREFIX + salt + b"".join([key.to_bytes(8, "big") for key in keys])).digest()


def told_digest(side: Side) -> bytes:
    if side.subjects is None:
        return _sha256(TOLD_PREFIX + side.general.salt + side.general.body).digest()
    return told_digest_of(_digests(side))


def oversight_digest(side: Side) -> bytes:
    if side.subjects is None:
        return _sha256(OVERSIGHT_PREFIX + side.general.salt + side.general.body).digest()
    return oversight_digest_of(_digests(side))


def told_digest_of(digests: Sequence[bytes]) -> bytes:
    """The digest of a told side, from those of its parts, the general one first."""
    return _sha256(TOLD_PREFIX_2 + b"".join(digests)).digest()


def oversight_digest_of(digests: Sequence[bytes]) -> bytes:
    """The other side's digest, likewise."""
    return _sha256(OVERSIGHT_PREFIX_2 + b"".join(digests)).digest()


def _digests(side: Side) -> list[bytes]:
    salt, body = side.general
    made = [_sha256(GENERAL_PREFIX + salt + body).digest()]
    for part in side.subjects or ():
        if isinstance(part, Part):
            salt, body = part
            part = _sha256(SUBJECT_PREFIX + salt + body).digest()
        made.append(part)
    return made


def data_digest(salt: bytes, data: bytes) -> bytes:
    """The digest of an answer's `data` member, exactly as its bytes were sent."""
    return _sha256(DATA_PREFIX + salt + data).digest()


def commit(told_digest: bytes, oversight_digest: bytes) -> bytes:
    """The leaf of version 2."""
    return _sha256(LEAF_PREFIX_2 + told_digest + oversight_digest).digest()


class Opening(NamedTuple):
    """What a receipt's `extra` has: the told side, and the other side's digest."""

    told: Side
    oversight: bytes

    @property
    def leaf(self) -> bytes:
        if self.told.subjects is None:
            return _sha256(LEAF_PREFIX + told_digest(self.told) + self.oversight).digest()
        return commit(told_digest(self.told), self.oversight)

    def encode(self) -> bytes:
        general, subjects = self.told
        if subjects is None:
            return b"".join((_VERSION_1, general.salt, self.oversight, general.body))
        return write_extra(self.oversight, general, subjects)


def write_extra(oversight_digest: bytes, general: Salted, subjects: Sequence[Salted | bytes]) -> bytes:
    """A receipt's `extra`, version 2; of a subject that was erased, `subjects` has the digest."""
    laid = [_VERSION_2, oversight_digest]
    for part in (general, *subjects):
        if isinstance(part, bytes):
            laid += (_ERASED, part)
        else:
            salt, body = part
            laid += (_OPEN, salt, len(body).to_bytes(4, "big"), body)
    return b"".join(laid)


def open_extra(extra: bytes) -> Opening:
    """Read a receipt's `extra`; raises `ValueError` with what is wrong with it."""
    if extra[:1] == _VERSION_1:
        if len(extra) < 1 + 2 * SALT_SIZE:
            raise ValueError("its `extra` is cut short")
        return Opening(Side(Part(extra[1:33], extra[65:]), None), extra[33:65])
    if extra[:1] != _VERSION_2:
        raise ValueError("its `extra` is of an unknown version")
    parts: list[Part | bytes] = []
    at = 33
    while at < len(extra):
        kind, salt, at = extra[at : at + 1], extra[at + 1 : at + 33], at + 33
        if kind == _OPEN:
            length, at = int.from_bytes(extra[at : at + 4], "big"), at + 4
            parts.append(Part(salt, extra[at : at + length]))
            at += length
        elif kind == _ERASED:
            parts.append(salt)
        else:
            raise ValueError("its `extra` holds a part of an unknown kind")
    if at != len(extra) or not parts:
        raise ValueError("its `extra` is cut short")
    general, *subjects = parts
    if not isinstance(general, Part):
        raise ValueError("its `extra` does not open the general part")
    return Opening(Side(general, tuple(subjects)), extra[1:33])
