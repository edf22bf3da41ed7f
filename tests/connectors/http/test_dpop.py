"""Tokens bound to a key, outward (RFC 9449): by an authorization server that others wrote, and a checker of proofs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from connectors import rest
from connectors.http.dpop import Proving
from connectors.http.transport import Response
from gateway.config.oauth import DPoPSettings
from gateway.errors import Unfit
from gateway.identity.dpop import Proofs, nonce_secret
from gateway.identity.replay import OwnReplays
from tests.configured import secret
from tests.connectors.asking import ACME, SHAPES, ask, connected, fault, fetch, told, written
from tests.connectors.rest_source import config, row
from tests.connectors.servers import Request, Server, answer, serve
from tests.oauth.authority import SECRET, Authority, b64

BASIC = ("gateway", quote_plus(SECRET))
NONCES = nonce_secret(bytes(32))


@pytest.fixture(scope="module")
def authority() -> Any:
    started = Authority()
    yield started
    started.close()


def thumbprint(proof: str) -> str:
    """Of the key that a proof is signed with."""
    return ECKey.import_key(json.loads(b64_decoded(proof.partition(".")[0]))["jwk"]).thumbprint()


def b64_decoded(text: str) -> bytes:

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Department:
    """A department that takes a token with a proof of its key only, by the gateway's own checker of proofs."""

    def __init__(self, *, nonce: bool) -> None:
        self.nonce = nonce
        self.server: Server | None = None
        self.proofs: list[str] = []
        self.tokens: set[str] = set()
        self.refused: list[str] = []
        self.checker: Proofs | None = None

    async def handle(self, request: Request, writer: asyncio.StreamWriter) -> None:
        assert self.server is not None
        url = f"{self.server.url}{request.target}"
        if self.checker is None:
            self.checker = Proofs(url, DPoPSettings(nonce=self.nonce), [NONCES], OwnReplays())
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        proof = request.headers.get("dpop", "")
        self.proofs.append(proof)
        try:
            if kind != "DPoP" or request.names.count("dpop") != 1:
                raise Unfit("no bound token", "invalid_token")
            self.tokens.add(token)
            own = thumbprint(proof)
            await self.checker.check(proof.encode(), token.encode(), own, request.method, time.time(), url)
        except Unfit as unfit:
            self.refused.append(str(unfit))
            nonce = {"dpop_nonce": unfit.nonce} if unfit.nonce else {}
            writer.write(answer({}, 401, www_authenticate="DPoP", **nonce))
        else:
            writer.write(answer({"items": [row()]}))


def auth(url: str, folder: Path, client_secret: str = SECRET, **more: Any) -> dict[str, Any]:
    return {
        "kind": "client_credentials", "token_url": url, "client_id": "gateway",
        "client_secret_file": str(secret(folder / "client", client_secret)), **more,
    }  # fmt: skip


@pytest.mark.parametrize("nonce", [False, True], ids=["plain", "nonce"])
@pytest.mark.parametrize("transport", ["pooled", "httpx"])
async def test_a_token_of_a_real_server_is_bound_and_proved_anew_for_each_request(
    authority: Authority, tmp_path: Path, transport: str, nonce: bool
) -> None:
    department = Department(nonce=nonce)
    async with serve(department.handle) as server:
        department.server = server
        source = {
            **config(server.url),
            "transport": transport,
            "auth": auth(f"{authority.url}/token", tmp_path, dpop=True, scope="inquire"),
        }
        async with connected(rest.build, source) as connector:
            for _ in range(3):
                outcomes = await fetch(connector, ask("arrears", "period"))
                assert told(outcomes[ACME, "arrears"], "period") == [("2025-1",)]
    assert len(department.refused) == (1 if nonce else 0), department.refused
    assert len(set(department.proofs)) == len(department.proofs) == (4 if nonce else 3)
    [token], [own] = department.tokens, {thumbprint(proof) for proof in department.proofs}
    async with httpx.AsyncClient(auth=BASIC, timeout=30) as client:
        about = (await client.post(f"{authority.url}/token/introspection", data={"token": token})).json()
    assert (about["active"], about["cnf"]) == (True, {"jkt": own})


def issuer(granted: dict[str, Any], *, nonce: str = "") -> Any:
    """A token endpoint that notes the proofs that it is shown, and asks for a nonce where one is given."""
    shown: list[dict[str, Any]] = []

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.method != "POST":
            writer.write(answer({"items": [row()]}))
            return
        proof = request.headers.get("dpop", "")
        key = ECKey.import_key(json.loads(b64_decoded(proof.partition(".")[0]))["jwk"])
        claims = json.loads(jws.deserialize_compact(proof, key, algorithms=["ES256"]).payload)
        shown.append(claims)
        if nonce and claims.get("nonce") != nonce:
            writer.write(answer({"error": "use_dpop_nonce"}, 400, dpop_nonce=nonce))
        else:
            writer.write(answer(granted))

    return handle, shown


async def test_a_token_endpoint_that_asks_for_a_nonce_has_it_at_once(tmp_path: Path) -> None:
    handle, shown = issuer({"access_token": "t", "token_type": "DPoP", "expires_in": 600}, nonce="n-1")
    async with serve(handle) as server:
        source = {**config(server.url), "auth": auth(f"{server.url}/token", tmp_path, dpop=True)}
        async with connected(rest.build, source) as connector:
            for _ in range(2):
                await fetch(connector, ask("arrears", "period"))
    assert [(each["htm"], each["htu"], each.get("nonce")) for each in shown] == [
        ("POST", f"{server.url}/token", None),
        ("POST", f"{server.url}/token", "n-1"),
    ]
    assert "ath" not in shown[0]
    asked = [request for request in server.requests if request.method == "GET"]
    [proofs] = [[json.loads(b64_decoded(each.headers["dpop"].split(".")[1])) for each in asked]]
    assert {each["htu"] for each in proofs} == {f"{server.url}/subjects/LEI/{ACME.value}/arrears"}
    assert len({each["jti"] for each in proofs}) == 2
    assert all("nonce" not in each for each in proofs)  # that of another server


@pytest.mark.parametrize(
    ("granted", "dpop"),
    [
        ({"access_token": "t", "token_type": "Bearer"}, True),
        ({"access_token": "t"}, True),
        ({"access_token": "t", "token_type": "DPoP"}, False),
    ],
)
async def test_a_token_of_the_other_kind_is_none(granted: dict[str, Any], dpop: bool, tmp_path: Path) -> None:
    async def grants(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(granted if request.method == "POST" else {"items": [row()]}))

    async with serve(grants) as server:
        source = {**config(server.url), "auth": auth(f"{server.url}/token", tmp_path, dpop=dpop)}
        async with connected(rest.build, source) as connector:
            assert await fault(connector, ask("arrears", "period")) == "SOURCE_UNAVAILABLE"
    assert {request.method for request in server.requests} == {"POST"}


async def test_a_department_that_takes_no_proof_is_asked_a_bounded_number_of_times(tmp_path: Path) -> None:
    """A nonce once, a new token once; and then it is a failure as any other."""
    granted = {"access_token": "t", "token_type": "DPoP", "expires_in": 600}
    nonces = iter(range(100))

    async def never(request: Request, writer: asyncio.StreamWriter) -> None:
        fresh = {"dpop_nonce": f"n-{next(nonces)}"}
        writer.write(answer(granted) if request.method == "POST" else answer({}, 401, **fresh))

    async with serve(never) as server:
        source = {**config(server.url), "auth": auth(f"{server.url}/token", tmp_path, dpop=True)}
        async with connected(rest.build, source) as connector:
            assert await fault(connector, ask("arrears", "period")) == "SOURCE_UNAVAILABLE"
    methods = [request.method for request in server.requests]
    assert (methods.count("POST"), methods.count("GET")) == (2, 3)


@pytest.mark.parametrize("nonce", ["", "x" * 1025, "\u00e9"])
def test_a_nonce_that_cannot_be_one_is_not_kept(nonce: str) -> None:
    proving = Proving()
    assert not proving.heard(Response(401, b"", headers=(("dpop-nonce", nonce),)))
    assert not proving.heard(Response(401, b"", headers=(("dpop-nonce", "a"), ("dpop-nonce", "b"))))
    claims = json.loads(b64_decoded(proving.proof("GET", "https://a.example/x?y#z", "token").split(".")[1]))
    assert "nonce" not in claims
    assert (claims["htu"], claims["ath"]) == (
        "https://a.example/x",
        b64(hashlib.sha256(b"token").digest()),
    )


def test_a_proof_is_no_header_to_set() -> None:
    node = written({**config("https://tax.example"), "headers": {"DPoP": "x"}})
    rest.build(node, SHAPES)
    assert [each.path for each in node.problems] == ["headers.DPoP"]
