"""Nudges: signed, fresh, once, and in bounds; over real HTTP."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.recipient import webhook
from gateway.recipient.config import Webhook
from gateway.recipient.webhook import TOLERANCE, Listener, Taken, Unsigned, verify
from gateway.web.messages.signing import message
from tests.ports import free_port
from tests.waiting import until

SECRET, OLDER = b"s" * 24, b"o" * 32
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
NOW = 1_790_000_000
BODY = b'{"type":"recall.available","timestamp":"2026-09-21T12:00:00Z","data":{"recall":"R-1"}}'
BOTH = Webhook("127.0.0.1", 0, "/recalls", (SECRET, OLDER), (KEY.public_key(),))


def v1(secret: bytes = SECRET, id_: str = "R-1", stamp: object = NOW, body: bytes = BODY) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)).decode()


def v1a(key: Ed25519PrivateKey = KEY, id_: str = "R-1", stamp: object = NOW, body: bytes = BODY) -> str:
    return "v1a," + base64.b64encode(key.sign(f"{id_}.{stamp}.".encode() + body)).decode()


def headers(signature: str, id_: str = "R-1", stamp: object = NOW) -> dict[str, str]:
    return {"webhook-id": id_, "webhook-timestamp": str(stamp), "webhook-signature": signature}


@pytest.mark.parametrize("signature", [v1(), v1(OLDER), v1a(), f"v1,AAAA v9,x {v1a()}", f"{v1a(STRANGER)} {v1()}"])
def test_any_right_signature_will_do(signature: str) -> None:
    assert verify(BOTH, headers(signature), BODY, NOW) == "R-1"


@pytest.mark.parametrize(
    ("given", "body", "now"),
    [
        (headers(""), BODY, NOW),
        (headers(v1(b"x" * 24)), BODY, NOW),
        (headers(v1a(STRANGER)), BODY, NOW),
        (headers(f"v1a,{v1()[3:]}"), BODY, NOW),
        (headers(f"v1,{v1a()[4:]}"), BODY, NOW),
        (headers("v1,"), BODY, NOW),
        (headers("v1a,\xff"), BODY, NOW),
        (headers(v1()), BODY + b" ", NOW),
        (headers(v1a()), BODY.replace(b"R-1", b"R-2"), NOW),
        (headers(v1(), id_="R-2"), BODY, NOW),
        (headers(v1(), stamp=NOW + 1), BODY, NOW),
        (headers(v1()), BODY, NOW + TOLERANCE + 1),
        (headers(v1a()), BODY, NOW - TOLERANCE - 1),
        (headers(v1(stamp="soon"), stamp="soon"), BODY, NOW),
        (headers(v1(id_=""), id_=""), BODY, NOW),
        ({}, BODY, NOW),
    ],
)
def test_what_was_not_signed_just_now_is_refused(given: dict[str, str], body: bytes, now: float) -> None:
    with pytest.raises(Unsigned):
        verify(BOTH, given, body, now)


def test_a_key_that_is_not_configured_opens_nothing() -> None:
    with pytest.raises(Unsigned):
        verify(Webhook("x", 1, "/", (SECRET,), ()), headers(v1a()), BODY, NOW)
    with pytest.raises(Unsigned):
        verify(Webhook("x", 1, "/", (), (KEY.public_key(),)), headers(v1()), BODY, NOW)


def test_the_published_example_verifies() -> None:
    """From the reference libraries of Standard Webhooks."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    given = headers("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330)
    assert verify(Webhook("x", 1, "/", (secret,)), given, b'{"test": 2432232314}', 1614265330.0) == given["webhook-id"]


@pytest.mark.parametrize("mine", [{"secrets": (OLDER,)}, {"keys": (KEY.public_key(),)}])
def test_what_the_gateway_sends_is_taken_by_either(mine: dict[str, Any]) -> None:
    at = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    data = {"recall": "R-1"}
    body, sent = message("recall.available", at, data, "R-1", at, [SECRET, OLDER], [STRANGER, KEY])
    assert verify(Webhook("x", 1, "/", **mine), sent, body, NOW + 299) == "R-1"
    again = message("recall.available", at, data, "R-1", at + datetime.timedelta(hours=1), [OLDER], [KEY])
    assert again[0] == body
    assert verify(Webhook("x", 1, "/", **mine), again[1], body, NOW + 3600) == "R-1"
    with pytest.raises(Unsigned):
        verify(Webhook("x", 1, "/", **mine), sent, body, NOW + 3600)


def test_ids_are_remembered_while_a_repeat_would_verify_and_no_longer() -> None:
    taken = Taken()
    assert taken.first("a", 0.0)
    assert not taken.first("a", 2.0 * TOLERANCE)
    assert taken.first("a", 2.0 * TOLERANCE + 1)
    for number in range(webhook.REMEMBERED + 10):
        assert taken.first(str(number), 1000.0)
    assert len(taken._until) <= webhook.REMEMBERED


class Nudged:
    """A listener at a free port, and how often it nudged."""

    def __init__(self) -> None:
        self.times = 0
        self.listener = Listener(Webhook("127.0.0.1", free_port(), "/recalls", (SECRET,)), self._nudge)
        self.url = f"http://127.0.0.1:{self.listener.server_port}"
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()

    def _nudge(self) -> None:
        self.times += 1

    def send(self, body: bytes = BODY, path: str = "/recalls", **given: Any) -> int:
        stamp = given.get("stamp", int(time.time()))
        id_ = given.get("id_", "R-1")
        signature = given.get("signature") or v1(id_=id_, stamp=stamp, body=body)
        return httpx.post(self.url + path, content=body, headers=headers(signature, id_, stamp)).status_code


@pytest.fixture
def nudged() -> Iterator[Nudged]:
    made = Nudged()
    yield made
    made.listener.shutdown()
    made.listener.server_close()


def test_a_nudge_nudges_once_however_often_it_comes(nudged: Nudged) -> None:
    assert [nudged.send() for _ in range(3)] == [204] * 3
    assert nudged.times == 1
    assert nudged.send(id_="R-2") == 204
    assert nudged.send(b"not JSON at all", id_="R-3") == 204, "whoever signed it said that something waits"
    assert nudged.times == 3


def test_nothing_else_nudges(nudged: Nudged) -> None:
    assert nudged.send(signature="v1,AAAA") == 401
    assert nudged.send(stamp=int(time.time()) - 301) == 401
    assert nudged.send(path="/other") == 404
    assert nudged.send(b"x" * (webhook.BODY + 1)) == 413
    assert httpx.get(f"{nudged.url}/recalls").status_code == 501
    with socket.create_connection(("127.0.0.1", nudged.listener.server_port)) as raw:
        raw.sendall(b"POST /recalls HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n")
        assert b" 413 " in raw.recv(100)
    with socket.create_connection(("127.0.0.1", nudged.listener.server_port)) as raw:
        raw.sendall(b"\x00\xff nonsense\r\n\r\n")
        assert b"Traceback" not in raw.recv(10_000)
    assert nudged.times == 0


def test_senders_that_are_silent_or_drip_hold_up_nobody_for_long(
    nudged: Nudged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "WHOLE", 0.5)
    silent = [socket.create_connection(("127.0.0.1", nudged.listener.server_port)) for _ in range(webhook.TOGETHER)]
    for each in silent:
        each.sendall(b"POST /recalls HTTP/1.1\r\ncontent-length: 9\r\n")
    until("a nudge behind all of them", lambda: nudged.send() == 204, despite=(httpx.HTTPError,))
    assert nudged.times == 1
    for each in silent:
        each.close()
