"""Connections that end at uvicorn, bounded before there is a request: their number, their silence, and their headers.

uvicorn waits for a first request for ever, takes any number of headers and of requests sent ahead, and keeps who
takes no answers. Invariants: at most `together` connections at once, and `each` of one address where that is a
number. Whoever does not send a whole head within `SILENT` seconds of connecting, of beginning one, or of the last
answer, is let go, and so is who takes nearly nothing of what waits for it for `UNTAKEN` seconds. A head has at most
`HEADERS` headers and `HEAD` bytes; at most `AHEAD` requests are taken ahead. Where something is under way, what
cannot be taken ends the connection behind it, and is not answered in front of it. A client that ended its side is
gone: ASGI's `send` raises `Gone` then.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.bounds.address import share_of

TOGETHER = 1024
EACH = 256
SILENT = 5.0
UNTAKEN = 60.0
HEADERS = 100
HEAD = 64 * 1024
AHEAD = 16
_LITTLE = 4096
"""Bytes: who takes fewer between two looks takes nearly nothing."""

_OFFERS = (b"upgrade", b"http2-settings")

_open: Counter[str] = Counter()
"""Connections of this process, by address."""


class Gone(OSError):
    """The client is gone."""


class _Enough(Exception):
    """Ends the parser's work."""


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
        self._between = self._in_body = self._last = False
        self._stuck, self._left = math.inf, 0
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
        if not self._in_body:
            self._head += len(data)
        self._read(data)
        if self._head > HEAD and not self._in_body:
            self._refuse(_LARGE)

    def _read(self, data: bytes) -> None:
        left = memoryview(data)
        while not self._last:
            try:
                self.parser.feed_data(left)
                return
            except httptools.HttpParserUpgrade as offered:
                left = left[offered.args[0] :]
                if (head := self._without_offer()) is None:
                    return
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                self.parser.feed_data(head)
            except httptools.HttpParserError as error:
                cause = error.__context__
                if cause is not None and not isinstance(cause, _Enough):
                    self.logger.error("a request could not be read", exc_info=cause)
                self._refuse(_INVALID)
                return

    def _without_offer(self) -> bytes | None:
        """The head of a request that offers another protocol, as if it did not (RFC 9110, 7.8).

        Java's client offers one with its first, and the parser takes the body for what is of that protocol.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(_INVALID)
            return None
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [each for each in value.split(b",") if each.strip().lower() not in _OFFERS]
                lines += [b"connection:" + b",".join(tokens)] if tokens else []
            elif name not in _OFFERS:
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._begun()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and no more of them than there may be."""
        headers = self.headers
        self._head_read += len(name) + len(value)
        if len(headers) >= HEADERS or self._head_read + len(self.url) > HEAD:
            self._refuse(_LARGE)
            raise _Enough
        if not self._in_body:  # a trailer is no header: it would be anybody's word behind what a proxy looked at
            # As uvicorn does it, without another call for each.
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A request's head is whole, and within its bounds: answer it."""
        if self.parser.should_upgrade():
            return
        self._headed()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request's body is whole."""
        if not self.parser.should_upgrade():
            self._in_body, self._head = False, 0
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
        if not self._last:
            self.flow.resume_reading()
        if self.pipeline and not (self._last and self.pipeline[-1][0].more_body):
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last:
            self.transport.close()
        else:
            self._await_head()
            self._between = True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have a request answered by the application; `send` raises `Gone` where uvicorn would say nothing."""

        async def send(message: Any) -> None:
            if cycle.disconnected or self.transport.is_closing():
                cycle.disconnected = True
                raise Gone
            if cycle.waiting_for_100_continue:  # whether its body comes nobody knows, nor where a next request begins
                cycle.keep_alive = False
            await cycle.send(message)

        async def asked(scope: Any, receive: Any, _: Any) -> None:
            with contextlib.suppress(Gone):
                await app(scope, receive, send)

        super()._start_asgi_task(cycle, asked)

    def _begun(self) -> None:
        """A head begins: between two requests, and behind one that is not answered yet, its time begins with it."""
        if self._last or self.transport.is_closing():
            raise _Enough
        if len(self.pipeline) >= AHEAD:
            self._end()
            raise _Enough
        if self._between or self._due == math.inf:
            self._await_head()
            self._between = False
        self._head_read = 0

    def _headed(self) -> None:
        if self.transport.is_closing():
            raise _Enough
        self._due, self._in_body = math.inf, True

    def _await_head(self) -> None:
        self._head = 0
        self._due = self.loop.time() + SILENT

    def _look(self) -> None:
        now, left = self.loop.time(), self.transport.get_write_buffer_size()
        taken, self._left = self._left - left, left
        self._stuck = min(self._stuck, now) if left and taken < _LITTLE else math.inf
        if now - self._stuck >= UNTAKEN:
            self.transport.abort()
            return
        if now >= self._due and self.flow.read_paused:  # it may have come, and was not read
            self._due = now + SILENT
        elif now >= self._due and not self.transport.is_closing():
            self._due = math.inf
            if self._is_under_way():
                self._end()
            elif self._between:
                self.transport.close()
            else:
                self.transport.abort()
                return
        self._timer = self.loop.call_at(min(self._due, now + SILENT), self._look)

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, answer: bytes) -> None:
        """Answer what cannot be taken; behind what is under way, end the connection without a word."""
        if self._last or self.transport.is_closing():
            return
        # The one under way itself may be what cannot be read to its end.
        own = self._in_body and not self.pipeline and not getattr(self.cycle, "response_started", False)
        if self._is_under_way() and not own:
            self._end()
        else:
            self._last = True
            self.transport.write(answer)
            self.transport.close()

    def _end(self) -> None:
        """Take nothing more; close behind what is under way."""
        self._last, self._due = True, math.inf
        self.flow.pause_reading()


_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_INVALID = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 21\r\n\r\n"
    b"This is no HTTP/1.1.\n"
)

OPTIONS: dict[str, Any] = {"http": BoundedProtocol, "ws": "none"}
"""The options of uvicorn, wherever it serves."""
