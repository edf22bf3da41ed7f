"""The transport of the hot path: HTTP/1.1 on the event loop, parsed by httptools, connections kept.

Everything happens on the loop's own thread: on one core a call costs half of what a client with a runtime of its own
costs, since no thread has to be woken for it. A connection is kept for questions of its lane after an answer that named
everybody who was asked about, and after no other. So whatever comes late on a kept one, a second copy of any answer
that it ever carried, names somebody: it is the answer to the same question, or it is found to be another's. What goes
wrong on a kept connection is asked again on a new one (RFC 9110, 9.2.2: what goes through the port is idempotent).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from connectors.http import origins
from connectors.http.connection import Connection, Message
from connectors.http.tls import tls_context
from connectors.http.transport import Response, TransportFault, TransportOptions
from connectors.http.unpacking import unpacked

IDLE = 30.0
"""Seconds after which a kept connection is closed."""
MAX_ORIGINS = 8
"""Origins that are remembered: a department has one."""


MAX_LANES = 1024
"""Lanes without a connection that are remembered."""


class _Origin(NamedTuple):
    text: str
    host: str
    port: int
    secure: bool
    kept: bytes  # the Host header and those that every request has
    alone: bytes  # the same, of a request that is its connection's only one


class PooledTransport:
    """Fills `connectors.http.transport.Transport`. For one event loop. `context` replaces TLS as the options say."""

    def __init__(self, options: TransportOptions, context: ssl.SSLContext | None = None) -> None:
        self._options = options
        self._origins: dict[str, _Origin] = {}
        self._open: set[Connection] = set()
        self._idle: dict[tuple[str, object], list[Connection]] = {}
        self._resting: dict[Connection, tuple[str, object]] = {}  # the idle ones, longest first
        self._sweep: asyncio.TimerHandle | None = None
        self._queue: deque[asyncio.Future[None]] = deque()
        self._active = 0
        self._headers: tuple[Mapping[str, str], bytes] = ({}, b"")
        self._context = context
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        within: float,
        lane: object = None,
        fresh: bool = False,
    ) -> Response | TransportFault:
        """See the port."""
        within = min(within, self._options.timeout)
        if within <= 0:
            return TransportFault.TIMEOUT
        loop = self._loop or self._begin()
        cut = url.find("/", 8)
        origin, target = self._origins.get(url[:cut]) if cut > 0 else None, url[cut:]
        if origin is None:
            origin, target = self._origin(url)
        request = self._request(method, target, origin.alone if lane is None else origin.kept, headers, body)
        end = loop.time() + within
        if self._active >= self._options.connections and not await self._wait(loop, within):
            return TransportFault.TIMEOUT
        self._active += 1
        answer: Response | TransportFault = TransportFault.UNAVAILABLE
        try:
            answer = await self._exchange(loop, origin, request, end, lane, fresh)
        finally:
            if type(answer) is not Response or answer.lease is None:
                self._leave()
        return answer

    async def _exchange(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: _Origin,
        request: bytes,
        end: float,
        lane: object,
        fresh: bool,
    ) -> Response | TransportFault:
        key = (origin.text, lane)
        while True:
            connection = None if fresh or lane is None else self._kept(key)
            if connection is None:
                opened = await self._connect(loop, origin, end)
                if isinstance(opened, TransportFault):
                    return opened
                connection = opened
            used, lease = connection.used, None
            waiter = connection.exchange(request, loop)
            timer = loop.call_at(end, _late, waiter)
            try:
                message = await waiter
                if type(message) is Message and not (used and message.surplus):
                    body: bytes | TransportFault = message.body
                    if message.coding:
                        body = await unpacked(message.coding, message.body, self._options.max_bytes, self._options.gzip)
                    if type(body) is bytes:
                        if lane is not None:
                            lease = _Lease(self, connection, key, used)
                        return Response(message.status, body, message.retry_after, lease)
                    message = body  # type: ignore[assignment]  # a fault
            finally:
                timer.cancel()
                if lease is None:
                    self._close(connection)
            # Of two answers on a used connection nobody can say which is meant.
            fault = message if isinstance(message, TransportFault) else TransportFault.UNAVAILABLE
            if not used or fault is TransportFault.TIMEOUT:
                return fault
            fresh = True

    def _kept(self, key: tuple[str, object]) -> Connection | None:
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            del self._resting[connection]
            if connection.usable:
                return connection
            self._close(connection)
        return None

    def settle(self, connection: Connection, key: tuple[str, object], keep: bool) -> None:
        """An answer was read: its connection rests until its lane's next question, or is closed; a place is free."""
        if keep:
            loop = self._loop or self._begin()
            connection.idle_since = loop.time()
            idle = self._idle.get(key)
            if idle is None:
                self._idle[key] = [connection]
            else:
                idle.append(connection)
            self._resting[connection] = key
            if self._sweep is None:
                self._sweep = loop.call_later(IDLE, self._sweep_idle)
        else:
            self._close(connection)
        self._active -= 1
        if self._queue:
            self._wake()

    def _sweep_idle(self) -> None:
        loop = self._loop or self._begin()
        self._sweep = None
        while self._resting:
            connection = next(iter(self._resting))
            left = connection.idle_since + IDLE - loop.time()
            if left > 0 and connection.usable:
                self._sweep = loop.call_later(left, self._sweep_idle)
                return
            self._evict(connection)
        self._idle.clear()

    def _evict(self, connection: Connection) -> None:
        self._idle[self._resting.pop(connection)].remove(connection)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        connection.close()
        self._open.discard(connection)

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, origin: _Origin, end: float
    ) -> Connection | TransportFault:
        if len(self._idle) > MAX_LANES:
            self._idle = {key: idle for key, idle in self._idle.items() if idle}
        while self._resting and len(self._resting) + self._active > self._options.connections:
            self._evict(next(iter(self._resting)))
        context = None
        if origin.secure:
            context = self._context = self._context or tls_context(self._options)
        try:
            async with asyncio.timeout_at(end):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._options.max_bytes, self._options.max_chunks),
                    origin.host,
                    origin.port,
                    ssl=context,
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

    def _leave(self) -> None:
        self._active -= 1
        if self._queue:
            self._wake()

    def _wake(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _begin(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _origin(self, url: str) -> tuple[_Origin, str]:
        """The origin of an address in whatever spelling, and what is asked for there."""
        text, target = origins.split(url)
        found = self._origins.get(text)
        if found is None:
            parts = urlsplit(text)
            secure = parts.scheme == "https"
            coding = "gzip" if self._options.gzip else "identity"
            kept = f"Host: {parts.netloc}\r\nUser-Agent: dutybound\r\nAccept-Encoding: {coding}\r\n".encode("ascii")
            alone = kept + b"Connection: close\r\n"
            found = _Origin(text, parts.hostname or "", parts.port or (443 if secure else 80), secure, kept, alone)
            if len(self._origins) >= MAX_ORIGINS:
                del self._origins[next(iter(self._origins))]
            self._origins[text] = found
        return found, target

    def _request(self, method: str, target: str, lines: bytes, headers: Mapping[str, str], body: bytes | None) -> bytes:
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
            return head + lines + block + b"\r\n"
        return b"%s%s%sContent-Length: %d\r\n\r\n%s" % (head, lines, block, len(body), body)

    async def close(self) -> None:
        """See the port."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        self._idle.clear()
        self._resting.clear()
        self._origins.clear()


class _Lease:
    """Fills `connectors.http.transport.Lease`."""

    __slots__ = ("_connection", "_key", "_pool", "_usable", "reused")

    def __init__(self, pool: PooledTransport, connection: Connection, key: tuple[str, object], reused: bool) -> None:
        self._pool, self._connection, self._key, self.reused = pool, connection, key, reused
        self._usable = connection.usable
        connection.used = True

    def settle(self, keep: bool) -> bool:
        """See the port."""
        usable = self._connection.usable
        self._pool.settle(self._connection, self._key, keep and usable)
        return usable or not self._usable


def _late(waiter: asyncio.Future[Message | TransportFault]) -> None:
    if not waiter.done():
        waiter.set_result(TransportFault.TIMEOUT)
