"""What stands in rows of acts where they would name somebody: keyed digests, by the store's own key."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode


class Keyed:
    """The digests of one store: whoever reads its tables alone finds nobody by trying."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, key=b"acts", digest_size=32).digest()

    def of(self, *parts: object) -> bytes:
        """16 bytes that stand for these values."""
        return blake2b(_encode(parts), key=self._key, digest_size=16).digest()

    def number(self, *parts: object) -> int:
        """A number of 63 bits that does."""
        return int.from_bytes(self.of(*parts)[:8]) >> 1
