"""TLS in front of a PostgreSQL that was built without it: what a client sees of `ssl = on`, and the real server behind.

It answers the protocol's SSLRequest, does the handshake, and passes everything on; whoever does not ask for TLS is not
served, so a session that came through was encrypted.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104


class Front:
    """Where the front listens; `served` counts the sessions that were encrypted."""

    def __init__(self, context: ssl.SSLContext, server: int) -> None:
        self._context, self._server = context, server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.served = 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.add(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A client that goes away, or refuses the certificate, ends its session here.
        with contextlib.suppress(OSError, struct.error), client:
            while (request := struct.unpack("!ii", client.recv(8, socket.MSG_WAITALL))) == (8, _GSS_REQUEST):
                client.sendall(b"N")
            if request != (8, _SSL_REQUEST):
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as encrypted,
                socket.create_connection(("127.0.0.1", self._server)) as plain,
            ):
                self.served += 1
                self._open.add(encrypted)
                _relay(encrypted, plain)


def _relay(encrypted: ssl.SSLSocket, plain: socket.socket) -> None:
    while True:
        ready = [encrypted] if encrypted.pending() else select.select([encrypted, plain], [], [])[0]
        for each in ready:
            content = each.recv(65536)
            if not content:
                return
            (plain if each is encrypted else encrypted).sendall(content)


@contextlib.contextmanager
def front(context: ssl.SSLContext, server: int) -> Iterator[Front]:
    """TLS by `context` in front of the server on that port."""
    made = Front(context, server)
    try:
        yield made
    finally:
        made.close()
