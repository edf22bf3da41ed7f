"""The server's HTTP/1.1, with a short way for inquiries: from the connection to the endpoint, and back in one write.

Of a `POST /graphql` with a length no ASGI scope is made, no message and no task beside the answer's own: they cost more
than reading the request does. Whatever else comes goes by uvicorn's way: other paths, bodies in chunks or too long,
`Expect`, and what is sent before the last answer was had. While an inquiry is under way it stands in the place of the
exchange that uvicorn makes of a request. Invariants: those of `gateway.bounds.connections` and of the endpoint; one
answer at a time, in the order of the requests; an answer that cannot leave is reported as not taken.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.bounds.connections import BoundedProtocol
from gateway.inquiry.http.endpoint import Answered, GraphQLEndpoint, Headers, head
from gateway.inquiry.types import Answer
from gateway.serving.connections import TOGETHER

_PATH = b"/graphql"
_NOBODY = asyncio.Event()

Tls = Mapping[str, object]
"""ASGI's TLS extension of a connection."""


class Inquired(Protocol):
    """The application, as far as it is asked here."""

    endpoint: GraphQLEndpoint

    def inquire(
        self, client: str, headers: Headers, body: bytes, answered: Answered, tls: Tls | None = None
    ) -> None: ...


class _Exchange:
    """One inquiry, with what uvicorn asks of an exchange."""

    __slots__ = ("body", "disconnected", "headers", "keep_alive", "message_event", "response_complete", "slow")

    def __init__(self, headers: Headers, keep_alive: bool) -> None:
        self.headers, self.keep_alive = headers, keep_alive
        self.body: list[bytes] | None = []
        """Its pieces until it is whole."""
        self.response_complete = self.disconnected = self.slow = False
        self.message_event = _NOBODY


class DirectProtocol(BoundedProtocol):
    """HTTP/1.1 where TLS ends in front of it, or nowhere; a proxy there bounds connections by address."""

    together, each = TOGETHER, float("inf")
    _tls: Tls | None = None
    _under_way: _Exchange | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._asked: Inquired = self.config.loaded_app

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection. Its inquiry goes on."""
        if self._under_way is not None and self._under_way.slow:
            self._asked.endpoint.awaited(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came; what is not whole by then has its time."""
        super().data_received(data)
        read = self._under_way
        if read is not None and read.body is not None and not read.slow and not self.transport.is_closing():
            read.slow = True
            self._asked.endpoint.await_body(self, read.headers, self._answered)

    def on_message_begin(self) -> None:
        """Begin a request. uvicorn's scope is made once it is needed."""
        self._begun()
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """A request's head is whole: read an inquiry's body, or leave the request to uvicorn."""
        if self.parser.should_upgrade():
            return
        if self._is_inquiry():
            self._headed()
            keep = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
            self._under_way = self.cycle = _Exchange(self.headers, keep)  # type: ignore[assignment]
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        read = self._under_way
        if read is not None and read.body is not None:
            read.body.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request's body is whole: have an inquiry answered."""
        read = self._under_way
        if read is None or read.body is None:
            super().on_message_complete()
            return
        body = read.body[0] if len(read.body) == 1 else b"".join(read.body)
        read.body, self._in_body, self._head = None, False, 0
        if read.slow:
            self._asked.endpoint.awaited(self)
        if not self.transport.is_closing():
            client = self.client[0] if self.client else ""
            self._asked.inquire(client, read.headers, body, self._answered, self._tls)

    def resume_writing(self) -> None:
        """The client takes again what was sent: read on."""
        super().resume_writing()
        if self._under_way is None and not self.pipeline and not self._last:
            self.flow.resume_reading()

    def _is_inquiry(self) -> bool:
        if self.url != _PATH or self.parser.get_method() != b"POST" or self.expect_100_continue:
            return False
        if self.pipeline or not (self.cycle is None or self.cycle.response_complete):
            return False
        length = dict(self.headers).get(b"content-length")  # the parser takes no second one
        return length is not None and len(length) < 10 and int(length) <= self._asked.endpoint.body_limit

    def _answered(self, answer: Answer) -> bool:
        done, self._under_way = self._under_way, None
        if done is None or self.transport.is_closing():
            return False
        done.response_complete = True
        # What follows a request that was not read whole is none.
        keep = done.keep_alive and done.body is None and (not self._last or bool(self.pipeline))
        fixed = _head(answer.status, tuple(answer.headers.items()), keep, tuple(self.server_state.default_headers))
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (fixed, len(answer.body), answer.body))
        if not keep:
            self.transport.close()
        self.on_response_complete()
        if self.flow.write_paused:  # who does not take answers is not asked for more questions
            self.flow.pause_reading()
        return True


@functools.lru_cache(maxsize=64)
def _head(
    status: int, headers: tuple[tuple[str, str], ...], keep: bool, dated: tuple[tuple[bytes, bytes], ...]
) -> bytes:
    """The first lines of an answer; `dated` are the server's own, which are the same for a second."""
    named = [*head(Answer(status, dict(headers), b"")), *dated]
    if not keep:
        named.append((b"connection", b"close"))
    return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % pair for pair in named])
