"""Reads a JWT's parts, before any signature is checked.

Invariant: no member appears twice. Of two values decoders take the one or the other (RFC 8725, 2.6; RFC 8259, 4), so
that its issuer may have signed something else than what is read here.
"""

from __future__ import annotations

import base64

from joserfc import jws

from connectors.mapping import duplicate_keys
from gateway.errors import Unfit
from gateway.identity.issuers import REGISTRY


class RepeatedMember(Unfit):
    """A member appears twice in a JWT's header or payload."""


def read_jwt(token: bytes) -> jws.CompactSignature:
    """Header and payload of a compact JWS, in JSON and UTF-8; raises `JoseError` or `ValueError` where it is none."""
    signed = jws.extract_compact(token, registry=REGISTRY)
    header = token.partition(b".")[0]
    for part in (base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)), signed.payload or b""):
        wrong = duplicate_keys.check(part)
        if wrong == "duplicate keys":
            raise RepeatedMember("a member appears twice: write each once")
        if wrong is not None:  # a decoder that takes UTF-16 or NaN may read what was not looked at
            raise ValueError(f"a part of it is {wrong}")
    return signed
