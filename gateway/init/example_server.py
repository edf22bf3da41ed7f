"""What to try a gateway with, on loopback: an authorization server and the one department of the first folder.

For trying only. Whoever can read `example.key` makes access tokens by it (RFC 9068); the server publishes its metadata
(RFC 8414) and the key's public side, and issues none. The department has the records of one organisation, which there
is not. Nothing is served elsewhere than on loopback.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from joserfc import jwt
from joserfc.jwk import OKPKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway import check
from gateway.bounds.connections import OPTIONS
from gateway.errors import CommandRefused
from gateway.identity.issuers import REGISTRY
from gateway.init.writing import EXAMPLE_KEY, SUBJECT
from gateway.ledger.proof import key_files
from gateway.values import is_loopback
from gateway.web import listen

LIFETIME = 600
"""Seconds that a token is good for."""
LICENCE = {
    "recordNo": "L-1",
    "revision": "1",
    "grantNo": "Grant 1/2026",
    "grantedOn": "2026-01-15",
    "holder": {"scheme": "LEI", "value": SUBJECT},
    "licenceNo": "BL-0001",
    "trade": "Trade in building materials",
    "state": "in force",
    "expiresOn": "2030-12-31",
}


class Example:
    """What belongs to a configuration that `dutybound init` wrote; raises `CommandRefused` for any other.

    `ConfigurationError` where a start would refuse it.
    """

    def __init__(self, config: Path) -> None:
        settings, loaded = check.load(config, os.environ)
        self._issuer = settings.oauth.issuers[0].issuer
        self._audience = settings.oauth.audience
        self._client = next(client for _, client in loaded.rules.policies.requesters)
        file = settings.file.parent / EXAMPLE_KEY
        parts = urlsplit(self._issuer)
        if not file.exists() or parts.scheme != "http" or not is_loopback(parts.hostname or "") or not parts.port:
            raise CommandRefused(
                f"`{self._issuer}` is no example's authorization server: that is at an address as http://127.0.0.1:8081,"
                f" with `{EXAMPLE_KEY}` beside `{config}`; `dutybound init --yes` writes both"
            )
        self._host, self._port = parts.hostname or "", parts.port
        private = key_files.load(file)
        self._key = OKPKey(private, private)

    def token(self) -> str:
        """An access token for the first client of `requesters.yaml`."""
        now = int(time.time())
        claims = {
            "iss": self._issuer, "aud": self._audience, "sub": self._client, "client_id": self._client,
            "scope": "inquire", "iat": now, "exp": now + LIFETIME, "jti": secrets.token_urlsafe(12),
        }  # fmt: skip
        header = {"typ": "at+jwt", "alg": "EdDSA", "kid": self._key.thumbprint()}
        return jwt.encode(header, claims, self._key, registry=REGISTRY)

    def serve(self) -> int:
        """Serve until SIGINT or SIGTERM."""
        if wrong := listen.hindrance(self._host.replace("localhost", "127.0.0.1"), self._port or 80):
            raise CommandRefused(wrong)
        print(f"an authorization server and a Business Register at {self._issuer}, for trying only", flush=True)
        uvicorn.run(
            self.application(), host=self._host, port=self._port, log_level="warning", lifespan="off", **OPTIONS
        )
        return 0

    def application(self) -> Starlette:
        """Metadata, keys, and what the department answers."""
        metadata = {"issuer": self._issuer, "jwks_uri": f"{self._issuer}/jwks", "response_types_supported": []}
        public = {**self._key.as_dict(private=False), "kid": self._key.thumbprint(), "use": "sig", "alg": "EdDSA"}

        async def described(request: Request) -> JSONResponse:
            return JSONResponse(metadata)

        async def keys(request: Request) -> JSONResponse:
            return JSONResponse({"keys": [public]})

        return Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", described),
                Route("/jwks", keys),
                Route("/register/subjects/{scheme}/{value}/licences", _licences),
            ]
        )


async def _licences(request: Request) -> JSONResponse:
    holder = {"scheme": request.path_params["scheme"], "value": request.path_params["value"]}
    return JSONResponse({"licences": [LICENCE] if holder == LICENCE["holder"] else []})
