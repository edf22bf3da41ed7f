"""Routes that are no GraphQL: what their address names is looked at before they do anything."""

from __future__ import annotations

import httpx
import pytest
from joserfc.jwk import ECKey
from starlette.applications import Starlette

from gateway.acts.called import Acted
from gateway.acts.plain import Asked, Plain
from gateway.config.oauth import IssuerSettings
from gateway.identity.issuers import new_client
from tests.inquiry.authenticating import Gate
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import proof
from tests.oauth.test_dpop import proofs

URL = "https://gateway.example"


@pytest.mark.parametrize(
    ("written", "read"), [("a", "a"), ("a%20b", "a b"), ("%C3%A9", "\u00e9"), ("a%3Fb", "a?b"), ("a:b@(c)", "a:b@(c)")]
)
async def test_a_proof_is_for_the_address_as_it_is_written(written: str, read: str) -> None:
    issuer, key = TestIssuer(), ECKey.generate_key("P-256")
    token = issuer.token(cnf={"jkt": key.thumbprint()}).decode().removeprefix("Bearer ")

    async def do(asked: Asked) -> Acted:
        return Acted({"id": asked.path["id"]})

    async with new_client() as client:
        gate = Gate(client, [IssuerSettings(issuer.url, "login")], proofs=proofs())
        plain = Plain(lambda: gate.authenticator, URL, lambda _, error: None)
        app = Starlette(routes=[plain.route("POST", "/things/{id}", do)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as caller:
            answers = [
                await caller.post(
                    f"/things/{written}",
                    headers={"authorization": f"DPoP {token}", "dpop": proof(key, token, url=f"{URL}/things/{shown}")},
                )
                for shown in (written, "another")
            ]
    assert (answers[0].status_code, answers[0].json()) == (200, {"id": read})
    assert answers[1].status_code == 401
    assert f"must be `{URL}/things/{written}`" in answers[1].json()["detail"]
    issuer.close()


async def test_at_an_address_with_a_nul_there_is_nothing() -> None:
    """PostgreSQL cannot be asked about it."""
    issuer, defects, asked_for = TestIssuer(), list[BaseException](), list[str]()

    async def do(asked: Asked) -> Acted:
        asked_for.append(asked.path["id"])
        return Acted({"id": asked.path["id"]})

    async with new_client() as client:
        gate = Gate(client, [IssuerSettings(issuer.url, "login")])
        plain = Plain(lambda: gate.authenticator, URL, lambda _, error: defects.append(error))
        app = Starlette(routes=[plain.route("POST", "/things/{id}", do)])
        headers = {"authorization": issuer.token().decode()}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL, headers=headers) as caller:
            assert (await caller.post("/things/a")).json() == {"id": "a"}
            answer = await caller.post("/things/a%00b")
    assert (answer.status_code, answer.json()["code"]) == (404, "MATTER_NOT_FOUND")
    assert (asked_for, defects) == (["a"], [])
    issuer.close()
