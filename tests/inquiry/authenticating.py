"""Step 1 over real issuers, with a clock and a registry that a test moves."""

from __future__ import annotations

import datetime
import time
from typing import Any

import httpx
import pytest

from gateway.config.oauth import IssuerSettings
from gateway.errors import Code, Refusal
from gateway.identity.issuers import Ages, Issuer
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.types import Requester
from gateway.rules.model import RequesterEntry

METADATA = "https://gateway.example/.well-known/oauth-protected-resource"


class Gate:
    """An authenticator over real issuers, with a clock and a registry that a test moves."""

    def __init__(
        self, client: httpx.AsyncClient, issuers: list[IssuerSettings], timeout: float = 20.0, **more: Any
    ) -> None:
        self.ahead = 0.0
        self.entries: dict[tuple[str, str], RequesterEntry] = {}
        self.issuers = [
            Issuer(s, lambda: client, lambda: time.time() + self.ahead, Ages(timeout=timeout)) for s in issuers
        ]
        self.authenticator = Authenticator(
            self.issuers,
            audience="https://gateway.example",
            metadata_url=METADATA,
            registered=lambda issuer, client: self.entries.get((issuer, client)),
            clock=lambda: datetime.datetime.fromtimestamp(time.time() + self.ahead, datetime.UTC),
            remembered=8,
            **more,
        )

    async def __call__(self, authorization: bytes | None) -> Requester:
        return await self.authenticator.authenticate(authorization)

    async def refusal(self, authorization: bytes | None) -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self(authorization)
        if caught.value.extensions.get("retryable"):
            assert (caught.value.code, caught.value.status) == (Code.DECISION_UNAVAILABLE, 503)
            assert (caught.value.headers.keys(), int(caught.value.headers["Retry-After"]) > 0) == (
                {"Retry-After"},
                True,
            )
            return caught.value
        assert caught.value.code is Code.UNAUTHENTICATED
        assert caught.value.status == 401
        return caught.value
