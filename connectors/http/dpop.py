"""Proofs that the gateway holds the key that its access token is bound to (RFC 9449), one for each request.

The key is made at the start and never leaves the process; each worker has its own, and its own tokens. A server's nonce
is kept until it gives another one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from connectors.http.transport import Response

NONCE = "dpop-nonce"
_LONGEST = 1024
"""Characters of a nonce."""


class Proving:
    """Makes the proofs of one key for one server."""

    def __init__(self, key: ECKey | None = None) -> None:
        self.key = key or ECKey.generate_key("P-256")
        self._header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        self._nonce = ""

    def proof(self, method: str, url: str, token: str = "") -> str:
        """A proof for one request; `token` is the access token that it goes with, none where one is asked for."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(time.time()),
        }
        if token:
            claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        if self._nonce:
            claims["nonce"] = self._nonce
        return jws.serialize_compact(self._header, json.dumps(claims), self.key, algorithms=["ES256"])

    def heard(self, answer: Response) -> bool:
        """Keep the nonce that an answer gives; whether it is another one, with which a refusal may end."""
        given = [value for name, value in answer.headers if name == NONCE]
        if len(given) != 1 or not 0 < len(given[0]) <= _LONGEST or not given[0].isascii():
            return False
        before, self._nonce = self._nonce, given[0]
        return before != self._nonce
