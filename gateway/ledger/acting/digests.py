"""What stands in rows of acts where they would name somebody: keyed digests, by the store's own key."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

_SIZE = 16
_encode = msgspec.json.Encoder(order="sorted").encode


class Keyed:
    """The digests of one store: whoever reads its tables alone finds nobody by trying."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, key=b"acts", digest_size=32).digest()

    def of(self, *parts: object) -> bytes:
        """Bytes that stand for these values."""
        return blake2b(_encode(parts), key=self._key, digest_size=_SIZE).digest()

    def people(self, names: Iterable[tuple[str, str]]) -> bytes:
        """What stands for a human, by each of their names at an issuer."""
        return b"".join(sorted(self.of("person", *name) for name in names))

    def number(self, *parts: object) -> int:
        """A number of 63 bits that does."""
        return int.from_bytes(self.of(*parts)[:8]) >> 1


def same_human(one: bytes | None, other: bytes | None) -> bool:
    """Whether two stand for one human: they have a name in common."""
    names = [{each[at : at + _SIZE] for at in range(0, len(each), _SIZE)} for each in (one or b"", other or b"")]
    return not names[0].isdisjoint(names[1])
