"""Acts over HTTP, with real tokens: a whole gateway that serves two of them by handlers of the test's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from deploy.demo.configuration import USUAL
from gateway import app, check
from gateway.acts.called import Acted, Called
from gateway.acts.graphql import Acts
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.proof import key_files
from tests import configured
from tests.docs.reading import ROOT
from tests.inquiry.issuer import TestIssuer
from tests.ports import free_port
from tests.waiting import until_async

RESPONSE = "application/graphql-response+json"
OPT_OUT = "mutation($d: ID!) { it: setOptOut(dataset: $d, optedOut: true) { dataset optedOut since } }"


class Served:
    """A gateway at an address, and its issuer; `lost` is a dataset at which its handler fails."""

    def __init__(self, url: str, issuer: TestIssuer) -> None:
        self.url, self.issuer, self.done = url, issuer, list[str]()

    async def opt_out(self, requester: Requester, called: Called) -> Acted:
        assert requester.identifier is not None
        dataset = called.arguments["dataset"]
        if dataset == "gone":
            raise Refusal(Code.MATTER_NOT_FOUND, "there is none of this id for you")
        if dataset == "lost":
            raise LookupError(dataset)
        self.done.append(dataset)
        return Acted(
            {"dataset": dataset, "optedOut": called.arguments["optedOut"]}, b'{"id":"a","at":"t","receipt":"r"}'
        )

    async def me(self, requester: Requester, called: Called) -> Acted:
        assert requester.identifier is not None
        scheme, value = requester.identifier
        return Acted({"scheme": scheme, "value": value})

    async def ask(
        self, query: str, media: str = RESPONSE, *, claims: Mapping[str, Any] = {}, **variables: Any
    ) -> httpx.Response:
        own = {"identifier": {"scheme": "PIN", "value": "0000000019"}, "scope": "self", "client_id": "citizen-portal"}
        token = self.issuer.token(aud=self.url, sub="person-1", **{**own, **claims})
        async with httpx.AsyncClient() as client:
            return await client.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": variables},
                headers={"authorization": token.decode(), "accept": media},
                timeout=20,
            )


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    issuer, port = TestIssuer(), free_port()
    url = f"http://127.0.0.1:{port}"
    departments = Template((ROOT / "deploy" / "demo" / "sources.yaml").read_text())  # nobody asks them here
    (tmp_path / "sources.yaml").write_text(departments.substitute(dict.fromkeys(USUAL, 9)))
    registry = {"kind": "case-rest", "url": "http://127.0.0.1:9"}
    file = configured.write(
        tmp_path,
        listen=f"127.0.0.1:{port}",
        public_url=url,
        policies=str(ROOT / "policies"),
        oauth={"issuers": [{"issuer": issuer.url, "name": "login"}]},
        case_registries={"market": registry, "courts": registry},
    )
    key_files.generate(tmp_path / "ledger.key")
    gateway = app.build(*check.load(file, {}))
    made = Served(url, issuer)
    server = uvicorn.Server(uvicorn.Config(gateway, port=port, log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve())
    await until_async("the gateway to listen", lambda: server.started)
    acts = Acts(gateway._serving.planner._schema, {"me": made.me, "setOptOut": made.opt_out})
    serving = msgspec.structs.replace(gateway._serving, acts=acts)
    gateway._generations.exchange(msgspec.structs.replace(gateway._generations.current, serving=lambda: serving), ())
    yield made
    server.should_exit = True
    await task
    issuer.close()
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


async def test_acts_over_http(served: Served) -> None:
    for media in (RESPONSE, "application/json"):
        done = await served.ask(OPT_OUT, media, d="tax-registrations")
        assert (done.status_code, done.headers["content-type"]) == (200, f"{media}; charset=utf-8")
        assert done.json() == {
            "data": {"it": {"dataset": "tax-registrations", "optedOut": True, "since": None}},
            "extensions": {"act": {"id": "a", "at": "t", "receipt": "r"}},
        }
        gone = await served.ask(OPT_OUT, media, d="gone")
        assert gone.status_code == 200
        assert gone.json()["data"] is None
        [error] = gone.json()["errors"]
        assert (error["path"], error["extensions"]) == (["it"], {"code": "MATTER_NOT_FOUND"})
    assert served.done == ["tax-registrations"] * 2
    mine = await served.ask("{ me { scheme value } }")
    assert mine.json() == {"data": {"me": {"scheme": "PIN", "value": "0000000019"}}}


async def test_what_is_not_so_over_http(served: Served) -> None:
    both = await served.ask(OPT_OUT, claims={"scope": "self inquire"}, d="tax-registrations")
    assert (both.status_code, both.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    for claims, scope in (
        ({"scope": "inquire"}, "self"),
        ({"scope": "mail"}, "inquire"),
    ):
        refused = await served.ask(OPT_OUT, claims=claims, d="tax-registrations")
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
        assert f'scope="{scope}"' in refused.headers["www-authenticate"]
    other = await served.ask('mutation { withdrawMatter(id: "1") { id } }')
    assert (other.status_code, other.json()["errors"][0]["extensions"]["code"]) == (400, "GRAPHQL_OPERATION_INVALID")
    defect = await served.ask(OPT_OUT, d="lost")
    assert defect.status_code == 500
    [error] = defect.json()["errors"]
    assert error["extensions"].keys() == {"code", "id"}
    assert "data" not in defect.json()
    assert served.done == []
