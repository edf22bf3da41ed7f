"""Tokens that are not this gateway's: each is `UNAUTHENTICATED` with a reason, and leaves no entry (invariant 4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.inquiry.issuer import TestIssuer
from tests.journeys.asking import entered, post, send

if TYPE_CHECKING:
    from tests.conftest import World

LICENCE = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def opened(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    head, payload, signature = token.split(".")
    pad = "=="
    return (
        json.loads(base64.urlsafe_b64decode(head + pad)),
        json.loads(base64.urlsafe_b64decode(payload + pad)),
        signature,
    )


@pytest.fixture(scope="module")
def good(world: World) -> str:
    return world.token("market-regulator", "m.ivanova")


def wrong_tokens(good: str) -> Iterator[tuple[str, str]]:
    head, claims, signature = opened(good)
    untouched = good.rpartition(".")[0]
    yield "no signature", f"{untouched}."
    yield "another signature", f"{untouched}.{signature[:-6]}AAAAAA"
    yield "alg none", f"{part({**head, 'alg': 'none'})}.{part(claims)}."
    yield "alg None", f"{part({**head, 'alg': 'None'})}.{part(claims)}.{signature}"
    yield "alg HS256", f"{part({**head, 'alg': 'HS256'})}.{part(claims)}.{signature}"
    yield "another algorithm's key", f"{part({**head, 'alg': 'RS256'})}.{part(claims)}.{signature}"
    yield "an ID token", f"{part({**head, 'typ': 'JWT'})}.{part(claims)}.{signature}"
    yield "a key nobody has", f"{part({**head, 'kid': 'x'})}.{part(claims)}.{signature}"
    yield "another client", f"{part(head)}.{part({**claims, 'client_id': 'civil-court'})}.{signature}"
    yield "more scope", f"{part(head)}.{part({**claims, 'scope': 'oversight'})}.{signature}"
    yield "another year", f"{part(head)}.{part({**claims, 'exp': claims['exp'] + 10**7})}.{signature}"
    yield "nobody's", f"{part(head)}.{part({**claims, 'iss': 'https://elsewhere.example'})}.{signature}"
    yield "its own key", f"{part({**head, 'jwk': {'kty': 'oct', 'k': 'AA'}, 'kid': 'y'})}.{part(claims)}.{signature}"
    yield "critical", f"{part({**head, 'crit': ['exp']})}.{part(claims)}.{signature}"
    yield "a list", f"{part([])}.{part([])}.{signature}"
    yield "no token", "x"
    yield "dots", "...."
    yield "long", "a" * 20_000
    yield "twice", f"{good} {good}"


def test_a_wrong_token_opens_nothing(world: World, good: str) -> None:
    for what, token in wrong_tokens(good):
        with entered(world, 0):
            response = send(
                world.graphql, json.dumps({"query": LICENCE, "variables": {"id": world.subject("ordinary")}}), token
            )
        assert response.status_code in ((401,) if what != "long" else (401, 431, 400)), what
        if response.status_code == 401:
            body = response.json()
            assert "data" not in body, what
            assert [error["extensions"]["code"] for error in body["errors"]] == ["UNAUTHENTICATED"], what
            assert 'error="invalid_token"' in response.headers["www-authenticate"], what
            assert token == "x" or token not in response.text
    assert post(world.graphql, good, LICENCE, {"id": world.subject("ordinary")}).status == 200


def test_a_foreign_issuers_token_opens_nothing(world: World, good: str) -> None:
    """Well made, of an issuer that nobody trusts; and of one that says it is the trusted one."""
    _, claims, _ = opened(good)
    foreign = TestIssuer()
    try:
        for issuer in (foreign.url, claims["iss"]):
            made = foreign.token(**{**claims, "iss": issuer}).decode().removeprefix("Bearer ")
            assert post(world.graphql, made, LICENCE, {"id": world.subject("ordinary")}).codes == ["UNAUTHENTICATED"]
    finally:
        foreign.close()


@pytest.mark.parametrize("header", ["", "Bearer", "Basic bWFya2V0", "bearer", "Digest x", "DPoP x"])
def test_no_token_at_all(world: World, header: str) -> None:
    response = send(world.graphql, b'{"query":"{__typename}"}', None, authorization=header)
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_introspection_needs_a_token_too(world: World) -> None:
    assert post(world.graphql, None, "{ __schema { types { name } } }").codes == ["UNAUTHENTICATED"]


def test_a_scope_for_something_else_denies_every_field(world: World) -> None:
    reply = world.ask(
        "market-regulator", LICENCE, {"id": world.subject("ordinary")}, official="m.ivanova", scope="inquire:tax-awards"
    )
    assert [error["extensions"]["reason"] for error in reply.errors] == ["SCOPE_MISSING"]
