"""Opaque tokens of a real authorization server (RFC 7662): taken, kept for a bounded time, refused when revoked."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.bounds.address import asked_from
from gateway.config.oauth import IntrospectionSettings, IssuerSettings
from gateway.errors import Code, Refusal
from gateway.identity import introspection as module
from gateway.inquiry.types import Requester
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import Authority
from tests.oauth.gate import Gate, introspection, settings
from tests.waiting import until_async


@pytest.fixture
def gate(http: httpx.AsyncClient, authority: Authority, tmp_path: Path) -> Gate:
    return Gate(http, [settings(authority, tmp_path)])


async def test_an_opaque_token_makes_the_same_requester_as_a_jwt(gate: Gate, authority: Authority) -> None:
    details = [{"type": "subject-inquiry", "purpose": "TENDER_QUALIFICATION", "datasets": ["tax-arrears"]}]
    opaque = await gate(f"Bearer {authority.token(kind='opaque', details=details)}")
    jwt = await gate(f"Bearer {authority.token(details=details)}")
    names = ("issuer", "client", "official", "scopes", "acr", "narrowing", "actors")
    assert [getattr(opaque, name) for name in names] == [getattr(jwt, name) for name in names]
    assert (opaque.client, opaque.official, opaque.actors) == ("market-regulator", "m.ivanova", ("portal",))
    assert (opaque.acr, opaque.scopes) == ("loa-3", {"inquire"})
    assert abs(opaque.expires - gate.now() - 600) < 120


async def test_a_client_that_acts_for_itself_has_no_official(gate: Gate, authority: Authority) -> None:
    requester = await gate(f"Bearer {authority.token('tax-service', 'opaque')}")
    assert (requester.client, requester.official) == ("tax-service", None)


async def test_the_gateway_can_show_who_it_is_by_its_key(
    http: httpx.AsyncClient, authority: Authority, tmp_path: Path
) -> None:
    key = authority.keys["gateway-key"]
    for name, text in (
        ("pem", key.as_pem(private=True).decode()),
        ("jwk", module.msgspec.json.encode(key.as_dict(private=True))),
    ):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        asked = IntrospectionSettings("gateway-key", key_file=file)
        gate = Gate(http, [IssuerSettings(authority.url, "login", introspection=asked)])
        assert (await gate(f"Bearer {authority.token(kind='opaque')}")).client == "market-regulator"


async def test_a_revoked_token_serves_on_within_the_bound_and_not_past_it(gate: Gate, authority: Authority) -> None:
    token = authority.token(kind="opaque")
    await gate(f"Bearer {token}")
    authority.revoke(token)
    gate.ahead = 29
    await gate(f"Bearer {token}")
    gate.ahead = 31
    refusal = await gate.refusal(f"Bearer {token}")
    assert "revoked" in refusal.message
    assert 'Bearer resource_metadata="' in refusal.headers["WWW-Authenticate"]
    assert 'error="invalid_token"' in refusal.headers["WWW-Authenticate"]


async def test_an_answer_is_kept_no_longer_than_the_token_lives(
    http: httpx.AsyncClient, authority: Authority, tmp_path: Path
) -> None:
    gate = Gate(http, [settings(authority, tmp_path, keep=300.0)])
    token = authority.token(kind="opaque")
    requester = await gate(f"Bearer {token}")
    gate.ahead = requester.expires - gate.now() - 20
    await gate(f"Bearer {token}")
    gate.ahead += 21
    assert "expired" in (await gate.refusal(f"Bearer {token}")).message


async def test_a_kept_answer_asks_nobody(gate: Gate, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    token = authority.token(kind="opaque")
    first = await gate(f"Bearer {token}")
    monkeypatch.setattr(module.Introspector, "claims", None)
    assert await gate(f"Bearer {token}") is first


async def test_what_the_issuer_does_not_know_is_refused_and_not_asked_about_again_at_once(
    gate: Gate, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "unknown to its issuer" in (await gate.refusal("Bearer not-a-token-of-anyone")).message
    monkeypatch.setattr(module.Introspector, "_ask", None)
    assert "unknown to its issuer" in (await gate.refusal("Bearer not-a-token-of-anyone")).message
    gate.ahead = module.REFUSED_FOR + 1
    with pytest.raises(TypeError):
        await gate("Bearer not-a-token-of-anyone")


async def test_a_jwt_is_verified_and_never_asked_about(
    gate: Gate, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, body, signature = authority.token().split(".")
    monkeypatch.setattr(module.Introspector, "claims", None)
    assert (await gate(f"Bearer {head}.{body}.{signature}")).client == "market-regulator"
    forged = f"Bearer {head}.{body}.{signature[:-8]}AAAAAAAA"
    assert "signature is wrong" in (await gate.refusal(forged)).message


class Introspecting(TestIssuer):
    """The tests' own issuer, whose introspection answers are what a test sets."""

    def settings(self, folder: Path, **changes: object) -> IssuerSettings:
        asked = introspection(folder, url=f"{self.url}/introspect", **changes)
        return IssuerSettings(self.url, "own", introspection=asked)


@pytest.fixture
def own() -> Introspecting:
    return Introspecting()


async def test_jwts_are_asked_about_where_the_issuer_says_so(
    http: httpx.AsyncClient, own: Introspecting, tmp_path: Path
) -> None:
    gate = Gate(http, [own.settings(tmp_path, jwts=True)])
    token = own.token().decode()
    own.introspected = {"active": True}
    assert (await gate(token)).client == "court"
    own.introspected = {"active": False}
    gate.ahead = 20
    assert (await gate(token)).client == "court"
    gate.ahead = 31
    assert "revoked" in (await gate.refusal(token)).message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"active": "true"}, "unknown to its issuer"),
        ({"active": 1}, "unknown to its issuer"),
        ({"active": ...}, "unknown to its issuer"),
        ({"aud": ...}, "`aud`"),
        ({"aud": "https://other.example"}, "another audience"),
        ({"exp": ...}, "`exp`"),
        ({"exp": 1_600_000_000}, "expired"),
        ({"nbf": 4_000_000_000}, "not valid yet"),
        ({"client_id": ...}, "`sub`"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"token_type": "refresh_token"}, "not an access token"),
        ({"cnf": {}}, "`cnf` is empty"),
        ({"token_type": "DPoP"}, "does not name the key: `cnf.jkt`"),
        ({"token_type": "dpop", "cnf": {"x5t#S256": "A" * 43}}, "does not name the key: `cnf.jkt`"),
        ({"exp": time.time() + 90_000}, "lives too long"),
        ({"cnf": {"kid": "x"}}, "`cnf`"),
        ({"authorization_details": [{"type": "subject-inquiry", "purposes": []}]}, "`purposes`"),
        ({"act": {"sub": "a", "act": "b"}}, "`act`"),
    ],
)
async def test_an_answer_that_is_not_good_enough_refuses(
    http: httpx.AsyncClient, own: Introspecting, tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    gate = Gate(http, [own.settings(tmp_path)])
    good = {"active": True, "client_id": "court", "aud": "https://gateway.example", "exp": gate.now() + 60}
    own.introspected = good
    assert (await gate("Bearer good")).official is None
    own.introspected = {name: value for name, value in {**good, **changes}.items() if value is not ...}
    assert told in (await gate.refusal("Bearer bad")).message


async def test_whoever_asks_about_one_token_at_once_shares_the_question_and_the_rest_is_bounded(
    http: httpx.AsyncClient, own: Introspecting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(http, [own.settings(tmp_path)])
    own.introspected = {"active": True, "client_id": "court", "aud": "https://gateway.example", "exp": gate.now() + 60}
    own.delay = 0.2
    found = await asyncio.gather(*(gate("Bearer one") for _ in range(10)))
    assert {requester.client for requester in found} == {"court"}
    assert own.asked["/introspect"] == 1
    own.delay = 0.0
    monkeypatch.setattr(module, "WAITING", 5)
    gate, held = Gate(http, [own.settings(tmp_path)]), Held(monkeypatch, own.introspected)
    asked = [asyncio.create_task(gate(f"Bearer t{n}")) for n in range(module.EACH + 6)]
    await until_async("one to be turned away", lambda: any(task.done() for task in asked))
    assert held.most == module.EACH
    held.on.set()
    results = await asyncio.gather(*asked, return_exceptions=True)
    (refused,) = [result for result in results if isinstance(result, Refusal)]
    assert (refused.code, refused.status, refused.headers) == (Code.DECISION_UNAVAILABLE, 503, {"Retry-After": "5"})


class Held:
    """Questions to issuers that wait until a test lets them on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
        self.on, self.under_way, self.most, self.order = asyncio.Event(), 0, 0, list[bytes]()

        async def held(_: module.Introspector, token: bytes) -> dict[str, Any] | None:
            self.order.append(token)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await self.on.wait()
                return answer
            finally:
                self.under_way -= 1

        monkeypatch.setattr(module.Introspector, "_ask", held)


async def test_ninety_good_tokens_at_once_are_all_taken(
    http: httpx.AsyncClient, own: Introspecting, tmp_path: Path
) -> None:
    gate = Gate(http, [own.settings(tmp_path)])
    own.introspected = {"active": True, "client_id": "court", "aud": "https://gateway.example", "exp": gate.now() + 60}
    found = await asyncio.gather(*(gate(f"Bearer t{n}") for n in range(90)))
    assert {requester.client for requester in found} == {"court"}


async def test_strangers_wait_for_strangers(
    http: httpx.AsyncClient, own: Introspecting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that were good are asked about first; of new ones, each address has its turn."""
    gate = Gate(http, [own.settings(tmp_path)])
    own.introspected = {"active": True, "client_id": "court", "aud": "https://gateway.example", "exp": gate.now() + 600}
    await gate("Bearer good")
    gate.ahead = 61
    held = Held(monkeypatch, own.introspected)

    def asking(address: str, token: str) -> asyncio.Task[Requester]:
        asked_from.set(address)
        return asyncio.create_task(gate(f"Bearer {token}"))

    tasks = [asking(f"2001:db8::{n}", f"made-up-{n}") for n in range(100)]
    tasks += [asking("192.0.2.1", f"also-{n}") for n in range(100)]
    await until_async("as many questions as there may be", lambda: held.under_way == module.TOGETHER)
    tasks += [asking("192.0.2.2", "new"), asking("192.0.2.3", "good")]
    await asyncio.sleep(0.05)
    held.on.set()
    await asyncio.gather(*tasks)
    at = {token: place for place, token in enumerate(held.order)}
    assert at[b"good"] == module.TOGETHER
    assert at[b"new"] <= module.TOGETHER + 3
    assert held.most == module.TOGETHER


async def test_an_issuer_that_is_down_refuses_only_its_own_and_each_sees_only_its_own(
    http: httpx.AsyncClient, authority: Authority, own: Introspecting, tmp_path: Path
) -> None:
    down = own.settings(tmp_path, token_prefix="own_")
    gate = Gate(http, [down, settings(authority, tmp_path)])
    assert (await gate(f"Bearer {authority.token(kind='opaque')}")).issuer == authority.url
    assert own.asked["/introspect"] == 0
    own.close()
    refusal = await gate.refusal("Bearer own_token")
    assert refusal.extensions == {"retryable": True}
    assert "cannot be asked" in refusal.message
    assert (await gate(f"Bearer {authority.token(kind='opaque')}")).issuer == authority.url
    only = Gate(http, [own.settings(tmp_path, token_prefix="own_")])
    assert "not a JWT" in (await only.refusal("Bearer theirs")).message


async def test_credentials_that_cannot_be_read_refuse(http: httpx.AsyncClient, authority: Authority) -> None:
    for files in ({"secret_file": Path("/no/such/file")}, {"key_file": Path(__file__)}):
        asked = IntrospectionSettings("gateway", **files)
        gate = Gate(http, [IssuerSettings(authority.url, "login", introspection=asked)])
        assert "cannot be asked" in (await gate.refusal("Bearer some-token")).message


@pytest.mark.parametrize("answer", [(401, {}, b"{}"), (200, {}, b"[]"), (302, {"Location": "/x"}, b""), (500, {}, b"")])
async def test_an_answer_that_is_none_is_no_answer(
    http: httpx.AsyncClient, own: Introspecting, tmp_path: Path, answer: tuple[int, dict[str, str], bytes]
) -> None:
    gate = Gate(http, [own.settings(tmp_path)])
    own.answer = answer
    refusal = await gate.refusal("Bearer some-token")
    assert refusal.extensions == {"retryable": True}
