"""What tests of steps run against: an issuer and a case registry, on loopback."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gateway.config.oauth import IssuerSettings
from gateway.identity.issuers import new_client
from tests.inquiry.authenticating import Gate
from tests.inquiry.issuer import TestIssuer, new_keys
from tests.inquiry.registry import Simulator

keys = functools.cache(new_keys)
"""What the issuer of each test signs by."""


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    served = TestIssuer(keys())
    yield served
    served.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as opened:
        opened.timeout = httpx.Timeout(20.0)
        yield opened


@pytest.fixture
def gate(client: httpx.AsyncClient, issuer: TestIssuer) -> Gate:
    return Gate(client, [IssuerSettings(issuer.url, "login")])


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    simulator = Simulator()
    server = await asyncio.start_server(simulator, "127.0.0.1", 0)
    simulator.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield simulator
    simulator.release.set()
    server.close()
