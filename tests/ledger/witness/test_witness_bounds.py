"""Witnesses under load: who drips, or sends without end, costs others nothing, on either side."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.errors import LedgerUnavailable
from gateway.ledger.log.witness_client import AskedWitness, Witnesses
from gateway.ledger.witness import server as module
from gateway.ledger.witness.server import Witness, application
from tests.ledger.support import VERIFIERS
from tests.ledger.witness.test_witness import COSIGNER, LOG, NAME, SECRET, SHARD
from tests.waiting import until_async


async def test_who_drips_shuts_nobody_else_out(tmp_path: Path) -> None:
    """One address has its own turns only, and what waits too long in line is turned away at once."""
    on = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        yield b"old 0\n"
        await on.wait()

    with contextlib.closing(Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json")) as witness:
        app = application(witness)

        def client(address: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, client=(address, 1))
            return httpx.AsyncClient(transport=transport, base_url="http://witness.example", timeout=60)

        async with client("192.0.2.1") as slow, client("192.0.2.2") as other:
            count = module.EACH + module.WAITING + 1
            asked = [asyncio.create_task(slow.post("/add-checkpoint", content=drip())) for _ in range(count)]
            await until_async("one to be turned away", lambda: any(task.done() for task in asked))
            (refused,) = [task.result() for task in asked if task.done()]
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, str(module.RETRY_AFTER))
            assert (await other.post("/add-checkpoint", content=LOG.request(0, 10))).status_code == 200
            on.set()
            assert {answer.status_code for answer in await asyncio.gather(*asked)} == {400, 503}


async def test_a_witness_that_drips_is_given_up() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.01)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Dripping())

    witness = AskedWitness("w1", "http://witness.example", COSIGNER)
    witnesses = Witnesses([witness], require=1, within=0.3, transport=httpx.MockTransport(answer))
    with pytest.raises(LedgerUnavailable, match=r"did not answer within 0\.3 s"):
        await witnesses.remembered(SHARD, VERIFIERS)
    await witnesses.close()
