"""Two gateway processes that share one Valkey and one store, a thousand requests at once, counted at a department."""

from __future__ import annotations

import asyncio
import collections
import datetime
import json
import random
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt

from deploy.demo.guard import Guard
from deploy.demo.processes import Child
from tests.bench import data, departments, world
from tests.oauth.valkey import ValkeyServer
from tests.ports import free_port
from tests.services import Postgres, postgres

OFFICIAL, REQUESTER, FREQUENCY = 30, 50, 5
SUBJECTS = data.subjects(data.GROUPS["200"])[:200]
THEIRS = {"m.ivanova": SUBJECTS[:100], "p.sorel": SUBJECTS[100:]}
FIELDS = "{ alphaNotices { reference } }"
ASKED = {
    1: ("$a: IdentifierInput!", "organisation(id: $a) FIELDS"),
    2: ("$a: IdentifierInput!", "x: organisation(id: $a) FIELDS y: organisation(id: $a) FIELDS"),
    3: ("$a: IdentifierInput!, $b: IdentifierInput!", "organisations(ids: [$a, $b]) FIELDS"),
    4: ("$r: [_Any!]!", "_entities(representations: $r) { ... on Organisation FIELDS }"),
}
QUERIES = {
    form: f"query Q({variables}) {world.DIRECTIVE} {{ {fields.replace('FIELDS', FIELDS)} }}"
    for form, (variables, fields) in ASKED.items()
}


class Region:
    """The five departments, which are one here, and the issuer. `asked` counts the department's calls by subject."""

    def __init__(self, folder: Path) -> None:
        self.issuer, self.asked = world.Issuer(folder), collections.Counter[str]()
        self._today = datetime.date.today()
        self._servers: list[asyncio.Server] = []
        self.issuer_url = self.department_url = ""

    async def start(self) -> None:
        for serve in (self._department, self._pages):
            self._servers.append(await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512))
        self.department_url, self.issuer_url = (
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in self._servers
        )
        self._told = departments.Issuer(int(self.issuer_url.rpartition(":")[2]), self.issuer.jwks.read_bytes())

    def close(self) -> None:
        for server in self._servers:
            server.close()

    async def _department(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def answer(request: bytes) -> bytes:
            subject = request.partition(b"/subjects/LEI/")[2][:20].decode()
            self.asked[subject] += 1
            record = data.source_record("alpha", subject, 0, self._today)
            return departments._http(departments._dump({"items": [record]}))

        await self._serve(reader, writer, answer)

    async def _pages(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, lambda request: self._told.answer(request))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Any) -> None:
        try:
            while True:
                writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def token(self, official: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer_url, "aud": world.AUDIENCE, "sub": official, "client_id": world.client(0),
                  "scope": "inquire", "iat": now, "exp": now + 3600, "jti": uuid.uuid4().hex}  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": "bench", "typ": "at+jwt"}, claims, self.issuer.key)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def server() -> Iterator[Postgres]:
    with postgres(fsync="on") as running:
        yield running


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[Region]:
    region = Region(tmp_path)
    await region.start()
    yield region
    region.close()


@pytest.fixture
async def replicas(tmp_path: Path, region: Region, valkey: ValkeyServer, server: Postgres) -> AsyncIterator[list[str]]:
    """The addresses of two gateways, ready."""
    guard, urls = Guard(), []
    departments = dict.fromkeys(data.DEPARTMENTS, region.department_url)
    store = {"store": server.url(server.database()), "durability": "single-node"}  # a SQLite file has one gateway
    config = world.write(tmp_path, departments, region.issuer_url, 1, valkey=valkey.url, **store)
    purposes = tmp_path / "policies" / "purposes.yaml"
    lines = [line for line in purposes.read_text().splitlines() if not line.startswith(("  frequency:", "  quotas:"))]
    official, requester = ({"hour": most, "day": 100_000} for most in (OFFICIAL, REQUESTER))
    lines.insert(
        1, f"  frequency: {{max: {FREQUENCY}, per: P1D}}\n  quotas: {{official: {official}, requester: {requester}}}"
    )
    purposes.write_text("\n".join(lines).replace("'", ""))
    try:
        for number in (1, 2):
            port = free_port()
            command = [sys.executable, "-m", "gateway.cli", "serve", "--config", str(config), "--workers", "1"]
            child = Child(f"gateway-{number}", command, tmp_path, guard, {"DUTYBOUND_LISTEN": f"127.0.0.1:{port}"})
            child.start()
            await asyncio.to_thread(child.ready, port=port)
            urls.append(f"http://127.0.0.1:{port}")
        yield urls
    finally:
        await asyncio.to_thread(guard.close)


def body(dice: random.Random, subjects: list[str]) -> dict[str, Any]:
    form, one, other = dice.randint(1, 4), *dice.sample(subjects, 2)
    named = [{"scheme": "LEI", "value": value} for value in (one, other)]
    if form == 4:
        variables: dict[str, Any] = {"r": [{"__typename": "Organisation", **each} for each in named]}
    else:
        variables = {"a": named[0]} if form < 3 else {"a": named[0], "b": named[1]}
    return {"query": QUERIES[form], "variables": variables}


async def test_a_thousand_at_once_over_two_replicas_never_exceed_quota_or_frequency(
    region: Region, replicas: list[str], valkey: ValkeyServer
) -> None:
    dice = random.Random(20261124)
    tokens = {official: region.token(official) for official in THEIRS}
    said = collections.Counter[str]()

    async def ask(number: int) -> None:
        official = dice.choice(list(THEIRS))
        status, told = await post(replicas[number % 2], tokens[official], body(dice, THEIRS[official]))
        said["answered" if status == 200 else told["errors"][0]["extensions"]["quota"]] += 1

    await asyncio.gather(*(ask(number) for number in range(1000)))
    reached = set(region.asked)
    for official, subjects in THEIRS.items():
        assert len(reached & set(subjects)) <= OFFICIAL, official
    assert len(reached) == REQUESTER
    assert max(region.asked.values()) == FREQUENCY
    assert said.total() == 1000
    assert {"answered", "frequency", "requester-hour"} <= set(said), said
    assert set(said) <= {"answered", "frequency", "requester-hour", "official-hour"}

    # Without counts there is no leave to ask.
    before = region.asked.copy()
    valkey.stop()
    for url in replicas:
        status, told = await post(url, tokens["p.sorel"], body(dice, THEIRS["p.sorel"]))
        assert (status, told["errors"][0]["extensions"]["code"]) == (503, "DECISION_UNAVAILABLE")
        ready = await asyncio.to_thread(httpx.get, f"{url}/health/ready", timeout=60.0, trust_env=False)
        assert ready.status_code == 503
    assert region.asked == before


async def post(url: str, token: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Ask over a connection of its own, so that as many are under way as there are questions."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    content = json.dumps(asked).encode()
    head = [
        "POST /graphql HTTP/1.1",
        f"host: {host}",
        f"authorization: Bearer {token}",
        "accept: application/graphql-response+json",
        "content-type: application/json",
        f"content-length: {len(content)}",
        "connection: close",
        "",
        "",
    ]
    writer.write("\r\n".join(head).encode() + content)
    answer = await reader.read()
    writer.close()
    head_, _, told = answer.partition(b"\r\n\r\n")
    return int(head_.split(b" ")[1]), json.loads(told)
