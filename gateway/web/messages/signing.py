"""Messages that the gateway sends, signed per Standard Webhooks (https://www.standardwebhooks.com, 1.0).

What is signed is `<id>.<timestamp>.<body>`: by each shared secret (`v1`, HMAC-SHA256), and by each key (`v1a`,
Ed25519), so that secrets and keys can be changed one after the other. Pure.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def message(
    kind: str, at: datetime.datetime, data: dict[str, str], id_: str, signed_at: datetime.datetime,
    secrets: Sequence[bytes] = (), keys: Sequence[Ed25519PrivateKey] = (),
) -> tuple[bytes, dict[str, str]]:  # fmt: skip
    """The body and headers of a message: of `kind`, about what happened `at`, of ids and nothing else (`data`).

    A message that is sent again has the same `id_` and body; `signed_at` is when it is sent.
    """
    body = msgspec.json.encode({"type": kind, "timestamp": at, "data": data})
    stamp = str(int(signed_at.timestamp()))
    signed = f"{id_}.{stamp}.".encode() + body
    each = [f"v1,{_base64(hmac.digest(secret, signed, hashlib.sha256))}" for secret in secrets]
    each += [f"v1a,{_base64(key.sign(signed))}" for key in keys]
    return body, {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(each),
    }


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
