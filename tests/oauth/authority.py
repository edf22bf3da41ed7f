"""node oidc-provider in a process of its own, as a client and a gateway see it. Nothing of it is simulated."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.npm import installed

AUDIENCE = "https://gateway.example"
GRAPHQL = "https://gateway.example/graphql"
SECRET = "the gateway's own secret: 100% & more"
BASE = {
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "response_types": [],
    "authorization_details_types": ["subject-inquiry"],
}
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Authority:
    """The server, and the keys of its clients."""

    def __init__(self) -> None:
        folder = installed(Path(__file__).resolve().parent)
        self.keys = {name: ECKey.generate_key("P-256") for name in ("market-regulator", "tax-service", "gateway-key")}
        clients: list[dict[str, Any]] = [
            {"client_id": "gateway", "client_secret": SECRET, **BASE},
            {
                "client_id": "bound",
                "client_secret": "s" * 40,
                "tls_client_certificate_bound_access_tokens": True,
                **BASE,
            },
        ]
        clients += [
            {"client_id": shape, "client_secret": "s" * 40, "shape": shape, **BASE}
            for shape in ("keycloak-access", "keycloak-id")
        ]
        for name, key in self.keys.items():
            clients.append(
                {
                    "client_id": name,
                    "token_endpoint_auth_method": "private_key_jwt",
                    "token_endpoint_auth_signing_alg": "ES256",
                    "jwks": {"keys": [key.as_dict(private=False)]},
                    **BASE,
                }
            )
        market = next(each for each in clients if each["client_id"] == "market-regulator")
        market |= {"act": {"sub": "m.ivanova", "act": {"sub": "portal"}}, "acr": "loa-3"}
        self._process = subprocess.Popen(
            ["node", "server.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"clients": clients, "audience": AUDIENCE}) + "\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith('{"issuer"'):
            assert line, "oidc-provider did not start"
        self.url: str = json.loads(line)["issuer"]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def credentials(self, client: str) -> dict[str, str]:
        """What `private_key_jwt` adds to a form."""
        signed = private_key_jwt_sign(self.keys[client], client, self.url, alg="ES256", expires_in=60)
        return {"client_id": client, "client_assertion_type": ASSERTION, "client_assertion": signed}

    def token(
        self,
        client: str = "market-regulator",
        kind: str = "jwt",
        *,
        scope: str = "inquire",
        details: list[dict[str, Any]] | None = None,
        proof_key: ECKey | None = None,
        certificate: x509.Certificate | None = None,
    ) -> str:
        """A token by client credentials: `jwt` or `opaque`; bound to a DPoP key or a certificate where given."""
        form = {"grant_type": "client_credentials", "scope": scope, "resource": f"urn:gateway:{kind}"}
        form |= self.credentials(client) if client in self.keys else {"client_id": client, "client_secret": "s" * 40}
        if details is not None:
            form["authorization_details"] = json.dumps(details)
        headers = {}
        if proof_key is not None:
            headers["DPoP"] = proof(proof_key, url=f"{self.url}/token")
        if certificate is not None:
            headers["X-Test-Certificate"] = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        answer = httpx.post(f"{self.url}/token", data=form, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def revoke(self, token: str, client: str = "market-regulator") -> None:
        form = {"token": token, **self.credentials(client)}
        answer = httpx.post(f"{self.url}/token/revocation", data=form, timeout=30)
        assert answer.status_code == 200, answer.text

    def rotate(self, *, drop: bool = False) -> None:
        httpx.post(f"{self.url}/rotate{'?drop' if drop else ''}", timeout=30).raise_for_status()


def proof(
    key: ECKey,
    token: str | None = None,
    *,
    url: str = GRAPHQL,
    header: dict[str, Any] | None = None,
    signer: Any = None,
    **changes: Any,
) -> str:
    """A DPoP proof; a claim or header member set to `...` is left out."""
    claims = {"jti": str(uuid.uuid4()), "htm": "POST", "htu": url, "iat": int(time.time())}
    if token is not None:
        claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
    heading = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False), **(header or {})}
    heading = {name: value for name, value in heading.items() if value is not ...}
    return jwt.encode(heading, claims, signer or key, [heading["alg"]], default_type=None)
