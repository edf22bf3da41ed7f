"""What recipients are sent is verified by libraries of others: `v1` by that of Standard Webhooks, `v1a` by noble's."""

from __future__ import annotations

import base64
import datetime
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.proof.key_files import WEBHOOKS
from gateway.web.messages.signing import message
from tests.conformance.conftest import Client

SECRET, OLDER = b"n" * 32, b"o" * 32
KEY, OLD_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))


def sent(ago: float = 0.0) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
    id_ = secrets.token_hex(16)
    body, headers = message("recall.available", now, {"recall": id_}, id_, now, [SECRET, OLDER], [KEY, OLD_KEY])
    return {"headers": headers, "body": body.decode()}


def whsec(secret: bytes) -> str:
    return f"whsec_{base64.b64encode(secret).decode()}"


def whpk(key: Ed25519PrivateKey) -> str:
    return WEBHOOKS + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def test_others_verify_it_by_either_secret_and_key_and_refuse_what_was_altered(client: Client) -> None:
    good, again = sent(), sent()
    altered = {**sent(), "body": good["body"]}
    other_id = sent()
    other_id["headers"] = {**other_id["headers"], "webhook-id": secrets.token_hex(16)}
    moved = sent()
    moved["headers"] = {**moved["headers"], "webhook-timestamp": str(int(moved["headers"]["webhook-timestamp"]) + 1)}
    messages = [good, again, again, altered, other_id, moved, sent(ago=310), sent(ago=-310)]
    for secret, key in ((SECRET, KEY), (OLDER, OLD_KEY)):
        given = {"secret": whsec(secret), "key": whpk(key), "messages": messages}
        told = client("receive", given)
        assert told[:2] == [{"v1": True, "v1a": True}] * 2
        for each in told[2:]:
            assert isinstance(each["v1"], str), each
            assert isinstance(each["v1a"], str), each


def test_others_refuse_another_secret_and_key(client: Client) -> None:
    other = Ed25519PrivateKey.generate()
    (told,) = client("receive", {"secret": whsec(b"x" * 32), "key": whpk(other), "messages": [sent()]})
    assert isinstance(told["v1"], str)
    assert isinstance(told["v1a"], str)
