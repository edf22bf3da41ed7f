"""The transport of the hot path: HTTP/1.1 on the event loop, parsed by httptools, connections kept.

Everything happens on the loop's own thread: on one core a call costs half of what a client with a runtime of its own
costs, since no thread has to be woken for it. A request that a kept connection loses before a byte came back is sent
once more on a new one (RFC 9110, 9.2.2: what goes through the port is idempotent).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from connectors.http.connection import Connection
from connectors.http.transport import Response, TransportFault, TransportOptions

IDLE = 30.0
"""Seconds after which a kept connection is not used again."""


class _Origin(NamedTuple):
    host: str
    port: int
    secure: bool
    line: bytes  # the Host header and those that every request has
    idle: deque[Connection]


class PooledTransport:
    """Fills `connectors.http.transport.Transport`. For one event loop."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._origins: dict[str, _Origin] = {}
        self._open: set[Connection] = set()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._active = 0
        self._headers: tuple[Mapping[str, str], bytes] = ({}, b"")
        self._context: ssl.SSLContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Response | TransportFault:
        """See the port."""
        within = min(within, self._options.timeout)
        if within <= 0:
            return TransportFault.TIMEOUT
        loop = self._loop or self._begin()
        cut = url.find("/", 8)
        origin_text, target = (url[:cut], url[cut:]) if cut > 0 else (url, "/")
        origin = self._origins.get(origin_text) or self._origin(origin_text)
        request = self._request(method, target, origin, headers, body)
        end = loop.time() + within
        if self._active >= self._options.connections and not await self._wait(loop, within):
            return TransportFault.TIMEOUT
        self._active += 1
        try:
            return await self._exchange(loop, origin, request, end)
        finally:
            self._active -= 1
            if self._queue:
                self._wake()

    async def _exchange(
        self, loop: asyncio.AbstractEventLoop, origin: _Origin, request: bytes, end: float
    ) -> Response | TransportFault:
        while True:
            connection, kept = self._kept(origin, loop.time()), True
            if connection is None:
                kept = False
                opened = await self._connect(loop, origin, end)
                if isinstance(opened, TransportFault):
                    return opened
                connection = opened
            waiter = connection.exchange(request, loop)
            timer = loop.call_at(end, _late, waiter)
            try:
                outcome = await waiter
            finally:
                timer.cancel()
                if connection.usable and waiter.done() and not waiter.cancelled() and waiter.result() is not _LATE:
                    connection.idle_since = loop.time()
                    origin.idle.append(connection)
                else:
                    connection.close()
                    self._open.discard(connection)
            if outcome is _LATE:
                return TransportFault.TIMEOUT
            if kept and outcome is TransportFault.UNAVAILABLE and not connection.touched:
                continue
            return outcome

    def _kept(self, origin: _Origin, now: float) -> Connection | None:
        while origin.idle:
            connection = origin.idle.pop()
            if connection.usable and now - connection.idle_since < IDLE:
                return connection
            connection.close()
            self._open.discard(connection)
        return None

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, origin: _Origin, end: float
    ) -> Connection | TransportFault:
        context = self._tls() if origin.secure else None
        try:
            async with asyncio.timeout_at(end):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._options.max_bytes), origin.host, origin.port, ssl=context
                )
        except TimeoutError:
            return TransportFault.TIMEOUT
        except OSError:  # an SSLError is one
            return TransportFault.UNAVAILABLE
        self._open.add(connection)
        return connection

    async def _wait(self, loop: asyncio.AbstractEventLoop, within: float) -> bool:
        """Wait for a place; whoever leaves one wakes the first who waits. False where time ran out."""
        try:
            async with asyncio.timeout(within):
                while self._active >= self._options.connections:
                    waiter: asyncio.Future[None] = loop.create_future()
                    self._queue.append(waiter)
                    await waiter
        except TimeoutError:
            self._wake()  # a place may have been offered in the moment in which time ran out
            return False
        except BaseException:
            self._wake()
            raise
        return True

    def _wake(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _begin(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _origin(self, text: str) -> _Origin:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address must be http:// or https:// and a host")
        secure = parts.scheme == "https"
        lines = f"Host: {parts.netloc}\r\nUser-Agent: dutybound\r\nAccept-Encoding: gzip\r\n"
        made = _Origin(parts.hostname, parts.port or (443 if secure else 80), secure, lines.encode("ascii"), deque())
        self._origins[text] = made
        return made

    def _request(
        self, method: str, target: str, origin: _Origin, headers: Mapping[str, str], body: bytes | None
    ) -> bytes:
        known, block = self._headers
        if headers is not known:
            text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            if text.count("\n") != len(headers) or text.count("\r") != len(headers):
                raise ValueError("a header must be one line")
            block = text.encode("latin-1")
            self._headers = headers, block
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise ValueError("an address must be percent-encoded")
        head = f"{method} {target} HTTP/1.1\r\n".encode("ascii")
        if body is None:
            return head + origin.line + block + b"\r\n"
        return b"%s%s%sContent-Length: %d\r\n\r\n%s" % (head, origin.line, block, len(body), body)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            options = self._options
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if options.ca_file is not None:
                context.load_verify_locations(options.ca_file)
            if options.cert_file is not None:
                context.load_cert_chain(options.cert_file, options.key_file)
            self._context = context
        return self._context

    async def close(self) -> None:
        """See the port."""
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        self._origins.clear()


_LATE = TransportFault.TIMEOUT


def _late(waiter: asyncio.Future[Response | TransportFault]) -> None:
    if not waiter.done():
        waiter.set_result(_LATE)
