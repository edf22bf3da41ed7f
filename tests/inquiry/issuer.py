"""A small real authorization server on loopback: metadata, keys, and tokens of any shape a test wants."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

_REGISTRY = JWSRegistry(algorithms=["RS256", "ES256", "EdDSA"], strict_check_header=False)


def new_keys() -> list[Key]:
    """A key of each kind; to make the first takes longer than most tests that sign by one."""
    return [
        RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
        ECKey.generate_key("P-256", {"kid": "ec", "alg": "ES256"}),
        OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    ]


class TestIssuer:
    """Serves `keys` (public halves; new ones where none are given); every attribute may be changed while it runs.

    With `places` its metadata stands there only. `asked` counts requests by path.
    """

    __test__ = False

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self.keys: list[Key] = list(keys) or new_keys()
        self.asked: Counter[str] = Counter()
        self.metadata: dict[str, Any] = {}
        self.oidc_only = False
        self.places: dict[str, dict[str, Any]] | None = None
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self.extra_jwks: list[dict[str, Any]] = []
        self.delay = 0.0
        self.introspected: dict[str, Any] | Callable[[bytes], dict[str, Any]] = {"active": False}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            form = b""

            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                time.sleep(outer.delay)
                status, headers, body = outer._respond(self.path, self.form)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # who asked has gone
                    self.wfile.write(body)

            def do_POST(self) -> None:
                self.form = self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _respond(self, path: str, form: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.answer is not None:
            return self.answer
        if path == "/keys":
            public = [key.as_dict(private=False) for key in self.keys]
            return 200, {}, json.dumps({"keys": public + self.extra_jwks}).encode()
        if path == "/introspect":
            said = self.introspected(form) if callable(self.introspected) else self.introspected
            return 200, {}, json.dumps(said).encode()
        if self.places is not None:
            found = self.places.get(path)
            return (404, {}, b"not here") if found is None else (200, {}, json.dumps(found).encode())
        known = ["/.well-known/openid-configuration"]
        if not self.oidc_only:
            known.append("/.well-known/oauth-authorization-server")
        if path in known:
            return 200, {}, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.metadata}).encode()
        return 404, {}, b"not here"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "https://gateway.example",
            "exp": now + 600,
            "iat": now,
            "sub": "court",
            "client_id": "court",
            "jti": "1",
            "scope": "inquire",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, key: int = 0, header: dict[str, Any] | None = None, **changes: Any) -> bytes:
        """A signed token; a claim or header set to `...` is left out."""
        signer = self.keys[key]
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[signer.key_type]
        heading = {"typ": "at+jwt", "alg": algorithm, "kid": signer.kid, **(header or {})}
        heading = {name: value for name, value in heading.items() if value is not ...}
        signed = jwt.encode(heading, self.claims(**changes), signer, None, _REGISTRY, default_type=None)
        return b"Bearer " + signed.encode()
