"""An authenticator over real issuers, with a clock that a test moves."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config.oauth import DPoPSettings, IntrospectionSettings, IssuerSettings
from gateway.errors import Code, Refusal
from gateway.identity.dpop import Proofs, nonce_secret
from gateway.identity.issuers import Ages, Issuer
from gateway.identity.replay import OwnReplays, Replays
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.types import Requester
from tests.configured import secret
from tests.oauth.authority import AUDIENCE, GRAPHQL, SECRET, Authority

PROVING = nonce_secret(bytes(32))
"""What nonces are made from."""
METADATA = "https://gateway.example/.well-known/oauth-protected-resource"


def proofs(replays: Replays | None = None, *, nonce: bool = False) -> Proofs:
    """What checks proofs; `replays` remembers them, or this process does."""
    return Proofs(GRAPHQL, DPoPSettings(nonce=nonce), [PROVING], replays or OwnReplays())


def introspection(folder: Path, **changes: Any) -> IntrospectionSettings:
    """The gateway's own client at `Authority`, by its secret in a file."""
    secret(folder / "secret", SECRET + "\n")
    return IntrospectionSettings(**{"client_id": "gateway", "secret_file": folder / "secret", **changes})


def settings(authority: Authority, folder: Path | None = None, **changes: Any) -> IssuerSettings:
    """`Authority` as an issuer; with a folder, one that is asked about opaque tokens."""
    return IssuerSettings(authority.url, "login", introspection=introspection(folder, **changes) if folder else None)


class Gate:
    """`await gate(authorization, ...)` gives a requester; `refusal` the refusal that there must be."""

    def __init__(self, http: httpx.AsyncClient, issuers: list[IssuerSettings], **more: Any) -> None:
        self.ahead = 0.0
        self.issuers = [Issuer(s, lambda: http, self.now, Ages(timeout=20.0)) for s in issuers]
        self.authenticator = Authenticator(
            self.issuers,
            audience=AUDIENCE,
            metadata_url=METADATA,
            registered=lambda issuer, client: None,
            clock=lambda: datetime.datetime.fromtimestamp(self.now(), datetime.UTC),
            **more,
        )

    def now(self) -> float:
        return time.time() + self.ahead

    async def __call__(self, authorization: str, *more: tuple[str, str], method: str = "POST") -> Requester:
        headers = [(name.lower().encode(), value.encode()) for name, value in more]
        headers.append((b"authorization", authorization.encode()))
        read = self.authenticator.credentials(headers)
        return await self.authenticator.authenticate(read, method, headers)

    async def refusal(self, authorization: str, *more: tuple[str, str], method: str = "POST") -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self(authorization, *more, method=method)
        if caught.value.extensions.get("retryable"):
            assert (caught.value.code, caught.value.status) == (Code.DECISION_UNAVAILABLE, 503)
            assert (caught.value.headers.keys(), int(caught.value.headers["Retry-After"]) > 0) == (
                {"Retry-After"},
                True,
            )
            return caught.value
        assert (caught.value.code, caught.value.status) == (Code.UNAUTHENTICATED, 401)
        return caught.value
