"""Routes that are no GraphQL: what their address names is looked at before they do anything."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette

from gateway.acts.called import Acted
from gateway.acts.plain import Asked, Plain
from gateway.config.oauth import IssuerSettings
from gateway.identity.issuers import new_client
from tests.inquiry.authenticating import Gate
from tests.inquiry.issuer import TestIssuer

URL = "https://gateway.example"


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
