"""Tokens that a real authorization server bound to a key (RFC 9449): a proof counts once, for exactly one request."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from valkey import Valkey

from gateway.config.oauth import DPoPSettings, IssuerSettings
from gateway.errors import Refusal
from gateway.identity import replay
from gateway.identity.dpop import NONCE_LIFE, Proofs, _normal, nonce_secret
from gateway.identity.replay import OwnReplays, Replays, SharedReplays
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import GRAPHQL, Authority, b64, proof
from tests.oauth.gate import METADATA, Gate, settings
from tests.oauth.valkey import ValkeyServer

SECRET = nonce_secret(bytes(32))
ALGS = 'algs="RS256 ES256 EdDSA"'


def proofs(replays: Replays | None = None, *, nonce: bool = False) -> Proofs:
    return Proofs(GRAPHQL, DPoPSettings(nonce=nonce), [SECRET], replays or OwnReplays())


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
def token(authority: Authority, key: ECKey) -> str:
    return authority.token(proof_key=key)


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
    assert secret != SECRET
    other = Proofs(GRAPHQL, DPoPSettings(), [secret], OwnReplays())
    gate = Gate(http, [settings(authority)], proofs=proofs(nonce=True))
    shown = proof(key, token, nonce=other.nonce(time.time()))
    assert "DPoP-Nonce" in (await gate.refusal(f"DPoP {token}", ("DPoP", shown))).headers


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


async def test_replicas_that_share_valkey_take_a_proof_once(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, valkey: ValkeyServer
) -> None:
    memories = [SharedReplays(valkey.url), SharedReplays(valkey.url)]
    gates = [Gate(http, [settings(authority)], proofs=proofs(memory)) for memory in memories]
    shown = [proof(key, token) for _ in range(10)]
    results = await asyncio.gather(
        *(gate(f"DPoP {token}", ("DPoP", each)) for each in shown for gate in gates * 2), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == len(shown)
    for memory in memories:
        await memory.close()


async def met(gate: Gate, token: str, shown: str) -> Refusal:
    """Why a proof is refused; a connection that Valkey's end has cut costs one refusal before."""
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", shown))
    return await gate.refusal(f"DPoP {token}", ("DPoP", shown)) if refusal.extensions.get("retryable") else refusal


async def test_a_proof_from_before_the_memory_was_lost_does_not_count_after_it(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, tmp_path: Path
) -> None:
    """Emptied, or another run: the proof has a nonce of what is gone, and whoever holds the key makes another."""
    server = ValkeyServer(tmp_path)
    memories = [SharedReplays(server.url), SharedReplays(server.url)]
    gates = [Gate(http, [settings(authority)], proofs=proofs(memory, nonce=True)) for memory in memories]

    async def asked_for(gate: Gate, shown: str) -> str:
        refusal = await met(gate, token, shown)
        assert 'error="use_dpop_nonce"' in refusal.headers["WWW-Authenticate"]
        return refusal.headers["DPoP-Nonce"]

    def emptied() -> None:
        with Valkey.from_url(server.url) as client:
            client.flushall()

    def restarted() -> None:
        server.stop()
        server.start()

    for lose in (emptied, restarted):
        nonce = await asked_for(gates[0], proof(key, token))
        used, unused = (proof(key, token, nonce=nonce) for _ in range(2))
        await gates[0](f"DPoP {token}", ("DPoP", used))
        assert "used before" in (await gates[1].refusal(f"DPoP {token}", ("DPoP", used))).headers["WWW-Authenticate"]
        lose()
        for shown in (used, unused):
            later = [await asked_for(gate, shown) for gate in gates]
            assert len({*later, nonce}) == 2, "replicas ask for one nonce, and for another than before"
        new = proof(key, token, nonce=later[0])
        await gates[1](f"DPoP {token}", ("DPoP", new))
        assert "used before" in (await gates[0].refusal(f"DPoP {token}", ("DPoP", new))).headers["WWW-Authenticate"]
    server.stop()
    for memory in memories:
        await memory.close()


async def test_without_nonces_whoever_meets_another_memory_makes_a_new_proof(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, tmp_path: Path
) -> None:
    server = ValkeyServer(tmp_path)
    memory = SharedReplays(server.url)
    gate = Gate(http, [settings(authority)], proofs=proofs(memory))
    used = proof(key, token)
    await gate(f"DPoP {token}", ("DPoP", used))
    server.stop()
    server.start()
    assert "begun anew" in (await met(gate, token, used)).headers["WWW-Authenticate"]
    await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
    server.stop()
    await memory.close()


async def test_a_memory_out_of_reach_refuses_bound_tokens_and_no_others(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, tmp_path: Path
) -> None:
    server = ValkeyServer(tmp_path)
    memory = SharedReplays(server.url)
    gate = Gate(http, [settings(authority)], proofs=proofs(memory))
    await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
    server.stop()
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", proof(key, token)))
    assert refusal.extensions == {"retryable": True}
    assert (await gate(f"Bearer {authority.token()}")).client == "market-regulator"
    await memory.close()


async def test_the_own_memory_forgets_nothing_too_soon_and_says_when_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = OwnReplays()
    for step in range(400):
        now = step * 7.0
        assert await memory.first(b"%d" % step, 60.0, now)
        for back in range(9):
            assert not await memory.first(b"%d" % max(0, step - back), 60.0, now) or step < back
    assert len(memory._new) + len(memory._old) < 40
    monkeypatch.setattr(replay, "MAX_REMEMBERED", 3)
    full = OwnReplays()
    for name in (b"a", b"b", b"c"):
        assert await full.first(name, 60.0, 0.0)
    assert not await full.first(b"a", 60.0, 1.0)
    with pytest.raises(replay.ReplaysUnavailable):
        await full.first(b"d", 60.0, 1.0)
    assert await full.first(b"d", 60.0, 200.0)


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
