"""Connections that end at uvicorn, bounded before there is a request: their number, their silence, and their headers.

uvicorn waits for a first request for ever, and takes any number of headers. Invariants: at most `together` connections
at once, and `each` of one address where that is a number; whoever does not send a whole head within `SILENT` seconds of
connecting, of beginning one, or of the last answer, is let go, and where it does not take that answer, after `UNTAKEN`
seconds more; a head has at most `HEADERS` headers and `HEAD` bytes.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.bounds.address import share_of

TOGETHER = 1024
EACH = 256
SILENT = 5.0
UNTAKEN = 60.0
HEADERS = 100
HEAD = 64 * 1024

_OFFERS = (b"upgrade", b"http2-settings")

_open: Counter[str] = Counter()
"""Connections of this process, by address."""


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 within those bounds."""

    together: ClassVar[int] = TOGETHER
    each: ClassVar[float] = EACH

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or end it at once."""
        super().connection_made(transport)
        self._from = share_of(self.client[0] if self.client else "")
        _open[self._from] += 1
        self._await_head()
        self._between = False
        # One timer a connection: one a request would cost as much as reading it does.
        self._timer = self.loop.call_later(SILENT, self._look)
        if _open[self._from] > self.each or _open.total() > self.together:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._timer.cancel()
        _open[self._from] -= 1
        if not _open[self._from]:
            del _open[self._from]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and count what comes before a head is whole: a header is reported once it has ended."""
        if self._due != math.inf:
            self._head += len(data)
        self._read(data)
        if self._head > HEAD and self._due != math.inf:
            self._refuse()

    def _read(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            self._go_on(data[offered.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _go_on(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it did not (RFC 9110, 7.8).

        Java's client offers one with its first, and the parser takes the body for what is of that protocol.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("Nothing is connected to.")
            return
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [each for each in value.split(b",") if each.strip().lower() not in _OFFERS]
                lines += [b"connection:" + b",".join(tokens)] if tokens else []
            elif name not in _OFFERS:
                lines.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._read(b"\r\n".join([*lines, b"", rest]))

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._begun()
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
        if self.parser.should_upgrade():
            return
        self._due = math.inf
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request's body is whole."""
        if not self.transport.is_closing() and not self.parser.should_upgrade():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_response_complete(self) -> None:
        """A request is answered: go on with the one that waits, or wait for one. In place of a timer a request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._await_head()
            self._between = True

    def _begun(self) -> None:
        """A head begins: between two requests, and behind one that is not answered yet, its time begins with it."""
        if self._between or self._due == math.inf:
            self._await_head()
            self._between = False
        self._head_read = 0

    def _await_head(self) -> None:
        self._head = 0
        self._due = self.loop.time() + SILENT

    def _look(self) -> None:
        now = self.loop.time()
        if now < self._due:
            self._timer = self.loop.call_at(min(self._due, now + SILENT), self._look)
        elif self._between:
            self.transport.close()
            self._timer = self.loop.call_later(UNTAKEN, self.transport.abort)
        else:
            self.transport.abort()

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.transport.close()


OPTIONS: dict[str, Any] = {"http": BoundedProtocol, "ws": "none"}
"""The options of uvicorn, wherever it serves."""
