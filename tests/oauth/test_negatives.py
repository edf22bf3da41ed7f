"""RFC 8725 at a running gateway: every forged, confused or misused token is a 401 with a true challenge, and no more.

The issuer is the tests' own, because no honest one makes such tokens. It is asked about opaque tokens too, and calls
every one of them active: no JWT can pass for one.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import AUDIENCE
from tests.oauth.gate import introspection
from tests.oauth.serving import IssuerSettings, Serving, ask

Forge = Callable[[TestIssuer], str]


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bare(token: bytes) -> str:
    return token.decode().removeprefix("Bearer ")


def header(**changes: Any) -> Forge:
    """Signed by the issuer, with another header."""
    return lambda issuer: bare(issuer.token(header=changes))


def claims(**changes: Any) -> Forge:
    """Signed by the issuer, with other claims."""
    return lambda issuer: bare(issuer.token(**changes))


def by_hand(heading: dict[str, Any], signature: bytes = b"") -> Forge:
    """Any header over the issuer's claims, with these bytes as its signature."""
    return lambda issuer: ".".join([part({"typ": "at+jwt", **heading}), part(issuer.claims()), part(signature)])


def mac(secret: Callable[[TestIssuer], bytes], **more: Any) -> Forge:
    """HS256 with something public as the secret: the key confusion of RFC 8725, 2.1."""

    def forge(issuer: TestIssuer) -> str:
        signed = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'rsa', **more})}.{part(issuer.claims())}"
        return f"{signed}.{part(hmac.digest(secret(issuer), signed.encode(), 'sha256'))}"

    return forge


def by_thief(**heading: Any) -> Forge:
    """Signed by a key of the thief's own, which the header offers in every way there is."""

    def forge(issuer: TestIssuer) -> str:
        thief = ECKey.generate_key("P-256")
        public = thief.as_dict(private=False)
        offered = {name: public if value is None else value for name, value in heading.items()}
        members = {"alg": "ES256", "typ": "at+jwt", "kid": "ec", **offered}
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        return jws.serialize_compact(members, json.dumps(issuer.claims()), thief, registry=registry)

    return forge


def by_published_key_of_other_algorithm(issuer: TestIssuer) -> str:
    registry = jws.JWSRegistry(algorithms=["PS256"], strict_check_header=False)
    heading = {"alg": "PS256", "typ": "at+jwt", "kid": "rsa"}
    return jws.serialize_compact(heading, json.dumps(issuer.claims()), issuer.keys[0], registry=registry)


def with_no_json(issuer: TestIssuer) -> str:
    """Well signed, over a header that some decoders read, and not all, and that has `alg` twice."""
    head = b'{"typ": "at+jwt", "alg": "none", "alg": "RS256", "kid": "rsa", "x": NaN}'
    signed = f"{part(head)}.{part(issuer.claims())}"
    return f"{signed}.{part(jws.JWSRegistry.algorithms['RS256'].sign(signed.encode(), issuer.keys[0]))}"


def changed(issuer: TestIssuer) -> str:
    head, _, signature = bare(issuer.token()).split(".")
    return f"{head}.{part(issuer.claims(client_id='tax-service'))}.{signature}"


def of_two(issuer: TestIssuer) -> str:
    """The header and claims of one token, the signature of another."""
    head, body, _ = bare(issuer.token(client_id="tax-service")).split(".")
    return f"{head}.{body}.{bare(issuer.token()).split('.')[2]}"


NOW = int(time.time())
FORGED: dict[str, Forge] = {
    "alg none": by_hand({"alg": "none"}),
    "alg none in other letters": by_hand({"alg": "nOnE", "kid": "rsa"}),
    "alg none with a signature": by_hand({"alg": "none", "kid": "rsa"}, b"x" * 256),
    "no alg": by_hand({"kid": "rsa"}, b"x" * 256),
    "no signature": by_hand({"alg": "RS256", "kid": "rsa"}),
    "HS256 with the RSA key's PEM": mac(lambda issuer: issuer.keys[0].as_pem(private=False)),
    "HS256 with the RSA key's JWK": mac(lambda issuer: json.dumps(issuer.keys[0].as_dict(private=False)).encode()),
    "HS256 with the EC key's PEM": mac(lambda issuer: issuer.keys[1].as_pem(private=False), kid="ec"),
    "HS256 with no secret": mac(lambda issuer: b""),
    "RS256 by HMAC": mac(lambda issuer: issuer.keys[0].as_pem(private=False), alg="RS256"),
    "PS256 with a published key": by_published_key_of_other_algorithm,
    "the zero signature of ES256": by_hand({"alg": "ES256", "kid": "ec"}, bytes(64)),
    "a short signature": by_hand({"alg": "ES256", "kid": "ec"}, b"x"),
    "RS256 with the EC key's id": header(kid="ec"),
    "an unknown key id": header(kid="unknown"),
    "a path as key id": header(kid="../../../../dev/null"),
    "SQL as key id": header(kid="' OR '1'='1"),
    "a long key id": header(kid="k" * 3000),
    "a key id that is no text": by_hand({"alg": "RS256", "kid": 5}, b"x" * 256),
    "a key of the thief's, with a published id": by_thief(),
    "a key in the header": by_thief(jwk=None, kid="thief"),
    "a key set's address in the header": by_thief(jku="https://thief.example/keys"),
    "a certificate's address in the header": by_thief(x5u="https://thief.example/cert"),
    "typ JWT": header(typ="JWT"),
    "no typ": header(typ=...),
    "typ of a proof": header(typ="dpop+jwt"),
    "typ of a logout token": header(typ="logout+jwt"),
    "a critical extension": by_hand({"alg": "RS256", "kid": "rsa", "crit": ["exp"], "exp": 1}, b"x" * 256),
    "an unencoded payload": by_hand({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": False}, b"x" * 256),
    "changed claims": changed,
    "another token's signature": of_two,
    "another issuer": claims(iss="https://evil.example"),
    "an issuer that is a list": claims(iss=["https://evil.example"]),
    "another audience": claims(aud="https://other.example"),
    "an audience that begins alike": claims(aud=AUDIENCE + ".evil.example"),
    "no audience": claims(aud=...),
    "expired": claims(exp=NOW - 1),
    "no expiry": claims(exp=...),
    "not yet": claims(nbf=NOW + 3600),
    "issued in the future": claims(iat=NOW + 3600),
    "no client": claims(client_id=...),
    "no subject": claims(sub=...),
    "bound in an unknown way": claims(cnf={"x5t#S256": "A" * 43, "pop": "x"}),
    "bound to a certificate": claims(cnf={"x5t#S256": "A" * 43}),
    "a huge token": claims(note="x" * 9000),
    "a deep token": by_hand({"alg": "RS256", "kid": "rsa", "x": json.loads("[" * 500 + "]" * 500)}, b"x"),
    "a header with what is no JSON": with_no_json,
    "five parts": lambda issuer: ".".join([part({"alg": "dir", "enc": "A256GCM"}), "", part(b"iv"), part(b"x"), "x"]),
    "two parts": lambda issuer: ".".join(bare(issuer.token()).split(".")[:2]),
    "padding": lambda issuer: bare(issuer.token()) + "==",
    "a token in quotes": lambda issuer: f'"{bare(issuer.token())}"',
    "two tokens": lambda issuer: f"{bare(issuer.token())} {bare(issuer.token())}",
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[TestIssuer]:
    made = TestIssuer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def serving(issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("negatives")
    asked = introspection(folder, url=f"{issuer.url}/introspect")
    issuer.metadata = {"introspection_endpoint": f"{issuer.url}/introspect"}
    issuer.introspected = {"active": True, "client_id": "court", "aud": AUDIENCE, "exp": NOW + 3600, "scope": "inquire"}
    started = Serving(folder, IssuerSettings(issuer.url, "login", introspection=asked), AUDIENCE, None)
    try:
        started.ready()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as opened:
        yield opened


def test_the_same_gateway_takes_what_is_right(serving: Serving, client: httpx.Client, issuer: TestIssuer) -> None:
    for key in range(3):
        assert ask(client, serving.url, issuer.token(key).decode()).status_code == 200
    assert ask(client, serving.url, "Bearer opaque").status_code == 200
    assert issuer.asked["/introspect"] == 1


@pytest.mark.parametrize("name", FORGED)
def test_it_is_refused(serving: Serving, client: httpx.Client, issuer: TestIssuer, name: str) -> None:
    asked = issuer.asked["/introspect"]
    answer = ask(client, serving.url, f"Bearer {FORGED[name](issuer)}")
    assert answer.status_code == 401, answer.text
    metadata = f"{serving.url}/.well-known/oauth-protected-resource"
    pattern = rf'Bearer resource_metadata="{re.escape(metadata)}", error="invalid_token", error_description="[ -~]+"'
    assert re.fullmatch(pattern, answer.headers["WWW-Authenticate"])
    body = answer.json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["UNAUTHENTICATED"]
    assert "data" not in body
    assert issuer.asked["/introspect"] == asked, "a JWT was asked about instead of verified"


def test_without_a_token(serving: Serving, client: httpx.Client) -> None:
    answer = client.post(f"{serving.url}/graphql", content=b"{}", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401
    assert "error=" not in answer.headers["WWW-Authenticate"]
    assert re.findall(r"(\w+) resource_metadata=", answer.headers["WWW-Authenticate"]) == ["Bearer", "DPoP"]


def test_a_weak_key_signs_nothing(serving: Serving, client: httpx.Client, issuer: TestIssuer) -> None:
    """RFC 8725, 3.5: an RSA key under 2048 bits that the issuer publishes is passed over."""
    weak = RSAKey.generate_key(1024, {"kid": "weak"}, private=True)
    issuer.extra_jwks = [weak.as_dict(private=False)]
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    heading = {"alg": "RS256", "typ": "at+jwt", "kid": "weak"}
    token = jws.serialize_compact(heading, json.dumps(issuer.claims()), weak, registry=registry)
    assert ask(client, serving.url, f"Bearer {token}").status_code == 401
