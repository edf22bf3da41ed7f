"""One part by itself, in this process: authenticating a token. CPU is of the whole process."""

from __future__ import annotations

import asyncio
import datetime
import time
from pathlib import Path

import httpx

from gateway.config.oauth import IssuerSettings
from gateway.identity.issuers import Issuer, new_client
from gateway.inquiry.authenticate import Authenticator
from tests.bench import world
from tests.bench.processes import BenchError, Cores, running, start_departments
from tests.bench.report import Row


def _row(bench: str, name: str, connections: int, count: int, wall: float, cpu: float) -> Row:
    return {
        "bench": bench,
        "name": name,
        "connections": connections,
        "cpu_us": cpu / count * 1e6,
        "wall_us": wall / count * 1e6,
        "per_s": count / wall,
    }


def tokens(folder: Path, cores: Cores) -> list[Row]:
    """A token never seen before, and one that was."""
    issuer = world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        return asyncio.run(_authenticate(folder, issuer, urls["issuer"]))


async def _authenticate(folder: Path, keys: world.Issuer, url: str) -> list[Row]:
    headers = [f"Bearer {line}".encode() for line in world.tokens(folder / "t", keys, url).read_text().splitlines()]
    async with new_client() as http:
        authenticator = _authenticator(url, http)
        await authenticator.authenticate(f"Bearer {keys.token(url, 'first')}".encode())  # has the keys read
        rows = []
        for name, times in (("never seen", 1), ("seen before", 50)):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(times):
                for index, header in enumerate(headers):
                    requester = await authenticator.authenticate(header)
                    if requester.client != world.client(index):
                        raise BenchError(f"a token of {world.client(index)} was taken for {requester.client}")
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            rows.append(_row("tokens", name, 1, times * len(headers), wall, cpu))
    return rows


def _authenticator(url: str, http: httpx.AsyncClient) -> Authenticator:
    issuer = Issuer(IssuerSettings(url, "login"), lambda: http, time.time)
    return Authenticator(
        [issuer],
        audience=world.AUDIENCE,
        metadata_url="http://127.0.0.1/.well-known/oauth-protected-resource",
        registered=lambda issuer, client: None,
        clock=lambda: datetime.datetime.now(datetime.UTC),
    )
