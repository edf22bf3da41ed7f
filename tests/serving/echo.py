"""A server with the short way for inquiries, and what is sent to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from gateway.bounds.connections import OPTIONS
from gateway.inquiry.http.endpoint import Answered, GraphQLEndpoint, Headers
from gateway.inquiry.types import Answer
from gateway.serving.direct import DirectProtocol
from tests.ports import free_port
from tests.waiting import until_async

LIMIT = 100_000


class Application:
    """Echoes. A body `wait` waits to be released, and notes that it was not sent, where it was not."""

    def __init__(self) -> None:
        self.endpoint = GraphQLEndpoint(
            self._answer,
            lambda quoted, error: self.defects.append(error),
            body_limit=LIMIT,
            body_timeout=3,
            patience=60,
        )
        self.release = asyncio.Event()
        self.asked: list[tuple[str, str, Headers]] = []
        self.unsent = 0
        self.defects: list[BaseException] = []
        self.huge = b""

    async def _answer(self, method: str, headers: Headers, body: bytes) -> Answer:
        if body == b"wait":
            await self.release.wait()
        content = self.huge if body == b"huge" else body
        return Answer(200, {"content-type": "text/plain", "x-said": "a\r\nb: c"}, content, self._not_sent)

    async def _not_sent(self) -> None:
        self.unsent += 1

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(("asgi", scope["client"][0], scope["headers"]))
        if scope["path"] == "/graphql":
            await self.endpoint(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def inquire(self, client: str, headers: Headers, body: bytes, answered: Answered, tls: Any = None) -> None:
        self.asked.append(("direct", client, headers))
        self.endpoint.begin("POST", headers, body, answered)

    @property
    def ways(self) -> list[str]:
        return [way for way, *_ in self.asked]


class Served:
    def __init__(self, port: int, application: Application, server: uvicorn.Server) -> None:
        self.port, self.application, self.server = port, application, server

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def said(self, content: bytes) -> bytes:
        """All that is answered until the connection ends."""
        async with self.connected() as (reader, writer):
            writer.write(content)
            return await asyncio.wait_for(reader.read(), 20)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    port, application = free_port(), Application()
    options = {**OPTIONS, "http": DirectProtocol, "proxy_headers": False}
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="error", lifespan="off", **options))
    task = asyncio.create_task(server.serve())
    await until_async("the server to listen", lambda: server.started)
    yield Served(port, application, server)
    application.release.set()
    server.should_exit = True
    await task


def post(body: bytes, *headers: bytes, version: bytes = b"1.1", path: bytes = b"/graphql") -> bytes:
    lines = [b"POST %b HTTP/%b" % (path, version), b"Host: x", b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


CLOSE = b"Connection: close"
CHUNKED = b"POST /graphql HTTP/1.1\r\nHost: x\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"


def bodies(answers: bytes) -> list[bytes]:
    """The bodies of answers that follow each other; each has a length."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        [length] = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        found.append(rest[:length])
        answers = rest[length:]
    return found
