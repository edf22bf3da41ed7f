"""A small key management service: it unwraps what it wrapped, for whoever has its token, and counts how often."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "token-of-the-gateway"


class Kms:
    """`away`: it answers nobody."""

    def __init__(self) -> None:
        self._key, self.asked, self.away = AESGCM(os.urandom(32)), 0, False
        kms = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                given = self.rfile.read(int(self.headers["Content-Length"]))
                kms.asked += 1
                known = self.headers["Authorization"] == f"Bearer {TOKEN}"
                if kms.away or not known:
                    self.send_error(503 if known else 403)
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(kms._key.decrypt(given[:12], given[12:], None))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/unwrap"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wrap(self, file: Path) -> None:
        """Leave a key file wrapped beside it (`.wrapped`), and nothing of itself."""
        nonce = os.urandom(12)
        file.with_name(f"{file.name}.wrapped").write_bytes(nonce + self._key.encrypt(nonce, file.read_bytes(), None))
        file.unlink()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
