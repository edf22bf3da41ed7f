"""Connections that end at uvicorn, bounded before there is a request: their number, their silence, and their headers.

uvicorn waits for a first request for ever, and takes any number of headers. Invariants: at most `TOGETHER` connections
at once, and `EACH` of one address; whoever does not send a whole head within `SILENT` seconds of connecting, or of
beginning one, is let go; a head has at most `HEADERS` headers and `HEAD` bytes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.bounds.address import share_of

TOGETHER = 1024
EACH = 256
SILENT = 5.0
HEADERS = 100
HEAD = 64 * 1024

_open: Counter[str] = Counter()
"""Connections of this process, by address."""


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 within those bounds."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or end it at once."""
        super().connection_made(transport)
        self._from = share_of(self.client[0] if self.client else "")
        _open[self._from] += 1
        self._silence: asyncio.TimerHandle | None = None
        self._head = 0
        if _open[self._from] > EACH or _open.total() > TOGETHER:
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._heard()
        _open[self._from] -= 1
        if not _open[self._from]:
            del _open[self._from]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a head is whole: a header is reported once it has ended."""
        if self._silence is not None:
            self._head += len(data)
        super().data_received(data)
        if self._silence is not None and self._head > HEAD:
            self._refuse()

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._silence is None:
            self._await_head()
        self._head_read = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and no more of them than there may be."""
        self._head_read += len(name) + len(value)
        if len(self.headers) >= HEADERS or self._head_read + len(self.url) > HEAD:
            self._refuse()
        else:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request's head is whole, and within its bounds: answer it."""
        self._heard()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request's body is whole."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        if not self.transport.is_closing():
            super().on_body(body)

    def _await_head(self) -> None:
        self._head = 0
        self._silence = asyncio.get_running_loop().call_later(SILENT, self.transport.abort)

    def _heard(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.transport.close()


OPTIONS: dict[str, Any] = {"http": BoundedProtocol, "ws": "none", "timeout_keep_alive": 5}
"""What uvicorn is to be told, wherever it serves."""
