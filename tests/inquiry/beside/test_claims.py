"""What of a token is nearly right is never passed over: types of `authorization_details`, scopes, repeated members."""

from __future__ import annotations

import base64
import json
import time
import unicodedata
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from gateway.config.oauth import IssuerSettings
from gateway.errors import Unfit
from gateway.inquiry.beside import claims
from gateway.inquiry.types import Narrowing
from tests.inquiry.authenticating import Gate
from tests.inquiry.issuer import TestIssuer

NEARLY = [None, 5, True, [], ["subject-inquiry"], {"a": 1}, "", " ", "Subject-Inquiry", "SUBJECT-INQUIRY"]
NEARLY += ["subject-inquiry ", " subject-inquiry", "subject-inquiry\n", "subject inquiry", "subject_inquiry"]
NEARLY += ["subjectInquiry", "subject-inquiries", "subject-enquiry", "subject-inqiury", "urn:example:subject-inquiry"]
NEARLY += [
    "subject-inquiry/v2",
    "\u0455ubject-inquiry",
    "subject\u2010inquiry",
    "subject-inquiry\x00",
    "sub\tject-inquiry",
]
OURS = {"type": "subject-inquiry", "purpose": "LICENCE_RENEWAL"}


@pytest.mark.parametrize("kind", NEARLY)
async def test_a_type_that_is_nearly_ours_refuses(gate: Gate, issuer: TestIssuer, kind: Any) -> None:
    refusal = await gate.refusal(issuer.token(2, authorization_details=[OURS, {**OURS, "type": kind}]))
    assert "a `type` of `authorization_details`" in refusal.message


async def test_a_type_that_is_missing_refuses(gate: Gate, issuer: TestIssuer) -> None:
    for details in ([{}], [OURS, {"purpose": "LICENCE_RENEWAL"}]):
        refusal = await gate.refusal(issuer.token(2, authorization_details=details))
        assert "a `type` of `authorization_details`" in refusal.message


@pytest.mark.parametrize(
    "kind", ["payment_initiation", "https://scheme.example/files", "inquiry", "urn:x:account#1", "p"]
)
async def test_another_apis_type_is_another_apis(gate: Gate, issuer: TestIssuer, kind: str) -> None:
    details = [{"type": kind, "purpose": "X"}, {"type": "subject-inquiry", "case": "C-1"}]
    assert (await gate(issuer.token(2, authorization_details=details))).narrowing == (Narrowing(case="C-1"),)


@pytest.mark.parametrize("claim", ["act", "cnf", "authorization_details"])
async def test_a_claim_that_narrows_is_never_null(gate: Gate, issuer: TestIssuer, claim: str) -> None:
    refusal = await gate.refusal(issuer.token(2, **{claim: None}))
    assert f"`{claim}` is null" in refusal.message


@pytest.mark.parametrize("member", ["purpose", "case", "datasets", "identifier"])
async def test_a_member_that_narrows_is_never_null(gate: Gate, issuer: TestIssuer, member: str) -> None:
    refusal = await gate.refusal(issuer.token(2, authorization_details=[{"type": "subject-inquiry", member: None}]))
    assert f"`{member}` of `authorization_details` is null" in refusal.message


@st.composite
def misspelt(draw: st.DrawFn) -> str:
    """`subject-inquiry` after up to three slips of the pen, in any letters, with anything between them."""
    text = list("subject-inquiry")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text) - 1))
        put = draw(st.sampled_from(["", "x", "-", "_", " ", "\t", "\u200b", "\u00e9"]))
        text[at : at + draw(st.integers(0, 1))] = [put] if put else []
    cased = [letter.upper() if draw(st.booleans()) else letter for letter in text]
    return "".join(cased) + draw(st.sampled_from(["", " ", "/1", "\n"]))


@given(misspelt())
def test_no_misspelling_leaves_a_token_wide(kind: str) -> None:
    """Either the entry narrows, or the token is refused: it is never passed over."""
    now = time.time()
    payload: dict[str, Any] = {"iss": "i", "aud": "a", "exp": now + 60, "iat": now, "sub": "c", "client_id": "c"}
    payload["authorization_details"] = [{"type": kind, "datasets": []}]
    try:
        made, _ = claims.requester(payload, claims.Terms("a"), now)
    except Unfit:
        return
    assert made.narrowing == (Narrowing(datasets=frozenset()),)
    assert kind == "subject-inquiry"


OWN = '{"scheme": "PIN", "value": "%s"}'


async def test_only_a_space_divides_scopes(gate: Gate, issuer: TestIssuer) -> None:
    for between in ("\t", "\n", "\r", "\u00a0", "\u2003", "\x1f", "\x85", ","):
        scope = f"openid{between}inquire{between}self"
        assert (await gate(issuer.token(2, scope=scope))).scopes == {scope}
    assert (await gate(issuer.token(2, scope="  inquire   recalls "))).scopes == {"inquire", "recalls"}


@pytest.mark.parametrize("where", ["header", "payload", "deep", "own"])
async def test_a_member_that_stands_twice_refuses(gate: Gate, issuer: TestIssuer, where: str) -> None:
    """Signed by the issuer's own key: of two values its library may have meant the other."""
    more = {
        "header": (', "kid": "rsa"}', "}"),
        "payload": ("}", ', "scop\\u0065": "self"}'),
        "own": ("}", f', "identifier": {OWN % "1"}, "identifier": {OWN % "2"}}}'),
        "deep": ("}", ', "act": {"sub": "a", "sub": "b"}}'),
    }[where]
    head = json.dumps({"typ": "at+jwt", "alg": "RS256", "kid": "rsa"})[:-1] + more[0]
    body = json.dumps(issuer.claims())[:-1] + more[1]
    signed = b".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (head, body))
    signature = jws.JWSRegistry().get_alg("RS256").sign(signed, issuer.keys[0])
    token = signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")
    assert "a member twice" in (await gate.refusal(b"Bearer " + token)).message


async def test_the_longest_life_can_be_another(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login")], max_lifetime=60.0)
    now = int(time.time())
    assert (await gate(issuer.token(exp=now + 60, iat=now))).client == "court"
    assert "at most 60 seconds" in (await gate.refusal(issuer.token(exp=now + 61, iat=now))).message


NO_NAMES = ["x" * 257, "x" * 4_500, "a\x00b", "\x1b[31mred", "a\nb", "a\x85b", " ", "\t", "\u2003\u00a0"]
NAMED: dict[str, Callable[[str], dict[str, Any]]] = {
    "official": lambda name: {"act": {"sub": name}},
    "official, as the subject": lambda name: {"sub": name},
    "official, before a client": lambda name: {"sub": name, "act": {"sub": "court"}},
    "client": lambda name: {"client_id": name},
    "actor": lambda name: {"act": {"sub": "r.haas", "act": {"sub": name}}},
}


@pytest.mark.parametrize("place", NAMED)
@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: ascii(name[:9]))
async def test_who_cannot_be_entered_by_name_is_refused(gate: Gate, issuer: TestIssuer, place: str, name: str) -> None:
    refusal = await gate.refusal(issuer.token(2, **NAMED[place](name)))
    assert f"The token's {place.partition(',')[0]} cannot be entered: its name must have 1 to 256" in refusal.message
    assert 'error="invalid_token"' in refusal.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: ascii(name[:9]))
async def test_an_official_by_a_claim_of_the_issuers_own_is_bounded_too(
    client: httpx.AsyncClient, issuer: TestIssuer, name: str
) -> None:
    gate = Gate(client, [IssuerSettings(issuer.url, "login", official_claim="staff_no")])
    assert "official cannot be entered" in (await gate.refusal(issuer.token(staff_no=name))).message


@pytest.mark.parametrize("name", ["x" * 256, "\U0001d11e" * 256, "m. ivanova", "ivanova@\u0441\u044a\u0434"])
async def test_a_name_that_can_be_entered_is_taken_as_it_is(gate: Gate, issuer: TestIssuer, name: str) -> None:
    assert (await gate(issuer.token(2, act={"sub": name}))).official == name
    assert (await gate(issuer.token(2, client_id=name, sub=name))).client == name


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300))
def test_whoever_is_taken_every_store_can_name(name: str) -> None:
    now = time.time()
    payload: dict[str, Any] = {"iss": "i", "aud": "a", "exp": now + 60, "iat": now, "sub": name, "client_id": "c"}
    try:
        made, _ = claims.requester(payload, claims.Terms("a"), now)
    except Unfit:
        return
    assert made.official == (name if name != "c" else None), "who acts for itself is no official"
    assert len(name.encode()) <= 1024
    assert name.isprintable() or not any(unicodedata.category(each) in ("Cc", "Cs") for each in name)
    assert name.strip()
