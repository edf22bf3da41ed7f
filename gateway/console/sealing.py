"""What the pages keep, sealed: sessions in the store, and what a browser holds while somebody signs in.

Every key comes from a secret of the gateway's own (HKDF, RFC 5869) and a purpose; that of a session also from the
random cookie that opens it, which the store does not have. AES-256-GCM, with a random nonce before the text.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Sealer:
    """Seals under one purpose by the first of `secrets`, and opens what each of them sealed: processes share them."""

    def __init__(self, secrets: Sequence[bytes], purpose: str) -> None:
        self._secrets, self._purpose = secrets, purpose.encode()

    def sealed(self, text: bytes, salt: bytes = b"") -> bytes:
        """The text, sealed; only who has the same `salt` opens it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._key(self._secrets[0], salt).encrypt(nonce, text, self._purpose)

    def opened(self, sealed: bytes, salt: bytes = b"") -> bytes | None:
        """What was sealed; None where it was not, not with this salt, or was changed."""
        if len(sealed) <= _NONCE:
            return None
        for secret in self._secrets:
            with contextlib.suppress(InvalidTag):
                return self._key(secret, salt).decrypt(sealed[:_NONCE], sealed[_NONCE:], self._purpose)
        return None

    def _key(self, secret: bytes, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt or None, b"dutybound pages: " + self._purpose).derive(secret))
