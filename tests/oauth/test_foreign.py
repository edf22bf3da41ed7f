"""Authorization servers that do not give RFC 9068's tokens: what is taken of them, where their entry says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config.oauth import AccessTokenSettings, IntrospectionSettings, IssuerSettings
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import AUDIENCE, Authority
from tests.oauth.canaille_served import GATEWAY, SECRETS, Canaille
from tests.oauth.gate import Gate

KEYCLOAK = AccessTokenSettings(typ="JWT", client_claim="azp")


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    made = TestIssuer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def canaille() -> Iterator[Canaille]:
    started = Canaille()
    yield started
    started.close()


def asked(server: Canaille, folder: Path, audience: str | None = GATEWAY) -> IssuerSettings:
    """Canaille as the page of `deploy/` has it."""
    (folder / "secret").write_text(SECRETS[GATEWAY])
    return IssuerSettings(
        server.url, "canaille", introspection=IntrospectionSettings(GATEWAY, folder / "secret"), audience=audience
    )


async def test_keycloaks_tokens_are_taken_where_its_entry_says_so(
    http: httpx.AsyncClient, authority: Authority
) -> None:
    token = f"Bearer {authority.token('keycloak-access')}"
    gate = Gate(http, [IssuerSettings(authority.url, "login", access_tokens=KEYCLOAK, official_claim="staff_id")])
    taken = await gate(token)
    assert (taken.client, taken.official, taken.scopes) == ("keycloak-access", None, {"inquire"})
    plain = Gate(http, [IssuerSettings(authority.url, "login")])
    assert "`typ` must be `at+jwt`" in (await plain.refusal(token)).message


async def test_keycloaks_id_token_never_is(http: httpx.AsyncClient, authority: Authority) -> None:
    gate = Gate(http, [IssuerSettings(authority.url, "login", access_tokens=KEYCLOAK)])
    assert "no access token" in (await gate.refusal(f"Bearer {authority.token('keycloak-id')}")).message


def like_keycloak(**changes: Any) -> dict[str, Any]:
    return {"client_id": ..., "azp": "court", "typ": "Bearer", "sub": "f1a7", **changes}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"typ": "ID"}, "call it `ID`"),
        ({"typ": "Refresh"}, "call it `Refresh`"),
        ({"typ": ["Bearer"]}, "no access token"),
        ({"typ": ..., "token_use": "id"}, "call it `id`"),
        ({"nonce": "x"}, "`nonce`"),
        ({"at_hash": "x"}, "`at_hash`"),
        ({"c_hash": "x"}, "`c_hash`"),
        ({"events": {}}, "`events`"),
        ({"typ": ..., "scope": ...}, "may be an `id_token`"),
        ({"typ": ..., "aud": [AUDIENCE, "court"]}, "may be an `id_token`"),
        ({"azp": ...}, "`azp` must name its client"),
        ({"azp": ["court"]}, "`azp` must name its client"),
        ({"client_id": "tax-service"}, "two clients"),
    ],
)
async def test_what_may_be_an_id_token_is_refused(
    http: httpx.AsyncClient, issuer: TestIssuer, changes: dict[str, Any], told: str
) -> None:
    gate = Gate(http, [IssuerSettings(issuer.url, "login", access_tokens=KEYCLOAK)])
    for good in (like_keycloak(), like_keycloak(client_id="court"), like_keycloak(typ=...)):
        assert (await gate(issuer.token(header={"typ": "JWT"}, **good).decode())).client == "court"
    bad = issuer.token(header={"typ": "JWT"}, **like_keycloak(**changes)).decode()
    assert told in (await gate.refusal(bad)).message


@pytest.mark.parametrize("typ", [..., "", "jose", "logout+jwt", "dpop+jwt", "secevent+jwt"])
async def test_no_other_type_is_taken_for_it(http: httpx.AsyncClient, issuer: TestIssuer, typ: Any) -> None:
    gate = Gate(http, [IssuerSettings(issuer.url, "login", access_tokens=KEYCLOAK)])
    refusal = await gate.refusal(issuer.token(header={"typ": typ}, **like_keycloak()).decode())
    assert "`typ` must be `JWT`" in refusal.message


async def test_each_issuer_has_its_audience(http: httpx.AsyncClient, issuer: TestIssuer) -> None:
    other = TestIssuer()
    try:
        gate = Gate(
            http, [IssuerSettings(issuer.url, "login", audience="dutybound"), IssuerSettings(other.url, "other")]
        )
        assert (await gate(issuer.token(aud="dutybound").decode())).client == "court"
        assert (await gate(other.token().decode())).client == "court"
        told = (await gate.refusal(issuer.token().decode())).message
        assert "`https://gateway.example`, and not `dutybound`" in told
        told = (await gate.refusal(other.token(aud=["dutybound", "account"]).decode())).message
        assert "`dutybound`, `account`, and not `https://gateway.example`" in told
    finally:
        other.close()


async def test_an_unknown_issuer_is_told_with_the_nearest(http: httpx.AsyncClient, issuer: TestIssuer) -> None:
    gate = Gate(http, [IssuerSettings(issuer.url, "login")])
    told = (await gate.refusal(issuer.token(iss=f"{issuer.url}/").decode())).message
    assert f"from `{issuer.url}/` (did you mean `{issuer.url}`?)" in told
    told = (await gate.refusal(issuer.token(iss="x").decode())).message
    assert "from `x`." in told


async def test_an_audience_that_is_not_told(http: httpx.AsyncClient, issuer: TestIssuer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    issuer.metadata = {"introspection_endpoint": f"{issuer.url}/introspect"}
    introspection = IntrospectionSettings("gateway", tmp_path / "secret")
    made = IssuerSettings(issuer.url, "login", introspection=introspection, audience_told=False)
    gate = Gate(http, [made])
    issuer.introspected = {"active": True, "client_id": "court", "exp": gate.now() + 60, "scope": "inquire"}
    assert (await gate("Bearer opaque")).client == "court"
    issuer.introspected |= {"aud": "https://other.example"}
    assert "another audience" in (await gate.refusal("Bearer told")).message
    assert "`aud`" in (await gate.refusal(issuer.token(aud=...).decode())).message


@pytest.mark.parametrize(
    "place",
    [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/realms/one",
        "/realms/one/.well-known/openid-configuration",
        "/elsewhere",
    ],
)
async def test_metadata_of_an_issuer_with_a_path(http: httpx.AsyncClient, issuer: TestIssuer, place: str) -> None:
    named = f"{issuer.url}/realms/one"
    issuer.places = {place: {"issuer": named, "jwks_uri": f"{issuer.url}/keys"}}
    url = f"{issuer.url}{place}" if place == "/elsewhere" else None
    gate = Gate(http, [IssuerSettings(named, "login", metadata_url=url)])
    assert (await gate(issuer.token(iss=named).decode())).client == "court"
    if url is not None:
        assert set(issuer.asked) == {"/elsewhere", "/keys"}


async def test_metadata_of_another_issuer_is_not_taken(http: httpx.AsyncClient, issuer: TestIssuer) -> None:
    named = f"{issuer.url}/realms/one"  # at the host's root stands the metadata of `issuer.url`
    gate = Gate(http, [IssuerSettings(named, "login")])
    assert "out of reach" in (await gate.refusal(issuer.token(iss=named).decode())).message


async def test_canailles_tokens_are_taken(http: httpx.AsyncClient, canaille: Canaille, tmp_path: Path) -> None:
    gate = Gate(http, [asked(canaille, tmp_path)])
    taken = await gate(f"Bearer {canaille.token()}")
    assert (taken.issuer, taken.client, taken.official) == (canaille.url, "tax-service", None)
    assert taken.scopes == {"inquire"}


async def test_canailles_tokens_for_others_and_revoked_ones_are_refused(
    http: httpx.AsyncClient, canaille: Canaille, tmp_path: Path
) -> None:
    gate = Gate(http, [asked(canaille, tmp_path)])
    assert "unknown to its issuer" in (await gate.refusal(f"Bearer {canaille.token('strangers')}")).message
    token = canaille.token()
    canaille.revoke(token)
    assert "unknown to its issuer" in (await gate.refusal(f"Bearer {token}")).message
    wrong = Gate(http, [asked(canaille, tmp_path, None)])
    told = (await wrong.refusal(f"Bearer {canaille.token()}")).message
    assert f"`gateway`, and not `{AUDIENCE}`" in told


async def test_canailles_tokens_live_too_long_by_its_defaults(http: httpx.AsyncClient, tmp_path: Path) -> None:
    server = Canaille(lifetime=864_000)
    try:
        gate = Gate(http, [asked(server, tmp_path)])
        assert "lives too long" in (await gate.refusal(f"Bearer {server.token()}")).message
    finally:
        server.close()
