"""An authorization server that others wrote, and an authenticator that trusts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from joserfc.jwk import ECKey

from gateway.identity.issuers import new_client
from tests.oauth.authority import Authority


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    started = Authority()
    yield started
    started.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as opened:
        opened.timeout = httpx.Timeout(20.0)
        yield opened


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
def token(authority: Authority, key: ECKey) -> str:
    return authority.token(proof_key=key)
