"""What the pages keep, sealed: sessions in the store, and what a browser holds while somebody signs in.

Every key comes from the gateway's own secret (HKDF, RFC 5869) and a purpose; that of a session also from the random
cookie that opens it, which the store does not have. AES-256-GCM, with a random nonce before the text.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Sealer:
    """Seals and opens under one purpose. All processes with the same `secret` open what any of them sealed."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._secret, self._purpose = secret, purpose.encode()

    def sealed(self, text: bytes, salt: bytes = b"") -> bytes:
        """The text, sealed; only who has the same `salt` opens it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._key(salt).encrypt(nonce, text, self._purpose)

    def opened(self, sealed: bytes, salt: bytes = b"") -> bytes | None:
        """What was sealed; None where it was not, not with this salt, or was changed."""
        if len(sealed) <= _NONCE:
            return None
        try:
            return self._key(salt).decrypt(sealed[:_NONCE], sealed[_NONCE:], self._purpose)
        except InvalidTag:
            return None

    def _key(self, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt or None, b"dutybound pages: " + self._purpose).derive(self._secret))
