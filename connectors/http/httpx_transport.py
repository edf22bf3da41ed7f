"""The reference transport, on httpcore, which httpx is made of: slow, widely understood, and held to the same contract.

A department has it with `transport: httpx`: while the fast one does not understand its answers, or to see whether so.
Every question has a connection of its own. httpcore bounds neither an answer's bytes nor its lines, and reads a length
that is said twice, so that what comes is watched before it has it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore

from connectors.http.tls import tls_context
from connectors.http.transport import MAX_AROUND, MAX_HEAD, MAX_LINES, Response, TransportFault, TransportOptions
from connectors.http.unpacking import unpacked
from connectors.kit.breaker import SOON, crowded

_TURN = 8
"""Chunks that are read before others have a turn: h11 reads them in Python, and thousands may come at once."""

_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_FRAMING = re.compile(rb"^(content-length|transfer-encoding)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.I | re.M)


class HttpxTransport:
    """Fills `connectors.http.transport.Transport`. For one event loop."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._places = asyncio.Semaphore(options.connections)
        self._context: ssl.SSLContext | None = None

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
        if within <= 0:
            return TransportFault.TIMEOUT
        watched = _Watched(self._options.max_bytes + MAX_AROUND)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        end = begun + min(within, self._options.timeout)
        try:
            async with asyncio.timeout_at(end - SOON):
                await self._places.acquire()
        except TimeoutError:
            return TransportFault.CROWDED
        late = TransportFault.CROWDED if crowded(begun, loop.time(), end) else TransportFault.TIMEOUT
        try:
            async with asyncio.timeout_at(end):
                return await self._send(watched, method, url, headers, body)
        except _Refused as refused:
            return refused.fault
        except (httpcore.TimeoutException, TimeoutError):
            return late
        except httpcore.ProtocolError:
            # What came is no HTTP, or breaks off: only of an answer that was there can it be said that it is wrong.
            return TransportFault.INVALID if watched.answered and not watched.ended else TransportFault.UNAVAILABLE
        except (httpcore.NetworkError, httpcore.UnsupportedProtocol, OSError, RuntimeError):
            return TransportFault.UNAVAILABLE
        finally:
            self._places.release()

    async def _send(
        self, watched: _Watched, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response | TransportFault:
        options = self._options
        own = {"user-agent": "dutybound", "accept-encoding": "gzip" if options.gzip else "identity"}
        sent = [*own.items(), *headers.items(), ("connection", "close")]
        origin = httpcore.URL(url).origin
        if origin.scheme == b"https":
            self._context = self._context or tls_context(options)
        connection = httpcore.AsyncHTTPConnection(origin, self._context, network_backend=watched)
        try:
            async with connection.stream(method, url, headers=sent, content=body) as response:
                if 300 <= response.status < 400:
                    return TransportFault.REDIRECT
                whole, chunks = bytearray(), 0
                async for chunk in response.aiter_stream():
                    whole += chunk
                    chunks += 1
                    if len(whole) > options.max_bytes or chunks > options.max_chunks:
                        return TransportFault.TOO_LARGE
                    if chunks % _TURN == 0:
                        await asyncio.sleep(0)
        finally:
            await connection.aclose()
        coding = b", ".join(value for name, value in response.headers if name.lower() == b"content-encoding")
        plain = await unpacked(self, coding.strip().lower(), bytes(whole), options.max_bytes, options.gzip)
        again = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"").decode(
            "latin-1"
        )
        if not isinstance(plain, bytes):
            return plain
        came = [(name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in response.headers]
        shown = tuple([each for each in came if each[0] in options.shown])
        return Response(response.status, plain, again, headers=shown)

    async def close(self) -> None:
        """See the port: no connection outlives its question."""


class _Refused(Exception):
    """What came is not read on."""

    def __init__(self, fault: TransportFault) -> None:
        self.fault = fault


class _Watched(httpcore.AsyncNetworkBackend):
    """A connection that carries one answer, of at most `most` bytes, and what was seen of it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.answered = self.ended = False
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature, here and below
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        opened = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(opened, self)


class _Stream(httpcore.AsyncNetworkStream):
    """Counts what comes, and looks at the head before anybody makes something of it."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, watched: _Watched) -> None:
        self._stream, self._watched = stream, watched
        self._read = self._lines = 0
        self._head: bytearray | None = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(max_bytes, timeout)
        self._watched.ended = not data
        self._read += len(data)
        if self._read > self._watched.most:
            raise _Refused(TransportFault.TOO_LARGE)
        if self._head is not None:
            self._look(self._head, data)
        return data

    def _look(self, head: bytearray, data: bytes) -> None:
        seen = max(0, len(head) - 3)
        head += data
        while end := _END.search(head, seen):
            status = _STATUS.match(head)
            self._watched.answered = head.startswith(b"HTTP/")
            if self._watched.answered and (status is None or _is_wrong(int(status[1]), head[: end.start()])):
                raise _Refused(TransportFault.INVALID)
            self._lines += head.count(b"\n", 0, end.end()) - (2 if status and int(status[1]) >= 200 else 1)
            if self._lines > MAX_LINES or self._read - len(head) + end.end() > MAX_HEAD:
                raise _Refused(TransportFault.TOO_LARGE)
            if status is None or int(status[1]) >= 200:
                self._head = None
                return
            del head[: end.end()]  # an interim answer: the real one follows
            seen = 0
        if self._read > MAX_HEAD:
            raise _Refused(TransportFault.TOO_LARGE)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._watched)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _is_wrong(status: int, head: bytearray) -> bool:
    """A status that is none, or a length that can be read in two ways."""
    framing = _FRAMING.findall(head)
    lengths = [value for name, value in framing if name.lower() == b"content-length"]
    return status < 100 or status == 101 or len(framing) > 1 or not all(value.isdigit() for value in lengths)
