"""One HTTP/1.1 connection to a department: sends a request, feeds what comes to httptools, gives a bounded answer.

RFC 9112. A usual answer needs no parser (`usual`). A connection carries one exchange at a time and can be used again
only where the last answer ended as announced and the other side did not ask to close. Bytes that nobody waits for end
the connection: what comes out of turn could be taken for the answer to somebody else's question. Bytes are counted
before they are read, and what the parser says of lines and chunks is counted as it says it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import httptools

from connectors.http import usual
from connectors.http.transport import MAX_AROUND, MAX_HEAD, MAX_LINES, TransportFault, TransportOptions

_NONE = frozenset({*range(100), 101})
"""Statuses that are none, or that end HTTP on the connection."""


class _Enough(Exception):
    """Ends the parser's work."""


_ENDED = httptools.HttpResponseParser(object())
"""Stands in where a parser has done its work: one knows its connection, and the two would keep each other."""


class Connection(asyncio.Protocol):
    """`options` bound a body as it was sent, and the parts that it is sent in.

    It is the lease of its own answer (`connectors.http.transport.Lease`): `settled` is told whether it may be kept, for
    questions of its `key`. What was answered stands in `status`, `coding`, `body`, `retry_after`, `echoed`, `headers`;
    `surplus` says that more came with it, so that it may be an answer to something else. `raw` is how many bytes a
    parser read: 0 where the answer was a usual one, which is 200 and a body, and nothing else.
    """

    __slots__ = (
        "_chunks", "_disturbed", "_echo", "_fault", "_framed", "_headed", "_held", "_keep", "_limit", "_lines",
        "_most_chunks", "_parser", "_settled", "_shown", "_size", "_told", "_transport", "_used", "body", "coding",
        "echoed", "headers", "idle_since", "key", "raw", "retry_after", "reused", "status", "surplus", "usable",
    )  # fmt: skip

    def __init__(
        self, options: TransportOptions, key: tuple[str, object], settled: Callable[[Connection, bool], None]
    ) -> None:
        self._limit, self._most_chunks = options.max_bytes, options.max_chunks
        self._echo = options.echo.lower().encode("ascii")
        self._shown = frozenset(name.encode("ascii") for name in (*options.shown, options.echo.lower()) if name)
        self.key, self._settled = key, settled
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._told: Callable[[TransportFault | None], None] | None = None
        self.usable = True
        self.reused = self._used = self._disturbed = False
        self.idle_since = 0.0
        self._start()

    def _start(self) -> None:
        self.body = b""
        self._held: bytes | bytearray = b""
        self._size = self.raw = self.status = self._lines = self._chunks = 0
        self._framed = self._headed = self._keep = self.surplus = False
        self.coding = self.echoed = b""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.retry_after = ""
        self._fault: TransportFault | None = None

    def exchange(self, request: bytes, loop: asyncio.AbstractEventLoop) -> asyncio.Future[TransportFault | None]:
        """Send a whole request; the future gets the fault, or None where there is an answer, never an exception."""
        waiter: asyncio.Future[TransportFault | None] = loop.create_future()
        if not self.begin(request, partial(_settle, waiter)):
            waiter.set_result(TransportFault.UNAVAILABLE)
        return waiter

    def begin(self, request: bytes, told: Callable[[TransportFault | None], None]) -> bool:
        """Send a whole request, and have `told` called where it ends, with the fault, or None where there is an answer.

        It is never called before this ends. False where nothing can be sent any more.
        """
        if self.raw:  # a parser read the last answer
            self._start()
        self.reused, self._used = self._used, True
        transport = self._transport
        if transport is None or transport.is_closing():
            self.usable = False
            return False
        self._told = told
        transport.write(request)
        return True

    def late(self) -> None:
        """Time is up: whoever waits gets `TIMEOUT`."""
        if self._told is not None:
            self._end(TransportFault.TIMEOUT)

    def settle(self, keep: bool) -> bool:
        """See the port."""
        self.body = self._held = b""  # of a subject, and read: a connection that rests holds nothing of anybody
        self._settled(self, keep)
        return not self._disturbed

    def is_doubtful(self, proof: bytes) -> bool:
        """Whether what was answered may be the answer to another question; `proof` is what was to be echoed, if any."""
        if proof:
            return self.echoed != proof and (self.reused or self.echoed != b"")
        return self.reused and self.surplus  # of two answers nobody can say which is meant

    def close(self) -> None:
        """Close now; whoever waits gets `UNAVAILABLE`."""
        self._end(TransportFault.UNAVAILABLE)

    def _end(self, outcome: TransportFault | None, *, usable: bool = False) -> None:
        told, self._told = self._told, None
        self.usable = usable
        if not usable:
            self._parser = _ENDED
            if self._transport is not None:
                self._transport.abort()
        if told is not None:
            told(outcome)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport, by the protocol's kind

    def data_received(self, data: bytes) -> None:
        if self._told is None:
            self._disturbed = True
            self._end(TransportFault.UNAVAILABLE)
            return
        before = self.raw
        if not before:
            if not self._shown and (body := usual.body(data, self._limit)) is not None:
                told, self._told = self._told, None
                self.status, self.body = 200, body
                told(None)
                return
            self.status, self.body = 0, b""  # the last answer's, where it was a usual one
        self.raw = read = before + len(data)
        if read > self._limit + MAX_AROUND:
            self._end(TransportFault.TOO_LARGE)
            return
        try:
            if read > MAX_HEAD and not self._headed:
                self._parser.feed_data(data[: max(0, MAX_HEAD - before)])
                if not self._headed:
                    self._end(TransportFault.TOO_LARGE)
                    return
                data = data[max(0, MAX_HEAD - before) :]
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(TransportFault.INVALID)
            return
        except httptools.HttpParserError:
            if not self.surplus:
                self._end(self._fault or self._unread())
                return
        if self.status:
            self._answer(self._keep and not self.surplus)
        elif self.raw - self._size > (MAX_AROUND if self._headed else MAX_HEAD):
            self._end(TransportFault.TOO_LARGE)

    def _unread(self) -> TransportFault:
        """What the parser does not read: an answer that HTTP does not allow, or bytes that are no answer at all."""
        return TransportFault.INVALID if self._parser.get_status_code() > 0 else TransportFault.UNAVAILABLE

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._told is None:
            return
        # An answer without a length ends where the connection ends (RFC 9112, 6.3), if it ended in peace.
        if exc is None and self._headed and not self._framed:
            self.status = self._parser.get_status_code()
            self._answer(keep=False)
        else:
            self._end(TransportFault.UNAVAILABLE)

    def _answer(self, keep: bool) -> None:
        if 300 <= self.status < 400:
            self._end(TransportFault.REDIRECT)
        elif self._size > self._limit:
            self._end(TransportFault.TOO_LARGE)
        else:
            self.body = bytes(self._held)
            self._end(None, usable=keep)

    def _stop(self, fault: TransportFault) -> None:
        self._fault = fault
        raise _Enough

    # httptools' callbacks; what they raise ends its work with an HttpParserError

    def on_message_begin(self) -> None:
        if self.status:
            self.surplus = True
            raise _Enough

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        if self._lines > MAX_LINES:
            self._stop(TransportFault.TOO_LARGE)
        if self._headed:
            return  # a trailer
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            # Twice, or by a coding that was not asked for, in which no end would be seen.
            if self._framed or (name == b"transfer-encoding" and value.strip().lower() != b"chunked"):
                self._stop(TransportFault.INVALID)
            self._framed = True
        elif name == b"retry-after":
            self.retry_after = value.decode("latin-1")
        elif name == b"content-encoding":
            self.coding = self.coding + b", " + value if self.coding else value.strip().lower()
        elif name in self._shown:
            if name == self._echo:
                self.echoed += value.strip()
            else:
                self.headers += ((name.decode("ascii"), value.decode("latin-1").strip()),)

    def on_headers_complete(self) -> None:
        self._headed = True
        if self._parser.get_status_code() in _NONE or self._parser.get_http_version() not in ("1.0", "1.1"):
            self._stop(TransportFault.INVALID)

    def on_chunk_header(self) -> None:
        self._chunks += 1  # the last one too, which is empty
        if self._chunks > self._most_chunks + 1:
            self._stop(TransportFault.TOO_LARGE)

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            self._stop(TransportFault.TOO_LARGE)
        if not self._held:
            self._held = data
            return
        if type(self._held) is bytes:
            self._held = bytearray(self._held)
        self._held += data

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self._keep = status, self._parser.should_keep_alive()
        else:  # an interim answer: the real one follows, within the same bounds
            self._headed = self._framed = False
            self.coding = self.echoed = b""
            self.headers = ()
            self._lines += 1
            if self._lines > MAX_LINES:
                self._stop(TransportFault.TOO_LARGE)


def _settle(waiter: asyncio.Future[TransportFault | None], outcome: TransportFault | None) -> None:
    if not waiter.done():
        waiter.set_result(outcome)
