"""The management address: metrics of all processes, and the health of each, for the operator alone.

It is plain HTTP on loopback. Anywhere else whoever asks shows the token of a file, or a client's certificate.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any

import msgspec

from gateway.config.managing import ManageSettings
from gateway.errors import ConfigurationError, Problem
from gateway.manage.alone import listening, taken
from gateway.manage.hub import Hub
from gateway.telemetry.metrics import CONTENT_TYPE

TOGETHER = 16
"""Requests that are answered at once; more are turned away."""
SLOW = 5.0
"""Seconds that a connection may say nothing."""


@contextlib.contextmanager
def served(settings: ManageSettings | None, hub: Hub, file: str) -> Iterator[None]:
    """Serve what `hub` knows at the configured address, where there is one. Raises `ConfigurationError`."""
    if settings is None:
        yield
        return
    context = _context(settings, file)
    with taken(settings.host, settings.port, file, "manage") as address:
        server = _Server(address, context, settings.token, hub)
        os.register_at_fork(after_in_child=address.close)
        thread = threading.Thread(target=server.serve_forever, name="manage", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _context(settings: ManageSettings, file: str) -> ssl.SSLContext | None:
    if settings.cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
        if settings.client_ca_file is not None:
            context.load_verify_locations(settings.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            [Problem(file, 0, 0, "manage", f"its certificates cannot be used ({error})")]
        ) from error
    return context


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True

    def __init__(self, address: socket.socket, context: ssl.SSLContext | None, token: str | None, hub: Hub) -> None:
        super().__init__(address.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = address
        listening(self.socket)
        self.context, self.token, self.hub = context, token, hub
        self._free = threading.Semaphore(TOGETHER)

    def get_request(self) -> tuple[Any, Any]:
        """Accept; what is slow about a connection is left to its own thread."""
        connection, who = self.socket.accept()
        connection.settimeout(SLOW)
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, who

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who breaks a connection off is told nothing, and nor is anybody else."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "dutybound", ""

    def do_GET(self) -> None:
        """`/metrics` and `/health`."""
        answers: dict[str, Callable[[], tuple[int, str, bytes]]] = {"/metrics": self._metrics, "/health": self._health}
        if not self._may():
            return self._say(401, "text/plain", b"show the token of `manage.token_file`\n")
        answer = answers.get(self.path)
        return self._say(*(answer() if answer else (404, "text/plain", b"there are /metrics and /health\n")))

    def _may(self) -> bool:
        token = self.server.token
        shown = self.headers.get("Authorization", "")
        return token is None or hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())

    def _metrics(self) -> tuple[int, str, bytes]:
        return 200, CONTENT_TYPE, self.server.hub.exposition()

    def _health(self) -> tuple[int, str, bytes]:
        found = self.server.hub.health()
        return 200 if found["status"] == "ready" else 503, "application/json", msgspec.json.encode(found)

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what a request says is not written down."""
