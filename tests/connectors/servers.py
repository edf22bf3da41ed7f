"""Loopback servers that answer as departments do, and as they should not: each on a free port, each a real socket."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    names: tuple[str, ...] = ()
    """The names of all headers, in lower case, each as often as it came."""

    @property
    def text(self) -> str:
        """Everything that was sent, as one text to search in."""
        return f"{self.method} {self.target}\n{self.headers}\n{self.body.decode('utf-8', 'replace')}"


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A running server: its address, and all it was asked."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.port = 0
        self.requests: list[Request] = []
        self.opened = 0
        self.connections = 0
        self.most_connections = 0
        self.peer_certificates: list[Any] = []
        self.sent = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


def answer(body: bytes | Any, status: int = 200, **headers: str) -> bytes:
    """The bytes of one HTTP/1.1 answer; what is no bytes becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def always(raw: bytes) -> Handler:
    """Give the same answer to everything."""

    async def handle(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return handle


def by_path(answers: dict[str, bytes]) -> Handler:
    """Give each request target its own answer; 404 to all others."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.get(request.target, answer({}, 404)))

    return handle


async def silent(_: Request, __: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.sleep(3600)


def answers_once(raw: bytes) -> Handler:
    """Answer the first request of each connection, and hang up at the second."""
    answered: set[asyncio.StreamWriter] = set()

    async def handle(_: Request, writer: asyncio.StreamWriter) -> None:
        if writer in answered:
            writer.close()
        else:
            answered.add(writer)
            writer.write(raw)

    return handle


async def hang_up(_: Request, writer: asyncio.StreamWriter) -> None:
    """Close the connection instead of answering."""
    writer.close()


async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, for ever, so that no single read is ever late."""
    writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


@functools.cache
def zeros(megabytes: int, *, compressed: bool = False, announced: bool = True) -> bytes:
    """A large answer, or a small one that becomes large."""
    if compressed:
        return answer(_zipped(b"0" * 2**20, megabytes), content_encoding="gzip")
    content = b"0" * (megabytes * 1024 * 1024)
    if announced:
        return answer(content)
    return b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n" + content


def _zipped(block: bytes, times: int) -> bytes:
    """What `gzip.compress(block * times)` unpacks to as well, without packing it all: one block, again and again."""
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packing.compress(block) + packing.flush(zlib.Z_FULL_FLUSH)
    head = gzip.compress(b"", mtime=0)[:10]
    check = functools.reduce(lambda check, _: zlib.crc32(block, check), range(times), 0)
    return head + packed * times + packing.flush() + struct.pack("<II", check, len(block) * times)


@asynccontextmanager
async def serve(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server while the block runs."""
    server = Server("https" if context else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.opened += 1
        server.connections += 1
        server.most_connections = max(server.most_connections, server.connections)
        if context is not None:
            server.peer_certificates.append(writer.get_extra_info("peercert"))
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                lines = [(k.lower(), v) for k, v in (line.split(": ", 1) for line in head[1:] if line)]
                headers = dict(lines)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(method, target, headers, body, tuple(name for name, _ in lines))
                server.requests.append(request)
                await handler(request, writer)
                await writer.drain()
                server.sent += 1
                if headers.get("connection") == "close":
                    break
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            server.connections -= 1
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(connection(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


CHUNKED = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n"


def endlessly(start: bytes, part: bytes) -> Handler:
    """Begin an answer, and go on for ever."""

    async def handle(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(part)
            await writer.drain()

    return handle


ENDLESS = {
    "headers": (b"HTTP/1.1 200 X\r\n", b"a: b\r\n" * 1000),
    "one header": (b"HTTP/1.1 200 X\r\na: ", b"x" * 4096),
    "a status line": (b"HTTP/1.1 200 ", b"x" * 4096),
    "interim answers": (b"", b"HTTP/1.1 103 X\r\na: b\r\n\r\n" * 100),
    "bare interim answers": (b"", b"HTTP/1.1 103 X\r\n\r\n" * 100),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n" * 1000),
    "one trailer": (CHUNKED + b"2\r\n{}\r\n0\r\na: ", b"x" * 4096),
    "a chunk's extension": (CHUNKED + b"2;a=", b"x" * 4096),
    "chunks with extensions": (CHUNKED, b"1;a=" + b"x" * 4096 + b"\r\n \r\n"),
    "a chunk's length": (CHUNKED, b"0" * 4096),
    "small chunks": (CHUNKED, b"1\r\n \r\n" * 1000),
    "a body": (b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n", b" " * 4096),
    "a chunked body": (CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"),
}
