"""Notices of changed cases: signed, fresh and once; and what they drop."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.web import hooks

SECRET, OTHER = b"s" * 24, b"o" * 32
NOW = 1_790_000_000
CHANGED = b'{"type":"case.changed","timestamp":"2026-09-21T12:00:00Z","data":{"case":"C-1"}}'


class Registry:
    """The gateway's route, as a registry sees it, and what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        secrets = {"market": (OTHER, SECRET)}
        self.reachable = True
        self.app = Starlette(routes=hooks.routes(secrets, self.changed, lambda: NOW))

    async def changed(self, registry: str, case: str | None) -> None:
        self.told.append((registry, case))
        if not self.reachable:
            raise ConnectionError("other replicas cannot be notified now")

    async def send(self, body: bytes = CHANGED, name: str = "market", **given: Any) -> int:
        id_, stamp = given.get("id", "msg_1"), str(given.get("stamp", NOW))
        signature = given.get("signature") or sign(given.get("secret", SECRET), id_, stamp, body)
        headers = {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": signature}
        headers = {key: value for key, value in headers.items() if key != given.get("without")}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://gateway") as http:
            sent = given.get("sent", body)
            return (await http.post(f"/hooks/cases/{name}", content=sent, headers=headers)).status_code


def sign(secret: bytes, id_: str, stamp: str, body: bytes) -> str:
    mac = hmac.new(secret, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_the_published_example_verifies() -> None:
    """From the reference libraries of Standard Webhooks."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert hooks.verify([secret], headers, b'{"test": 2432232314}', 1614265330.0) == headers["webhook-id"]


async def test_a_signed_notice_drops_its_case(registry: Registry) -> None:
    assert await registry.send() == 204
    assert registry.told == [("market", "C-1")]


async def test_any_of_several_signatures_and_secrets_will_do(registry: Registry) -> None:
    assert await registry.send(secret=OTHER) == 204
    right = sign(SECRET, "msg_2", str(NOW), CHANGED)
    assert await registry.send(id="msg_2", signature=f"v1a,xx v1,AAAA {right}") == 204
    assert len(registry.told) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"secret": b"x" * 24},
        {"sent": CHANGED.replace(b"C-1", b"C-2")},
        {"signature": "v1,"},
        {"signature": "v2," + sign(SECRET, "msg_1", str(NOW), CHANGED)[3:]},
        {"signature": sign(SECRET, "msg_2", str(NOW), CHANGED)},
        {"stamp": NOW - hooks.TOLERANCE - 1},
        {"stamp": NOW + hooks.TOLERANCE + 1},
        {"stamp": "soon"},
        {"stamp": -NOW},
        {"without": "webhook-id"},
        {"without": "webhook-timestamp"},
        {"without": "webhook-signature"},
    ],
)
async def test_what_was_not_signed_just_now_is_refused(registry: Registry, given: dict[str, Any]) -> None:
    assert await registry.send(**given) == 401
    assert registry.told == []


async def test_a_notice_counts_once(registry: Registry) -> None:
    for _ in range(3):
        assert await registry.send(stamp=NOW - 100) == 204
    assert registry.told == [("market", "C-1")]
    assert await registry.send(id="msg_2") == 204
    assert len(registry.told) == 2


async def test_a_notice_that_not_all_replicas_heard_is_to_be_sent_again(registry: Registry) -> None:
    registry.reachable = False
    assert await registry.send() == 503
    registry.reachable = True
    assert await registry.send() == 204
    assert registry.told == [("market", "C-1")] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"type":"case.changed"}',
        json.dumps({"type": "x", "data": {"case": "C-1"}}).encode(),
    ],
)
async def test_a_signed_notice_that_is_not_understood_drops_everything_of_its_registry(
    registry: Registry, body: bytes
) -> None:
    assert await registry.send(body) == 204
    assert registry.told == [("market", None)]


async def test_a_registry_without_a_secret_sends_no_notices_and_a_long_body_is_not_read(registry: Registry) -> None:
    assert await registry.send(name="courts") == 404
    assert await registry.send(b"x" * (hooks.MAX_BODY + 1)) == 413
    assert registry.told == []
