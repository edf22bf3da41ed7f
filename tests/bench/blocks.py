"""Two parts by themselves, in this process: appending to the ledger, and authenticating a token.

CPU is of the whole process (the ledger's thread included); wall time includes waiting for the disk.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.inquiry.authenticate import Authenticator
from gateway.issuers import Issuer, new_client
from gateway.ledger.ledger import Ledger
from gateway.oauth import IssuerSettings
from gateway.storage.store import open_store
from tests.bench import world
from tests.bench.processes import BenchError, Cores, running, start_departments
from tests.bench.report import Row

TOLD, OVERSIGHT = b"t" * 1500, b"o" * 300
"""As long as an inquiry's parts are with 25 records in the answer."""

SECONDS = 1.5


def _row(bench: str, name: str, connections: int, count: int, wall: float, cpu: float) -> Row:
    return {
        "bench": bench,
        "name": name,
        "connections": connections,
        "cpu_us": cpu / count * 1e6,
        "wall_us": wall / count * 1e6,
        "per_s": count / wall,
    }


def ledger(folder: Path, cores: Cores) -> list[Row]:
    """Durable appends, by so many at once."""
    return [asyncio.run(_append(folder, together)) for together in (1, 32, 256)]


async def _append(folder: Path, together: int) -> Row:
    store = open_store(f"sqlite:///{folder}/append-{together}.db")
    book = Ledger(store, Ed25519PrivateKey.generate(), "bench.example/ledger")
    await book.start()
    indices: list[int] = []
    stop = time.perf_counter() + SECONDS

    async def one() -> None:
        while time.perf_counter() < stop:
            receipt = await book.append(TOLD, OVERSIGHT, datetime.datetime.now(datetime.UTC), ("bench", "bench"))
            indices.append(receipt.index)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(together)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await book.close()
    store.close()
    if sorted(indices) != list(range(len(indices))):
        raise BenchError("the ledger's entries are not numbered one by one")
    return _row("ledger", "append", together, len(indices), wall, cpu)


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
