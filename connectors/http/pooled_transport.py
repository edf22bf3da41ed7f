"""The transport of the hot path: HTTP/1.1 on the event loop, parsed by httptools, connections kept.

Everything happens on the loop's own thread: on one core a call costs half of what a client with a runtime of its own
costs, since no thread has to be woken for it. A connection is kept for questions of its lane after an answer that named
everybody who was asked about, and after no other. So whatever comes late on a kept one, a second copy of any answer
that it ever carried, names somebody: it is the answer to the same question, or it is found to be another's. Where the
source repeats a header (`echo`), each question has a value of its own in it, and a connection is kept after whatever
answer has it. What goes wrong on a kept connection is asked again on a new one (RFC 9110, 9.2.2: what goes through the
port is idempotent).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from connectors.http import origins
from connectors.http.connection import Connection
from connectors.http.tls import tls_context
from connectors.http.transport import Response, TransportFault, TransportOptions
from connectors.http.unpacking import unpacked
from connectors.kit.breaker import SOON, crowded

IDLE = 30.0
"""Seconds after which a kept connection is closed."""
MAX_ORIGINS = 8
"""Origins that are remembered: a department has one."""
MAX_LANES = 1024
"""Lanes without a connection that are remembered."""


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host and port that may be connected to; raises `OSError` where there are none."""

_PROVEN = object()
"""The one lane of all questions where each has an echo of its own."""
_GRAPHIC = bytes(range(ord("!"), ord("~") + 1))
"""All characters of ASCII that an address may have: those that are printed, without the space."""


class _Origin(NamedTuple):
    text: str
    host: str
    port: int
    secure: bool
    kept: bytes  # the Host header and those that every request has
    alone: bytes  # the same, of a request that is its connection's only one


class Opening(msgspec.Struct, frozen=True):
    """What all requests of one kind have in common: made once, by `PooledTransport.opening`.

    `key` is the lane that they keep connections in, at their origin. Their addresses are alike up to `cut`, where the
    origin ends; `before` and `after` stand around what follows there. `names` are the headers that each has, in lower
    case.
    """

    key: tuple[str, object]
    cut: int
    before: bytes
    after: bytes
    names: frozenset[str]


class PooledTransport:
    """Fills `connectors.http.transport.Transport`. For one event loop. `context` replaces TLS as the options have it.

    With `resolve`, a connection is made to an address that it gave, and to no other; TLS is still of the host's name.
    """

    def __init__(
        self, options: TransportOptions, context: ssl.SSLContext | None = None, resolve: Resolve | None = None
    ) -> None:
        self._options = options
        self._origins: dict[str, _Origin] = {}
        self._open: set[Connection] = set()
        self._idle: defaultdict[tuple[str, object], list[Connection]] = defaultdict(list)
        self._resting: dict[Connection, None] = {}  # the idle ones, longest first
        self._sweep: asyncio.TimerHandle | None = None
        self._queue: deque[asyncio.Future[None]] = deque()
        self._active = 0
        self._headers: tuple[Mapping[str, str], bytes] = ({}, b"")
        self._context, self._resolve = context, resolve
        self._loop: asyncio.AbstractEventLoop | None = None
        self._echo = f"{options.echo}: {secrets.token_hex(8)}-".encode("ascii") if options.echo else b""
        self._questions = itertools.count(1)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        within: float,
        lane: object = None,
        fresh: bool = False,
    ) -> Coroutine[Any, Any, Response | TransportFault]:
        """See the port."""
        loop = self._loop or self._begin()
        cut = url.find("/", 8)
        origin, target = self._origins.get(url[:cut]) if cut > 0 else None, url[cut:]
        if origin is None:
            origin, target = self._origin(url)
        lines, proof = origin.alone if lane is None else origin.kept, b""
        if self._echo:
            line, lane = b"%s%d" % (self._echo, next(self._questions)), _PROVEN
            lines, proof = origin.kept + line + b"\r\n", line.partition(b": ")[2]
        request = self._request(method, target, lines, headers, body)
        return self._exchange(
            loop, origin, request, loop.time() + min(within, self._options.timeout), lane, fresh, proof
        )

    def opening(self, method: str, url: str, headers: Mapping[str, str], lane: object) -> Opening | None:
        """What `begin` takes for requests of one kind to the origin of `url`; None where none can be sent at once."""
        cut = url.find("/", 8)
        origin, _ = self._origin(url)
        if self._echo or url[:cut] != origin.text:
            return None
        after = b" HTTP/1.1\r\n" + origin.kept + _lines(headers)
        return Opening((origin.text, lane), cut, f"{method} ".encode("ascii"), after, frozenset(headers))

    def begin(
        self, opening: Opening, url: str, rest: bytes, told: Callable[[TransportFault | None], None]
    ) -> Connection | None:
        """Send a request at once; None where it takes more than a free place and a kept connection.

        `rest` is what follows the headers that all of its kind have (`ending`). The connection has the answer when
        `told` is called without a fault. In any case it is to be settled then.
        """
        if self._active >= self._options.connections:
            return None
        request = b"%b%b%b%b" % (opening.before, _target(url[opening.cut :]), opening.after, rest)
        connection = self._kept(opening.key)
        if connection is None:
            return None
        self._active += 1
        if not connection.begin(request, told):
            self._settled(connection, False)
            return None
        return connection

    async def _exchange(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: _Origin,
        request: bytes,
        end: float,
        lane: object,
        fresh: bool,
        proof: bytes,
    ) -> Response | TransportFault:
        begun, late = loop.time(), TransportFault.TIMEOUT
        if end <= begun:
            return TransportFault.TIMEOUT
        if self._active >= self._options.connections:
            if not await self._wait(loop, end - SOON):
                return TransportFault.CROWDED
            if crowded(begun, loop.time(), end):
                late = TransportFault.CROWDED
        self._active += 1
        key, lease = (origin.text, lane), None
        try:
            while True:
                connection = None if fresh or lane is None else self._kept(key)
                if connection is None:
                    opened = await self._connect(loop, origin, key, end)
                    if isinstance(opened, TransportFault):
                        return late if opened is TransportFault.TIMEOUT else opened
                    connection = opened
                waiter = connection.exchange(request, loop)
                timer = loop.call_at(end, connection.late)
                kept = False
                try:
                    fault = await waiter
                    if fault is None and connection.coding:
                        fault = await self.unpack(connection)
                    if fault is None and connection.is_doubtful(proof):
                        fault = TransportFault.INVALID
                    if fault is None:
                        lease = connection if lane is not None and not proof else None
                        kept = lease is not None or (proof == connection.echoed != b"" and self._rest(connection))
                        body, again = connection.body, connection.retry_after
                        return Response(connection.status, body, again, lease, connection.headers)
                finally:
                    timer.cancel()
                    if not kept:
                        self._close(connection)
                if fault is TransportFault.TIMEOUT:
                    return late
                if not connection.reused:
                    return fault
                fresh = True
        finally:
            if lease is None:
                self._active -= 1
                self._wake()

    def _kept(self, key: tuple[str, object]) -> Connection | None:
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            del self._resting[connection]
            if connection.usable:
                return connection
            self._close(connection)
        return None

    def _settled(self, connection: Connection, keep: bool) -> None:
        """An answer was read: its connection rests until its lane's next question, or is closed; a place is free."""
        self._active -= 1
        if not (keep and self._rest(connection)):
            self._close(connection)
        if self._queue:
            self._wake()

    def _rest(self, connection: Connection) -> bool:
        if not connection.usable:
            return False
        loop = self._loop or self._begin()
        connection.idle_since = loop.time()
        self._idle[connection.key].append(connection)
        self._resting[connection] = None
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE, self._sweep_idle)
        return True

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
        del self._resting[connection]
        self._idle[connection.key].remove(connection)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        connection.close()
        self._open.discard(connection)

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, origin: _Origin, key: tuple[str, object], end: float
    ) -> Connection | TransportFault:
        if len(self._idle) > MAX_LANES:
            self._idle = defaultdict(list, {key: idle for key, idle in self._idle.items() if idle})
        while self._resting and len(self._resting) + self._active > self._options.connections:
            self._evict(next(iter(self._resting)))
        context = None
        if origin.secure:
            context = self._context = self._context or tls_context(self._options)
        try:
            async with asyncio.timeout_at(end):
                connection = await self._reached(loop, origin, key, context)
        except TimeoutError:
            return TransportFault.TIMEOUT
        except OSError:  # an SSLError is one
            return TransportFault.UNAVAILABLE
        self._open.add(connection)
        return connection

    async def _reached(
        self, loop: asyncio.AbstractEventLoop, origin: _Origin, key: tuple[str, object], context: ssl.SSLContext | None
    ) -> Connection:
        """A connection to the origin; raises `OSError`."""

        def made() -> Connection:
            return Connection(self._options, key, self._settled)

        if self._resolve is None:
            return (await loop.create_connection(made, origin.host, origin.port, ssl=context))[1]
        name = origin.host if context is not None else None
        failure: OSError = OSError("no address")
        for address in await self._resolve(origin.host, origin.port):
            try:
                return (await loop.create_connection(made, address, origin.port, ssl=context, server_hostname=name))[1]
            except OSError as error:
                failure = error
        raise failure

    async def unpack(self, connection: Connection) -> TransportFault | None:
        """Put in place of its answer's body what it is, decompressed, without a coding; or why that cannot be."""
        options = self._options
        plain = await unpacked(self, connection.coding, connection.body, options.max_bytes, options.gzip)
        if isinstance(plain, TransportFault):
            return plain
        connection.body, connection.coding = plain, b""
        return None

    async def _wait(self, loop: asyncio.AbstractEventLoop, end: float) -> bool:
        """Wait for a place; whoever leaves one wakes the first who waits. False where time ran out."""
        try:
            async with asyncio.timeout_at(end):
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
            block = _lines(headers)
            self._headers = headers, block
        return b"%b %b HTTP/1.1\r\n%b%b%b" % (method.encode("ascii"), _target(target), lines, block, ending({}, body))

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


def ending(headers: Mapping[str, str], body: bytes | None) -> bytes:
    """What ends a request: headers of its own, the length of its body where it has one, and the body.

    Raises `ValueError` for a header that is more than one line.
    """
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    return b"%b%b\r\n%b" % (_lines(headers) if headers else b"", length, body or b"")


def _lines(headers: Mapping[str, str]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        raise ValueError("a header must be one line")
    return text.encode("latin-1")


def _target(text: str) -> bytes:
    if not text.isascii() or (target := text.encode()).translate(None, _GRAPHIC):
        raise ValueError("an address must be percent-encoded")
    return target
