"""One HTTP/1.1 connection to a department: sends a request, feeds what comes to httptools, gives a bounded answer.

RFC 9112. A connection carries one exchange at a time and is used again only where the last answer ended as announced
and the other side did not ask to close. Bytes that nobody waits for end the connection: what comes out of turn could
be taken for the answer to somebody else's question.
"""

from __future__ import annotations

import asyncio
import zlib

import httptools

from connectors.http.transport import Response, TransportFault

MAX_HEAD = 64 * 1024
"""Bytes of status line and headers that are read at most."""


class Connection(asyncio.Protocol):
    """`max_bytes` bounds a body, after decompression too."""

    __slots__ = (
        "_body", "_coding", "_framed", "_head", "_headed", "_keep", "_limit", "_parser", "_retry_after",
        "_size", "_status", "_surplus", "_transport", "_waiter", "idle_since", "touched", "usable",
    )  # fmt: skip

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response | TransportFault] | None = None
        self.usable = True
        self.idle_since = 0.0
        self._start()

    def _start(self) -> None:
        self._body: list[bytes] = []
        self._size = self._head = self._status = 0
        self._framed = self._headed = self._keep = self._surplus = self.touched = False
        self._coding = b""
        self._retry_after = ""

    def exchange(self, request: bytes, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Response | TransportFault]:
        """Send a whole request; the future gets its answer or fault, never an exception.

        `touched` says afterwards whether anything came back.
        """
        self._start()
        self._waiter = waiter = loop.create_future()
        if self._transport is None or self._transport.is_closing():
            self._end(TransportFault.UNAVAILABLE)
        else:
            self._transport.write(request)
        return waiter

    def close(self) -> None:
        """Close now; whoever waits gets `UNAVAILABLE`."""
        self._end(TransportFault.UNAVAILABLE)

    def _end(self, outcome: Response | TransportFault, *, usable: bool = False) -> None:
        waiter, self._waiter = self._waiter, None
        self.usable = usable
        if not usable and self._transport is not None:
            self._transport.abort()
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport, by the protocol's kind

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self._end(TransportFault.UNAVAILABLE)
            return
        self.touched = True
        room = len(data) if self._headed else MAX_HEAD - self._head
        first, rest = data[:room], data[room:]
        self._head += len(first)
        try:
            self._parser.feed_data(first)
            if rest and not self._headed:
                self._end(TransportFault.UNAVAILABLE)
                return
            if rest:
                self._parser.feed_data(rest)
        except httptools.HttpParserError:
            self._end(TransportFault.UNAVAILABLE)
            return
        if self._status:
            self._answer(self._keep and not self._surplus)
        elif self._size > self._limit:
            self._end(TransportFault.TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._waiter is None:
            return
        # An answer without a length ends where the connection ends (RFC 9112, 6.3), if it ended in peace.
        if exc is None and self._headed and not self._framed:
            self._status = self._parser.get_status_code()
            self._answer(keep=False)
        else:
            self._end(TransportFault.UNAVAILABLE)

    def _answer(self, keep: bool) -> None:
        if 300 <= self._status < 400:
            self._end(TransportFault.REDIRECT, usable=keep)
            return
        if self._size > self._limit:
            self._end(TransportFault.TOO_LARGE)
            return
        body: bytes | TransportFault = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if self._coding in (b"gzip", b"x-gzip") and isinstance(body, bytes):
            body = _inflated(body, self._limit)
        if isinstance(body, bytes):
            self._end(Response(self._status, body, self._retry_after), usable=keep)
        else:
            self._end(body)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self._surplus = self._status > 0

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif name == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif name == b"content-encoding":
            self._coding = value.strip().lower()

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit and not self._surplus:
            self._body.append(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._surplus:
            return
        if status < 200:  # an interim answer: the real one follows
            self._start()
            self.touched = True
        else:
            self._status, self._keep = status, self._parser.should_keep_alive()


def _inflated(body: bytes, limit: int) -> bytes | TransportFault:
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error:
        return TransportFault.UNAVAILABLE
    if len(plain) > limit:
        return TransportFault.TOO_LARGE
    return plain if inflater.eof else TransportFault.UNAVAILABLE
