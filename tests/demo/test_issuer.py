"""The authorization server: RFC 6749 requests and errors, RFC 8414 metadata, RFC 9068 tokens, rotation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from deploy.demo.clients import REGISTERED
from tests.demo.conftest import starting

AUDIENCE = "http://127.0.0.1:9/gateway"


class Login:
    """A running authorization server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, client: str = "market-regulator", secret: str | None = None, **form: str) -> httpx.Response:
        data = {"grant_type": "client_credentials", **form}
        return httpx.post(f"{self.url}/token", data=data, auth=(client, secret or f"secret of {client}"))

    def keys(self) -> KeySet:
        return KeySet.import_key_set(httpx.get(f"{self.url}/jwks").json())

    def claims(self, client: str, **form: str) -> tuple[dict[str, Any], dict[str, Any]]:
        answer = self.post(client, **form)
        assert answer.status_code == 200, answer.text
        decoded = jwt.decode(answer.json()["access_token"], self.keys(), algorithms=["ES256", "RS256"])
        return decoded.header, decoded.claims


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    folder = tmp_path_factory.mktemp("issuer")
    (folder / "clients.json").write_text(json.dumps({client: f"secret of {client}" for client in REGISTERED}))
    with starting(folder, folder) as start:
        _, port = start("issuer", "--audience", AUDIENCE)
        yield Login(f"http://127.0.0.1:{port}")


def test_a_token_is_an_rfc_9068_one(login: Login) -> None:
    header, claims = login.claims("market-regulator", scope="inquire", official="p.sorel")
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "ES256"
    assert claims["iss"] == login.url
    assert claims["aud"] == AUDIENCE
    assert claims["sub"] == claims["client_id"] == "market-regulator"
    assert claims["act"] == {"sub": "p.sorel"}
    assert claims["scope"] == "inquire"
    assert claims["exp"] > claims["iat"]
    assert claims["jti"]
    header, claims = login.claims("civil-court")
    assert header["alg"] == "RS256"
    assert "act" not in claims
    assert claims["scope"] == "inquire"


def test_post_authentication_and_no_caching(login: Login) -> None:
    answer = httpx.post(
        f"{login.url}/token",
        data={
            "grant_type": "client_credentials",
            "client_id": "tax-service",
            "client_secret": "secret of tax-service",
            "scope": "inquire:income-statements",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["scope"] == "inquire:income-statements"


@pytest.mark.parametrize(
    ("status", "error", "form"),
    [
        (401, "invalid_client", {"secret": "wrong"}),
        (401, "invalid_client", {"client": "nobody"}),
        (400, "unsupported_grant_type", {"grant_type": "password"}),
        (400, "invalid_scope", {"scope": "oversight"}),
        (400, "invalid_scope", {"scope": "inquire self"}),
        (400, "invalid_request", {"official": "r.haas"}),
        (400, "invalid_request", {"authorization_details": "{}"}),
        (400, "invalid_request", {"authorization_details": "["}),
        (400, "invalid_request", {"client": "citizen-portal", "scope": "self", "identifier_scheme": "PIN"}),
        (400, "invalid_request", {"official": "m.ivanova", "auth_age": "-1"}),
        (400, "invalid_request", {"official": "m.ivanova", "auth_age": "an hour"}),
        (400, "invalid_scope", {"client": "tax-stewards", "scope": "oversight"}),
        (400, "invalid_request", {"client": "tax-stewards", "official": "c.santos"}),
    ],
)
def test_errors(login: Login, status: int, error: str, form: dict[str, str]) -> None:
    answer = login.post(**form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.json()


def test_a_repeated_parameter_is_refused(login: Login) -> None:
    body = "grant_type=client_credentials&scope=inquire&scope=inquire"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    auth = ("market-regulator", "secret of market-regulator")
    answer = httpx.post(f"{login.url}/token", content=body, headers=headers, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_citizen_and_authorization_details(login: Login) -> None:
    _, claims = login.claims("citizen-portal", scope="self", identifier_scheme="PIN", identifier_value="4874204938")
    assert claims["identifier"] == {"scheme": "PIN", "value": "4874204938"}
    assert claims["sub"] not in ("citizen-portal", "4874204938")
    assert "act" not in claims
    details = [{"type": "subject-inquiry", "purpose": "LICENCE_RENEWAL"}]
    _, claims = login.claims("market-regulator", authorization_details=json.dumps(details))
    assert claims["authorization_details"] == details


def test_the_person_who_signed_in_and_when(login: Login) -> None:
    def own(value: str, **form: str) -> dict[str, Any]:
        asked = {"scope": "self", "identifier_scheme": "LEI", "identifier_value": value, **form}
        return login.claims("citizen-portal", **asked)[1]

    first, again, other = own("A"), own("A"), own("B")
    assert first["sub"] == again["sub"] != other["sub"], "by default one person for each identifier"
    assert own("A", person="ana")["sub"] == own("B", person="ana")["sub"] == "ana"
    assert 0 <= first["iat"] - first["auth_time"] <= 2
    old = own("A", auth_age="601")
    assert 601 <= old["iat"] - old["auth_time"] <= 603
    _, steward = login.claims("tax-stewards", official="t.weber", auth_age="601")
    assert 601 <= steward["iat"] - steward["auth_time"] <= 603
    assert (steward["act"], steward["scope"]) == ({"sub": "t.weber"}, "steward")
    _, system = login.claims("tax-service", scope="steward")
    assert "auth_time" not in system, "a system does not sign in"


@pytest.mark.parametrize("path", ["oauth-authorization-server", "openid-configuration"])
def test_metadata(login: Login, path: str) -> None:
    told = httpx.get(f"{login.url}/.well-known/{path}").json()
    assert told["issuer"] == login.url
    assert httpx.get(told["jwks_uri"]).json()["keys"]
    assert told["token_endpoint"] == f"{login.url}/token"


def test_keys_rotate_and_the_last_ones_stay_published(login: Login) -> None:
    token = login.post().json()["access_token"]
    first = {key["kid"] for key in httpx.get(f"{login.url}/jwks").json()["keys"]}
    httpx.post(f"{login.url}/rotate").raise_for_status()
    jwt.decode(token, login.keys(), algorithms=["ES256"])
    newer = login.post().json()["access_token"]
    kid = jws.extract_compact(newer.encode()).headers()["kid"]
    assert kid not in first
    httpx.post(f"{login.url}/rotate").raise_for_status()
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, login.keys(), algorithms=["ES256"])
    published = httpx.get(f"{login.url}/jwks").json()["keys"]
    assert len(published) == 4
    assert not any("d" in key for key in published)
