"""Tokens that a real authorization server bound to a key (RFC 9449): a proof counts once, for exactly one request."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.config.oauth import DPoPSettings, IssuerSettings
from gateway.errors import Refusal
from gateway.identity.dpop import NONCE_LIFE, Proofs, _normal, nonce_secret
from gateway.identity.replay import OwnReplays
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import GRAPHQL, Authority, b64, proof
from tests.oauth.gate import METADATA, PROVING, Gate, proofs, settings

ALGS = 'algs="RS256 ES256 EdDSA"'


@pytest.fixture
def gate(http: httpx.AsyncClient, authority: Authority, tmp_path: Path) -> Gate:
    return Gate(http, [settings(authority, tmp_path)], proofs=proofs())


@pytest.mark.parametrize("kind", ["jwt", "opaque"])
async def test_a_bound_token_counts_with_a_proof_of_its_key(
    gate: Gate, authority: Authority, key: ECKey, kind: str
) -> None:
    token = authority.token(kind=kind, proof_key=key)
    for _ in range(3):
        requester = await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
    assert (requester.client, requester.official, requester.scheme) == ("market-regulator", "m.ivanova", "DPoP")
    await gate(f"dpop  {token}", ("DPoP", proof(key, token, url=f"{GRAPHQL}?x=1#y")))
    await gate(f"DPoP {token}", ("DPoP", proof(key, token, url="HTTPS://Gateway.Example:443/graphql")))
    await gate(f"DPoP {token}", ("DPoP", proof(key, token, htm="PUT")), method="PUT")


async def test_a_proof_is_for_the_address_that_is_asked(gate: Gate, key: ECKey, token: str) -> None:
    other = "https://gateway.example/catalogue/tax-arrears/consult"
    authenticate = gate.authenticator.authenticate
    authorization = f"DPoP {token}".encode()
    asked = [(b"dpop", proof(key, token, url=other).encode())]
    assert (await authenticate(authorization, "POST", asked, other)).client == "market-regulator"
    for url, at in ((other, None), (GRAPHQL, other), (f"{other}s", other)):
        asked = [(b"dpop", proof(key, token, url=url).encode())]
        with pytest.raises(Refusal, match="`htu` must be"):
            await authenticate(authorization, "POST", asked, at)


async def test_a_bound_token_is_no_bearer_token(gate: Gate, key: ECKey, token: str) -> None:
    """The downgrade is refused with a proof and without; the challenge says which scheme it takes."""
    for more in ((), (("DPoP", proof(key, token)),)):
        refusal = await gate.refusal(f"Bearer {token}", *more)
        assert "cannot be used as a plain bearer token" in refusal.message
        challenge = refusal.headers["WWW-Authenticate"]
        assert challenge.startswith(f'DPoP resource_metadata="{METADATA}", {ALGS}, error="invalid_token", ')


async def test_an_unbound_token_is_no_dpop_token(gate: Gate, authority: Authority, key: ECKey) -> None:
    token = authority.token()
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", proof(key, token)))
    assert "not bound to a key" in refusal.message
    assert f'{ALGS}, error="invalid_token"' in refusal.headers["WWW-Authenticate"]


async def test_without_a_token_both_schemes_are_offered(gate: Gate) -> None:
    with pytest.raises(Exception, match="A token is needed") as caught:
        await gate.authenticator.authenticate(None)
    challenge = getattr(caught.value, "headers")["WWW-Authenticate"]  # noqa: B009
    assert challenge == f'Bearer resource_metadata="{METADATA}", DPoP resource_metadata="{METADATA}", {ALGS}'


BAD: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("another method", {}, {"htm": "GET"}, "`htm` must be `POST`"),
    ("a method in lower case", {}, {"htm": "post"}, "`htm` must be `POST`"),
    ("another path", {}, {"htu": "https://gateway.example/other"}, "`htu` must be"),
    ("another host", {}, {"htu": "https://evil.example/graphql"}, "`htu` must be"),
    ("another scheme", {}, {"htu": "http://gateway.example/graphql"}, "`htu` must be"),
    ("another port", {}, {"htu": "https://gateway.example:8443/graphql"}, "`htu` must be"),
    ("no address", {}, {"htu": "https://[x/graphql"}, "`htu` must be"),
    ("a long address", {}, {"htu": "https://gateway.example/" + "x" * 2100}, "`htu` must be"),
    ("a user before the host", {}, {"htu": "https://evil.example@gateway.example/graphql"}, "`htu` must be"),
    ("an empty user", {}, {"htu": "https://@gateway.example/graphql"}, "`htu` must be"),
    ("a user with a password", {}, {"htu": "https://a:b@gateway.example/graphql"}, "`htu` must be"),
    ("a tab", {}, {"htu": "https://gateway.example/gra\tphql"}, "`htu` must be"),
    ("a line end", {}, {"htu": "https://gateway.example/graphql\n"}, "`htu` must be"),
    ("a carriage return", {}, {"htu": "ht\rtps://gateway.example/graphql"}, "`htu` must be"),
    ("a space before", {}, {"htu": " https://gateway.example/graphql"}, "`htu` must be"),
    ("another token", {}, {"ath": "A" * 43}, "`ath` must be"),
    ("no token", {}, {"ath": ...}, "`ath`"),
    ("an ath that is not ASCII", {}, {"ath": "ä"}, "`ath` must be"),
    ("too old", {}, {"iat": int(time.time()) - 120}, "too old"),
    ("from the future", {}, {"iat": int(time.time()) + 86_400}, "from the future"),
    ("no time", {}, {"iat": ...}, "`iat`"),
    ("a time that is none", {}, {"iat": True}, "`iat`"),
    ("no method", {}, {"htm": ...}, "`htm`"),
    ("no address at all", {}, {"htu": ...}, "`htu`"),
    ("no id", {}, {"jti": ...}, "`jti`"),
    ("an empty id", {}, {"jti": ""}, "`jti`"),
    ("a long id", {}, {"jti": "x" * 300}, "`jti`"),
    ("another type", {"typ": "JWT"}, {}, "`typ` must be `dpop+jwt`"),
    ("an access token's type", {"typ": "at+jwt"}, {}, "`typ` must be `dpop+jwt`"),
    ("no type", {"typ": ...}, {}, "`typ`"),
    ("no key", {"jwk": ...}, {}, "`jwk`"),
    ("a key that is none", {"jwk": {"kty": "EC"}}, {}, "key must be RSA"),
    ("a critical extension", {"crit": ["x"], "x": 1}, {}, "crit"),
]


@pytest.mark.parametrize(("header", "claims", "told"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_proof_for_something_else_is_refused(
    gate: Gate, key: ECKey, token: str, header: dict[str, Any], claims: dict[str, Any], told: str
) -> None:
    made_by_hand = "crit" in header  # joserfc makes none
    shown = _unsigned(proof(key, token), header) if made_by_hand else proof(key, token, header=header, **claims)
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", shown))
    assert told in refusal.message
    challenge = refusal.headers["WWW-Authenticate"]
    assert challenge.startswith(f'DPoP resource_metadata="{METADATA}", {ALGS}, error="invalid_dpop_proof", ')
    assert "DPoP-Nonce" not in refusal.headers


def _unsigned(shown: str, header: dict[str, Any]) -> str:
    head, body, signature = shown.split(".")
    members = json.loads(base64.urlsafe_b64decode(head + "==")) | header
    return ".".join([base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode(), body, signature])


@given(st.integers(0, len(GRAPHQL)), st.text("\t\r\n @\\\x00\x1f\x7f\u00a0\u200b", min_size=1, max_size=3))
def test_an_address_with_anything_put_in_is_another(at: int, put: str) -> None:
    assert _normal(GRAPHQL[:at] + put + GRAPHQL[at:]) != _normal(GRAPHQL)


async def test_a_proof_by_another_key_is_refused(gate: Gate, key: ECKey, token: str) -> None:
    """Swapped keys, a private key, a symmetric one, no signature, another algorithm, and the thief's signature."""
    thief = ECKey.generate_key("P-256")
    oct_key = OctKey.generate_key(256)
    other_algorithm = OKPKey.generate_key("Ed25519")
    head, body, signature = proof(key, token).split(".")
    shown = {
        "another key": proof(thief, token),
        "private key": proof(key, token, header={"jwk": key.as_dict(private=True)}),
        "signature is wrong": proof(thief, token, header={"jwk": key.as_dict(private=False)}),
        "must be signed with one of": proof(
            key, token, header={"alg": "HS256", "jwk": oct_key.as_dict(private=True)}, signer=oct_key
        ),
        "by another key ": proof(
            key, token, header={"alg": "EdDSA", "jwk": other_algorithm.as_dict(private=False)}, signer=other_algorithm
        ),
        "one signed JWT": f"{head}.{body}",
        "signature is wrong.": f"{head}.{body}.{'A' * len(signature)}",
        "longer than": "x" * 5000,
    }
    for told, each in shown.items():
        refusal = await gate.refusal(f"DPoP {token}", ("DPoP", each))
        assert told in refusal.message
        assert 'error="invalid_dpop_proof"' in refusal.headers["WWW-Authenticate"]
    twice = ".".join([head, b64(base64.urlsafe_b64decode(body + "==")[:-1] + b',"htm":"POST"}'), signature])
    assert "a member twice" in (await gate.refusal(f"DPoP {token}", ("DPoP", twice))).message
    odd_head = '{"alg":"none",' + base64.urlsafe_b64decode(head + "==").decode()[1:]
    for encoding in ("utf-8-sig", "utf-16"):  # which Python's decoder takes
        signed = f"{b64(odd_head.encode(encoding))}.{body}"
        by = jws.JWSRegistry.algorithms["ES256"].sign(signed.encode(), key)
        shown_so = f"{signed}.{b64(by)}"
        assert "one signed JWT" in (await gate.refusal(f"DPoP {token}", ("DPoP", shown_so))).message
    none = _unsigned(proof(key, token), {"alg": "none"})
    assert "must be signed with one of" in (await gate.refusal(f"DPoP {token}", ("DPoP", none))).message
    for uses in (None, 5, "verify", {}):
        odd = proof(key, token, header={"jwk": {**key.as_dict(private=False), "key_ops": uses}})
        assert "key must be RSA" in (await gate.refusal(f"DPoP {token}", ("DPoP", odd))).message
    confused = _unsigned(proof(key, token), {"alg": "RS256"})
    assert "another algorithm" in (await gate.refusal(f"DPoP {token}", ("DPoP", confused))).message


async def test_exactly_one_proof_is_needed(gate: Gate, key: ECKey, token: str) -> None:
    assert "send a proof" in (await gate.refusal(f"DPoP {token}")).message
    both = (("DPoP", proof(key, token)), ("DPoP", proof(key, token)))
    assert "more than one" in (await gate.refusal(f"DPoP {token}", *both)).message


async def test_a_proof_counts_once(gate: Gate, key: ECKey, token: str) -> None:
    shown = proof(key, token)
    await gate(f"DPoP {token}", ("DPoP", shown))
    for ahead in (0.0, 30.0, 59.0, 64.0):
        gate.ahead = ahead
        assert (await gate.refusal(f"DPoP {token}", ("DPoP", shown))).status == 401
    gate.ahead = 0.0
    assert "used before" in (await gate.refusal(f"DPoP {token}", ("DPoP", shown))).message
    again = proof(key, token, jti="the same id")
    await gate(f"DPoP {token}", ("DPoP", again))
    assert (
        "used before" in (await gate.refusal(f"DPoP {token}", ("DPoP", proof(key, token, jti="the same id")))).message
    )


async def test_of_one_proof_shown_many_times_at_once_one_counts(gate: Gate, key: ECKey, token: str) -> None:
    shown = proof(key, token)
    results = await asyncio.gather(*(gate(f"DPoP {token}", ("DPoP", shown)) for _ in range(20)), return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 1


async def test_nonces_are_asked_for_and_outlive_a_turn(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str
) -> None:
    gate = Gate(http, [settings(authority)], proofs=proofs(nonce=True))
    for shown in (proof(key, token), proof(key, token, nonce="made up"), proof(key, token, nonce="ä")):
        refusal = await gate.refusal(f"DPoP {token}", ("DPoP", shown))
        assert 'error="use_dpop_nonce"' in refusal.headers["WWW-Authenticate"]
        nonce = refusal.headers["DPoP-Nonce"]
    for ahead in (0, NONCE_LIFE):
        gate.ahead = ahead
        iat = int(time.time() + ahead)
        await gate(f"DPoP {token}", ("DPoP", proof(key, token, nonce=nonce, iat=iat)))
    gate.ahead = 2 * NONCE_LIFE
    late = proof(key, token, nonce=nonce, iat=int(time.time() + gate.ahead))
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", late))
    assert 'error="use_dpop_nonce"' in refusal.headers["WWW-Authenticate"]
    other = Gate(http, [settings(authority)], proofs=proofs(nonce=True))
    await other(f"DPoP {token}", ("DPoP", proof(key, token, nonce=nonce)))


async def test_a_nonce_of_another_gateway_does_not_count(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str
) -> None:
    secret = nonce_secret(bytes(range(32)))
    assert secret != PROVING
    other = Proofs(GRAPHQL, DPoPSettings(), [secret], OwnReplays())
    gate = Gate(http, [settings(authority)], proofs=proofs(nonce=True))
    shown = proof(key, token, nonce=other.nonce(time.time()))
    assert "DPoP-Nonce" in (await gate.refusal(f"DPoP {token}", ("DPoP", shown))).headers


async def test_a_repeated_token_costs_one_signature_where_it_is_bound_and_none_where_not(
    gate: Gate, authority: Authority, key: ECKey, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = authority.token()
    await gate(f"Bearer {bearer}")
    await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
    checked = []
    real = jws.validate_compact
    monkeypatch.setattr(jws, "validate_compact", lambda *args, **named: checked.append(1) or real(*args, **named))
    for done in range(1, 4):
        await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
        assert len(checked) == done
        await gate(f"Bearer {bearer}")
        assert len(checked) == done


async def test_every_kind_of_key_can_be_bound_to(http: httpx.AsyncClient) -> None:
    issuer = TestIssuer()
    gate = Gate(http, [IssuerSettings(issuer.url, "own")], proofs=proofs())
    for key, algorithm in ((RSAKey.generate_key(2048), "RS256"), (OKPKey.generate_key("Ed25519"), "EdDSA")):
        token = issuer.token(cnf={"jkt": key.thumbprint()}).decode().removeprefix("Bearer ")
        heading = {"alg": algorithm, "jwk": key.as_dict(private=False)}
        shown = proof(key, token, header=heading, signer=key)  # type: ignore[arg-type]
        assert (await gate(f"DPoP {token}", ("DPoP", shown))).client == "court"
    issuer.close()
