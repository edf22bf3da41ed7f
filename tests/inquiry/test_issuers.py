"""The keys of a real issuer on loopback: rotation, metadata, and issuers that are slow, wrong or gone."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from gateway.config.oauth import IssuerSettings
from gateway.errors import IssuerUnavailable
from gateway.identity.issuers import Ages, Issuer
from tests.connectors.servers import ENDLESS, endlessly, serve
from tests.inquiry.authenticating import Gate
from tests.inquiry.issuer import TestIssuer


async def test_rotation_a_new_key_is_found_and_a_dropped_one_stops_at_once(gate: Gate, issuer: TestIssuer) -> None:
    old = issuer.token()
    await gate(old)
    issuer.keys[0] = RSAKey.generate_key(2048, {"kid": "rsa-2"})
    await gate(old)
    gate.ahead = 10
    assert (await gate(issuer.token())).client == "court"
    assert "does not publish" in (await gate.refusal(old)).message
    gate.ahead = 20
    assert "does not publish" in (await gate.refusal(old)).message


async def test_a_key_replaced_under_the_same_id_stops_its_old_tokens(gate: Gate, issuer: TestIssuer) -> None:
    old = issuer.token()
    await gate(old)
    issuer.keys[0] = RSAKey.generate_key(2048, {"kid": "rsa"})
    gate.ahead = 10
    await gate.refusal(issuer.token(header={"kid": "no such"}))
    assert "signature is wrong" in (await gate.refusal(old)).message
    assert (await gate(issuer.token())).client == "court"


async def test_unknown_key_ids_ask_the_issuer_once_an_interval(gate: Gate, issuer: TestIssuer) -> None:
    await gate(issuer.token())
    tokens = [issuer.token(header={"kid": f"k{n}"}) for n in range(20)]
    gate.ahead = 10
    refusals = await asyncio.gather(*(gate.refusal(token) for token in tokens))
    assert len(refusals) == 20
    assert issuer.asked["/keys"] == 2


async def test_concurrent_first_tokens_share_one_request(gate: Gate, issuer: TestIssuer) -> None:
    issuer.delay = 0.05
    requesters = await asyncio.gather(*(gate(issuer.token(n % 3, jti=str(n))) for n in range(12)))
    assert {requester.client for requester in requesters} == {"court"}
    assert issuer.asked == {"/.well-known/oauth-authorization-server": 1, "/keys": 1}


async def test_a_caller_that_goes_away_does_not_stop_the_others(gate: Gate, issuer: TestIssuer) -> None:
    issuer.delay = 0.1
    leaving = asyncio.create_task(gate(issuer.token()))
    await asyncio.sleep(0.05)
    staying = asyncio.create_task(gate(issuer.token()))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).client == "court"
    assert issuer.asked["/keys"] == 1


async def test_openid_discovery_where_there_is_no_oauth_metadata(gate: Gate, issuer: TestIssuer) -> None:
    issuer.oidc_only = True
    assert (await gate(issuer.token())).client == "court"


async def test_a_configured_key_address_needs_no_discovery(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login", jwks_url=f"{issuer.url}/keys")])
    assert (await gate(issuer.token())).client == "court"
    assert issuer.asked == {"/keys": 1}


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"{}"),
        (302, {"Location": "/keys"}, b""),
        (200, {}, b"not json"),
        (200, {}, b"[]"),
        (200, {}, b"{" + b'"a":' * 3),
        (200, {}, b'{"keys": 5}'),
        (200, {"Content-Encoding": "gzip"}, b"{}"),
        (200, {}, b'{"a": "' + b"x" * 400_000 + b'"}'),
        (200, {}, b"[" * 100_000),
    ],
)
async def test_an_issuer_that_answers_nonsense_refuses_its_tokens(
    client: httpx.AsyncClient, issuer: TestIssuer, answer: tuple[int, dict[str, str], bytes]
) -> None:
    discovered = Gate(client, [IssuerSettings(issuer.url, "login")])
    configured = Gate(client, [IssuerSettings(issuer.url, "login", jwks_url=f"{issuer.url}/keys")])
    issuer.answer = answer
    for gate in (discovered, configured):
        refusal = await gate.refusal(issuer.token())
        assert "out of reach" in refusal.message
        assert refusal.extensions == {"retryable": True}
        asked = issuer.asked.total()
        await gate.refusal(issuer.token())
        assert issuer.asked.total() == asked


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://evil.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 5},
        {"jwks_uri": "http://[bad"},
    ],
)
async def test_metadata_that_points_elsewhere_is_not_followed(
    gate: Gate, issuer: TestIssuer, metadata: dict[str, Any]
) -> None:
    issuer.metadata = metadata
    assert "out of reach" in (await gate.refusal(issuer.token())).message
    assert issuer.asked["/keys"] == 0


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_answer_of_an_issuer_is_given_up_at_a_bound(client: httpx.AsyncClient, what: str) -> None:
    """Its keys and what it says of a token: not time ends it but bytes, lines or chunks."""
    async with serve(endlessly(*ENDLESS[what])) as server:
        settings = IssuerSettings(server.url, "login", jwks_url=f"{server.url}/keys")
        asked = Issuer(settings, lambda: client, time.time, Ages(timeout=60.0))
        for question in (asked.key("rsa", "RS256"), asked.post(f"{server.url}/introspect", {"token": "t"}, None)):
            with pytest.raises(IssuerUnavailable) as raised:
                await question
            assert "in time" not in str(raised.value)
    assert {request.headers["connection"] for request in server.requests} == {"close"}


async def test_a_slow_issuer_is_given_up(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login")], timeout=0.3)
    issuer.delay = 2.0
    assert "out of reach" in (await gate.refusal(issuer.token())).message


async def test_who_waits_for_metadata_that_does_not_come_is_refused_together(
    client: httpx.AsyncClient, issuer: TestIssuer
) -> None:
    """Else each would have it read once more: the last of many would wait for all before it."""
    issuer.delay = 30.0
    at = Issuer(IssuerSettings(issuer.url, "login"), lambda: client, time.time, Ages(timeout=0.5))
    waiting = await asyncio.gather(*(at.endpoint("token_endpoint") for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in waiting} == {IssuerUnavailable}
    assert sum(issuer.asked.values()) == 1


async def test_an_issuer_that_is_down_refuses_only_its_own(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    down = TestIssuer()
    down.close()
    gate = Gate(client, [IssuerSettings(down.url, "down"), IssuerSettings(issuer.url, "login")])
    assert "out of reach" in (await gate.refusal(down.token())).message
    assert (await gate(issuer.token())).client == "court"


async def test_stale_keys_serve_on_but_not_for_ever(gate: Gate, issuer: TestIssuer) -> None:
    token = issuer.token(exp=int(time.time()) + 80_000)
    await gate(token)
    issuer.answer = (503, {}, b"")
    gate.ahead = 3600
    assert (await gate(token)).client == "court"
    assert (await gate(issuer.token(exp=int(time.time()) + 80_000, jti="2"))).client == "court"
    gate.ahead = 6 * 3600 + 1
    assert "out of reach" in (await gate.refusal(token)).message
    issuer.answer = None
    gate.ahead += 10
    assert (await gate(token)).client == "court"


async def test_keys_are_freshened_behind_the_requests(gate: Gate, issuer: TestIssuer) -> None:
    token = issuer.token(exp=int(time.time()) + 80_000)
    await gate(token)
    gate.ahead = 700
    issuer.keys[0] = RSAKey.generate_key(2048, {"kid": "rsa-2"})
    assert (await gate(token)).client == "court"
    refresh = gate.issuers[0]._refresh
    assert refresh is not None
    await refresh
    assert "does not publish" in (await gate.refusal(token)).message


async def test_unfit_keys_are_passed_over(gate: Gate, issuer: TestIssuer) -> None:
    weak = json.loads(json.dumps(issuer.keys[0].as_dict(private=False)))
    issuer.extra_jwks = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
        {**weak, "kid": "enc", "use": "enc"},
        {**weak, "kid": "hs", "alg": "HS256"},
        {**weak, "kid": "ops", "key_ops": ["encrypt"]},
        {**weak, "kid": "no ops", "key_ops": None},
        {**weak, "kid": "number of ops", "key_ops": 5},
        {**weak, "kid": "ops as text", "key_ops": "verify"},
        {**weak, "kid": 5},
        {**weak, "kid": "short", "n": weak["n"][:80]},
        {"kty": ["RSA"]},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "point"},
        {"kty": "AKP", "kid": "pq"},
        5,  # type: ignore[list-item]
    ]
    assert (await gate(issuer.token())).client == "court"
    for kid in ("oct", "enc", "hs", "ops", "no ops", "number of ops", "ops as text", "short", "point", "pq"):
        assert "does not publish" in (await gate.refusal(issuer.token(header={"kid": kid}))).message


async def test_without_a_key_id_the_only_fitting_key_is_meant(gate: Gate, issuer: TestIssuer) -> None:
    assert (await gate(issuer.token(header={"kid": ...}))).client == "court"
    issuer.keys.append(RSAKey.generate_key(2048, {"kid": "another"}))
    gate.ahead = 700
    await gate.refusal(issuer.token(header={"kid": "look again"}))
    assert "does not publish" in (await gate.refusal(issuer.token(header={"kid": ...}, jti="3"))).message


async def test_a_key_that_an_issuer_out_of_reach_may_have_published_since_is_not_called_wrong(
    client: httpx.AsyncClient, issuer: TestIssuer
) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login")])
    await gate(issuer.token())
    issuer.answer = (500, {}, b"")
    gate.ahead = 2
    for _ in range(2):
        refusal = await gate.refusal(issuer.token(header={"kid": "new"}))
        assert (refusal.status, refusal.extensions) == (503, {"retryable": True})
    issuer.answer = None
    gate.ahead = 4
    assert "does not publish" in (await gate.refusal(issuer.token(header={"kid": "new"}))).message
