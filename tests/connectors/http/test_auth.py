"""How a department knows the gateway: by a token in a file, by client credentials, by a certificate."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from connectors import rest
from connectors.base import Failure
from tests.configured import secret
from tests.connectors.asking import ACME, ask, connected, fault, fetch
from tests.connectors.certificates import Authority
from tests.connectors.rest_source import config, row
from tests.connectors.servers import ENDLESS, Handler, Request, always, answer, endlessly, hang_up, serve, silent

GOOD = answer({"items": [row()]})


async def test_a_token_file_is_sent_and_read_again_when_refused(tmp_path: Path) -> None:
    secret(tmp_path / "token", "first\n")

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD if request.headers["authorization"] == "Bearer second" else answer({}, 401))

    async with serve(handle) as server:
        auth = {"auth": {"kind": "bearer_file", "file": "token"}}
        async with connected(rest.build, {**config(server.url), **auth}, tmp_path) as connector:
            assert await fault(connector) == "SOURCE_UNAVAILABLE"
            secret(tmp_path / "token", "second\n")
            assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)
            (tmp_path / "token").unlink()
            assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)
    assert [request.headers["authorization"] for request in server.requests[:2]] == ["Bearer first"] * 2


def credentials(token_url: str) -> dict[str, Any]:
    return {
        "auth": {
            "kind": "client_credentials",
            "token_url": token_url,
            "client_id": "gate way",
            "client_secret_file": "secret",
            "scope": "read",
        }
    }


async def test_one_token_is_asked_for_and_kept(tmp_path: Path) -> None:
    secret(tmp_path / "secret", "s:ß\n")
    granted = answer({"access_token": "abc", "token_type": "Bearer", "expires_in": 3600})
    async with serve(always(granted)) as issuer, serve(always(GOOD)) as server:
        cfg = {**config(server.url), **credentials(issuer.url + "/token")}
        async with connected(rest.build, cfg, tmp_path) as connector:
            await asyncio.gather(*(fetch(connector, ask("arrears", "period")) for _ in range(10)))
    assert len(issuer.requests) == 1
    assert issuer.requests[0].body == b"grant_type=client_credentials&scope=read"
    basic = issuer.requests[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(basic) == b"gate+way:s%3A%C3%9F"
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer abc"}


async def test_a_token_that_is_refused_is_replaced_once(tmp_path: Path) -> None:
    secret(tmp_path / "secret", "s")
    count = 0

    async def issue(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(answer({"access_token": f"t{count}", "token_type": "bearer", "expires_in": 3600}))

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD if request.headers["authorization"] == "Bearer t2" else answer({}, 401))

    async with serve(issue) as issuer, serve(handle) as server:
        cfg = {**config(server.url), **credentials(issuer.url)}
        async with connected(rest.build, cfg, tmp_path) as connector:
            assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)
    assert count == 2


@pytest.mark.parametrize(
    "handler",
    [
        always(answer({"error": "invalid_client"}, 401)),
        always(answer({"token_type": "bearer"})),
        always(answer({"access_token": "a\nb", "token_type": "bearer"})),
        always(answer({"access_token": "a", "token_type": "mac"})),
        always(answer([])),
        always(answer(b"garbage")),
        always(answer({}, 302, location="/x")),
        hang_up,
        silent,
    ],
)
async def test_without_a_token_the_department_is_not_asked(handler: Handler, tmp_path: Path) -> None:
    secret(tmp_path / "secret", "s")
    async with serve(handler) as issuer, serve(always(GOOD)) as server:
        cfg = {**config(server.url, timeout="500ms"), **credentials(issuer.url)}
        async with connected(rest.build, cfg, tmp_path) as connector:
            assert await fault(connector) in ("SOURCE_UNAVAILABLE", "SOURCE_TIMEOUT")
    assert server.requests == []


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (always(answer({"error": "invalid_client"}, 401)), "status 401 (invalid_client); are `client_id` and"),
        (always(answer({"error": "x" * 90}, 400)), "answers with status 400"),
        (always(answer({}, 500)), "answers with status 500"),
        (always(answer({}, 302, location="/x")), "gives none: redirect; the configured address must answer itself"),
        (always(answer([])), "answers with no JSON object"),
        (always(answer({})), "answers without an `access_token`"),
        (
            always(answer({"access_token": "a", "token_type": "DPoP"})),
            "not of type `Bearer`; is it one for `dpop: true`?",
        ),
        (always(answer({"access_token": "a", "token_type": "bearer", "expires_in": -5})), "`expires_in` is no number"),
        (hang_up, "gives none: no connection, or it broke"),
    ],
)
async def test_why_there_is_no_token_is_said(handler: Handler, why: str, tmp_path: Path) -> None:
    """By the address, the status and the key to change; never by what else the answer says."""
    secret(tmp_path / "secret", "s")
    async with serve(handler) as issuer:
        cfg = {**config("http://127.0.0.1:9"), **credentials(issuer.url)}
        async with connected(rest.build, cfg, tmp_path) as connector:
            outcome = (await fetch(connector, ask("arrears", "period")))[ACME, "arrears"]
    assert isinstance(outcome, Failure)
    assert why in outcome.detail
    assert "xxx" not in outcome.detail


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_answer_of_a_token_endpoint_is_given_up(what: str, tmp_path: Path) -> None:
    """Not by time, of which there is plenty here: by its bytes, lines or chunks."""
    secret(tmp_path / "secret", "s")
    async with serve(endlessly(*ENDLESS[what])) as issuer, serve(always(GOOD)) as server:
        cfg = {**config(server.url, timeout="1m"), **credentials(issuer.url)}
        async with connected(rest.build, cfg, tmp_path) as connector:
            assert await fault(connector, within=60.0) == "SOURCE_UNAVAILABLE"
    assert server.requests == []


async def test_mutual_tls(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    ours.issue("gateway", client=True)
    tls = {
        "tls": {"ca_file": "ours.pem"},
        "auth": {"kind": "mtls", "cert_file": "gateway.crt", "key_file": "gateway.key"},
    }
    async with (
        serve(always(GOOD), ours.server_context(clients=ours)) as server,
        connected(rest.build, {**config(server.url), **tls}, tmp_path) as connector,
    ):
        assert isinstance((await fetch(connector, ask("arrears", "period")))[ACME, "arrears"], list)
    assert server.peer_certificates[0]["subject"] == ((("commonName", "gateway"),),)
