"""Step 1 against a real issuer on loopback: which tokens are taken, and what each other one is told."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hmac
import json
import re
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import RSAKey

from gateway.config.oauth import IssuerSettings
from gateway.errors import Code, Refusal
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.types import Narrowing, Requester
from gateway.rules.model import RequesterEntry
from tests.inquiry.authenticating import METADATA, Gate
from tests.inquiry.issuer import TestIssuer


@pytest.mark.parametrize("key", [0, 1, 2])
async def test_the_three_algorithms_are_taken(gate: Gate, issuer: TestIssuer, key: int) -> None:
    requester = await gate(issuer.token(key, scope="inquire inquire:tax-arrears", acr="loa-3"))
    assert (requester.issuer, requester.client, requester.acr) == (issuer.url, "court", "loa-3")
    assert requester.scopes == {"inquire", "inquire:tax-arrears"}
    assert requester.expires > time.time()
    assert requester.grants == ()


async def test_shapes_of_a_good_token_that_are_all_taken(gate: Gate, issuer: TestIssuer) -> None:
    good = [
        issuer.token(header={"typ": "application/at+jwt"}),
        issuer.token(header={"typ": "AT+JWT"}),
        issuer.token(header={"x": "unknown header parameters are ignored"}),
        issuer.token(header={"jku": "https://evil.example/keys"}),
        issuer.token(aud=["https://other.example", "https://gateway.example"]),
        issuer.token(iat=time.time() + 3, nbf=time.time() + 3),
        issuer.token(exp=time.time() + 60.5),
        issuer.token(jti=...),
        issuer.token().replace(b"Bearer ", b"bearer   "),
    ]
    for token in good:
        assert (await gate(token)).client == "court"


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"typ": "JWT"}, {}, "`typ` must be `at+jwt`"),
    ({"typ": ...}, {}, "`typ` must be `at+jwt`"),
    ({"kid": "unknown"}, {}, "does not publish"),
    ({"kid": "ec"}, {}, "does not publish"),
    ({"kid": "../../etc/passwd"}, {}, "does not publish"),
    ({}, {"iss": "https://evil.example"}, "not from an issuer"),
    ({}, {"iss": ...}, "not from an issuer"),
    ({}, {"iss": ["x"]}, "not from an issuer"),
    ({}, {"aud": "https://gateway.example/"}, "another audience"),
    ({}, {"aud": ["https://other.example"]}, "another audience"),
    ({}, {"aud": ...}, "`aud`"),
    ({}, {"exp": 1_600_000_000}, "expired"),
    ({}, {"exp": ...}, "`exp`"),
    ({}, {"exp": "tomorrow"}, "`exp`"),
    ({}, {"exp": True}, "`exp`"),
    ({}, {"exp": 10**30}, "`exp`"),
    ({}, {"iat": 4_000_000_000}, "not valid yet"),
    ({}, {"nbf": 4_000_000_000}, "not valid yet"),
    ({}, {"iat": ...}, "`iat`"),
    ({}, {"sub": ...}, "`sub`"),
    ({}, {"sub": ""}, "`sub`"),
    ({}, {"client_id": ...}, "`client_id`"),
    ({}, {"client_id": 7}, "`client_id`"),
    ({}, {"scope": ["inquire"]}, "`scope`"),
    ({}, {"cnf": {"jkt": "x"}}, "`cnf.jkt`"),
    ({}, {"act": "someone"}, "`act`"),
    ({}, {"act": {}}, "`act` must name each actor"),
    ({}, {"act": {"sub": 5}}, "`act` must name each actor"),
    ({}, {"act": {"sub": ""}}, "`act` must name each actor"),
    ({}, {"act": {"sub": {"sub": "r.haas"}}}, "`act` must name each actor"),
    ({}, {"act": {"sub": ["r.haas"]}}, "`act` must name each actor"),
    ({}, {"act": {"sub": "r.haas", "act": {"sub": {}}}}, "`act` must name each actor"),
    ({}, {"exp": time.time() + 90_000}, "lives too long"),
    ({}, {"exp": time.time() + 3600, "iat": time.time() - 86_400}, "lives too long"),
    ({}, {"authorization_details": "all"}, "`authorization_details`"),
    ({}, {"authorization_details": [{"type": "subject-inquiry", "purposes": ["X"]}]}, "`purposes`"),
    ({}, {"authorization_details": [{"type": "subject-inquiry", "datasets": "tax-arrears"}]}, "`datasets`"),
    ({}, {"authorization_details": [{"type": "subject-inquiry", "identifier": "123"}]}, "`identifier`"),
    ({}, {"scope": "self"}, "claim"),
    ({}, {"scope": "self", "identifier": {"scheme": "PIN"}}, "`value`"),
    ({}, {"auth_time": "today"}, "`auth_time`"),
    ({}, {"auth_time": True}, "`auth_time`"),
    ({}, {"auth_time": 4_000_000_000}, "`auth_time`"),
]


@pytest.mark.parametrize(("header", "claims", "told"), BAD)
async def test_a_bad_token_is_told_what_is_wrong(
    gate: Gate, issuer: TestIssuer, header: dict[str, Any], claims: dict[str, Any], told: str
) -> None:
    refusal = await gate.refusal(issuer.token(header=header, **claims))
    assert told in refusal.message
    challenge = refusal.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer resource_metadata="{METADATA}", error="invalid_token", error_description="')
    assert re.fullmatch(r'[^"\\]+', challenge.split('error_description="')[1].removesuffix('"'))


def _part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


async def test_forgeries_are_refused(gate: Gate, issuer: TestIssuer) -> None:
    rsa = issuer.keys[0]
    good = issuer.token().removeprefix(b"Bearer ")
    head, body, signature = good.split(b".")
    none = b".".join([_part({"alg": "none", "typ": "at+jwt"}), body, b""])
    none_with = b".".join([_part({"alg": "None", "typ": "at+jwt", "kid": "rsa"}), body, signature])
    signed = b".".join([_part({"alg": "HS256", "typ": "at+jwt", "kid": "rsa"}), body])
    mac = hmac.digest(rsa.as_pem(private=False), signed, "sha256")
    confused = signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    thief = RSAKey.generate_key(2048, {"kid": "rsa"})
    stolen = _signed(thief, issuer)
    changed = b".".join([head, _part(issuer.claims(client_id="tax")), signature])
    cut = good[:-8]
    for forgery in (none, none_with, confused, stolen, changed, cut):
        refusal = await gate.refusal(b"Bearer " + forgery)
        assert any(word in refusal.message for word in ("signed with one of", "signature is wrong"))


def _signed(key: RSAKey, issuer: TestIssuer) -> bytes:
    heading = {"alg": "RS256", "typ": "at+jwt", "kid": "rsa"}
    return jws.serialize_compact(heading, json.dumps(issuer.claims()), key, ["RS256"]).encode()


async def test_a_critical_header_is_refused(gate: Gate, issuer: TestIssuer) -> None:
    _, body, signature = issuer.token().removeprefix(b"Bearer ").split(b".")
    head = _part({"alg": "RS256", "typ": "at+jwt", "kid": "rsa", "crit": ["exp"], "exp": 1})
    assert "crit" in (await gate.refusal(b"Bearer " + b".".join([head, body, signature]))).message


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic Y291cnQ6c2VjcmV0",
        b"DPoP abc.def.ghi",
        b"Bearer opaque",
        b"Bearer a.b.c",
        b"Bearer a.b.c.d.e",
        b"Bearer ..",
        b"Bearer \xff\xfe.\x00.\x00",
        b"Bearer " + _part([1]) + b"." + _part({}) + b".x",
        b"Bearer " + _part({"alg": 5}) + b"." + _part({}) + b".x",
        b"Bearer " + _part({"alg": "RS256", "typ": "at+jwt"}) + b"." + _part([]) + b".x",
        b"Bearer " + b"[" * 6000,
        b"Bearer " + b"a" * 9000,
    ],
)
async def test_what_is_no_token_is_refused_without_asking_anyone(
    gate: Gate, issuer: TestIssuer, authorization: bytes
) -> None:
    refusal = await gate.refusal(authorization)
    assert 'error="invalid_token"' in refusal.headers["WWW-Authenticate"]
    assert not issuer.asked


async def test_without_a_token_the_challenge_has_no_error(gate: Gate) -> None:
    refusal = await gate.refusal(None)
    assert refusal.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{METADATA}"'


async def test_one_authorization_header_only(gate: Gate) -> None:
    one = [(b"host", b"x"), (b"authorization", b"Bearer a")]
    assert gate.authenticator.credentials(one) == b"Bearer a"
    assert gate.authenticator.credentials([(b"host", b"x")]) is None
    with pytest.raises(Refusal, match="more than one"):
        gate.authenticator.credentials([*one, (b"authorization", b"Bearer b")])


@pytest.mark.parametrize(
    ("claims", "official"),
    [
        ({}, None),
        ({"sub": "j.okafor"}, "j.okafor"),
        ({"sub": "court", "act": {"sub": "r.haas"}}, "r.haas"),
        ({"sub": "j.okafor", "act": {"sub": "r.haas"}}, "r.haas"),
        ({"sub": "j.okafor", "act": {"sub": "court"}}, "j.okafor"),
        ({"act": {"sub": "court"}}, None),
    ],
)
async def test_the_official(gate: Gate, issuer: TestIssuer, claims: dict[str, Any], official: str | None) -> None:
    assert (await gate(issuer.token(**claims))).official == official


async def test_the_official_claim_of_an_issuer_overrides(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login", official_claim="staff_no")])
    assert (await gate(issuer.token(staff_no="77", sub="other"))).official == "77"
    assert (await gate(issuer.token(sub="other", act={"sub": "third"}))).official is None
    for value in ("", 5, {"no": "77"}, ["77"], True):
        assert "`staff_no` must name the official" in (await gate.refusal(issuer.token(staff_no=value))).message


async def test_the_person_claim_of_an_issuer_is_read(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login", person_claim="pid")])
    assert (await gate(issuer.token(sub="other", pid="P1", auth_time=5))).people == {
        (issuer.url, "other"),
        (issuer.url, "P1"),
    }
    assert "`pid` must name the person" in (await gate.refusal(issuer.token(sub="other"))).message
    assert (await gate(issuer.token())).people == frozenset()


async def test_authorization_details_narrow(gate: Gate, issuer: TestIssuer) -> None:
    details = [
        {"type": "payment", "amount": 5},
        {"type": "subject-inquiry", "purpose": "COURT_ENFORCEMENT", "datasets": ["tax-arrears"]},
        {"type": "subject-inquiry", "case": "C-1", "identifier": {"scheme": "LEI", "value": "X"}},
        {"type": "subject-inquiry", "identifier": "LEI:a:b"},
    ]
    requester = await gate(issuer.token(authorization_details=details))
    assert requester.narrowing == (
        Narrowing(purpose="COURT_ENFORCEMENT", datasets=frozenset({"tax-arrears"})),
        Narrowing(case="C-1", identifier=("LEI", "X")),
        Narrowing(identifier=("LEI", "a:b")),
    )


async def test_only_a_self_token_has_an_identifier(gate: Gate, issuer: TestIssuer) -> None:
    identifier = {"scheme": "PIN", "value": "1234567890"}
    own = await gate(issuer.token(scope="self", sub="citizen-7", identifier=identifier))
    assert own.identifier == ("PIN", "1234567890")
    assert (await gate(issuer.token(identifier=identifier))).identifier is None


DATASETS = ("tax-arrears", "organisation-register")


def refused(gate: Gate, requester: Requester, *asked: str) -> Refusal | None:
    try:
        gate.authenticator.check_scope(requester, DATASETS, asked)
    except Refusal as refusal:
        return refusal
    return None


async def test_scopes(gate: Gate, issuer: TestIssuer) -> None:
    for scope in ("inquire", "inquire:tax-arrears", "steward", "openid recalls", "oversight", "officer"):
        assert refused(gate, await gate(issuer.token(scope=scope))) is None
    wrong = ("", "openid profile", "inquiry", "INQUIRE", "tax-arrears", "inquire:", "inquire:*", "inquire:nothing")
    for scope in wrong:
        found = refused(gate, await gate(issuer.token(scope=scope)))
        assert found is not None
        assert (found.code, found.status) == (Code.FORBIDDEN, 403)
        assert 'error="insufficient_scope"' in found.headers["WWW-Authenticate"]
        assert found.headers["WWW-Authenticate"].endswith(', scope="inquire"')


@pytest.mark.parametrize("field", ["permissions", "receipts"])
async def test_what_tells_of_inquiries_needs_a_scope_to_inquire(gate: Gate, issuer: TestIssuer, field: str) -> None:
    for scope in ("inquire", "inquire:tax-arrears", "steward inquire:tax-arrears"):
        assert refused(gate, await gate(issuer.token(scope=scope)), "catalogue", field) is None
    for scope in ("steward", "oversight", "officer inquire:nothing", "recalls"):
        found = refused(gate, await gate(issuer.token(scope=scope)), "catalogue", field)
        assert found is not None
        assert f"no scope for `{field}`" in found.message
        assert refused(gate, await gate(issuer.token(scope="steward")), "catalogue") is None


def entry(issuer: str, department: str) -> RequesterEntry:
    return RequesterEntry(issuer, "court", "Court", department, frozenset({"court"}), (), "courts")


async def test_the_rule_set_in_force_counts_from_the_next_request_on(gate: Gate, issuer: TestIssuer) -> None:
    token = issuer.token()
    assert (await gate(token)).department == ""
    gate.entries[issuer.url, "court"] = entry(issuer.url, "courts")
    first = await gate(token)
    assert (first.department, first.registry) == ("courts", "courts")
    assert await gate(token) is first
    gate.entries[issuer.url, "court"] = entry(issuer.url, "justice")
    assert (await gate(token)).department == "justice"
    gate.entries.clear()
    unregistered = await gate(token)
    assert (unregistered.department, unregistered.roles, unregistered.registry) == ("", frozenset(), None)


async def test_a_remembered_token_still_expires(gate: Gate, issuer: TestIssuer) -> None:
    token = issuer.token()
    await gate(token)
    gate.ahead = 601
    assert "expired" in (await gate.refusal(token)).message


async def test_the_memory_of_tokens_is_bounded_and_holds_no_token(gate: Gate, issuer: TestIssuer) -> None:
    tokens = [issuer.token(jti=str(n)) for n in range(12)]
    for token in tokens:
        await gate(token)
    remembered = gate.authenticator._verified._found
    assert len(remembered) == 8
    assert {len(key) for key in remembered} == {32}


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda raw: b"Bearer " + b".".join([_part("x"), raw, raw])))
def test_any_bytes_without_an_issuer_are_refused(authorization: bytes) -> None:
    authenticator = Authenticator(
        [],
        audience="https://gateway.example",
        metadata_url=METADATA,
        registered=lambda issuer, client: None,
        clock=lambda: datetime.datetime.now(datetime.UTC),
    )
    with pytest.raises(Refusal) as caught:
        asyncio.run(authenticator.authenticate(authorization))
    assert caught.value.status == 401


async def test_a_claim_of_any_type_gives_a_requester_or_a_refusal(gate: Gate, issuer: TestIssuer) -> None:
    values = [None, True, 0, -1, 1.5, 10**25, "", "x", [], ["x"], [[]], {}, {"sub": {}}, [{"type": []}]]
    names = ("aud", "exp", "iat", "nbf", "sub", "client_id", "scope", "act", "acr", "cnf", "identifier", "auth_time")
    tokens = [issuer.token(2, **{"scope": "self", name: value}) for name in names for value in values]
    tokens += [issuer.token(2, **{name: value}) for name in names for value in values]
    tokens += [issuer.token(2, authorization_details=value) for value in values]
    tokens += [issuer.token(2, header={"x": value}) for value in values]
    taken, told = 0, set()
    for token in tokens:
        try:
            taken += (await gate(token)).client == "court"
        except Refusal as refusal:
            told.add((refusal.code, refusal.status))
    assert 30 < taken < len(tokens) / 2
    assert told == {(Code.UNAUTHENTICATED, 401)}
