"""httpx's client for peers that are no departments (issuers, registries, witnesses): all that they can send is bounded.

What httpx has of its own bounds a body at most: not a head's lines, what stands around chunks, or trailers. Here one
question has one connection, no redirect is followed, and no proxy is taken from the environment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx

from connectors.http.pooled_transport import PooledTransport, Resolve
from connectors.http.transport import FAILURES, Response, TransportFault, TransportOptions

_OURS = frozenset({"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"})


def bounded_client(
    options: TransportOptions, context: ssl.SSLContext | None = None, resolve: Resolve | None = None
) -> httpx.AsyncClient:
    """A client whose answers have at most `options.max_bytes`. `context` replaces TLS as the options have it.

    With `resolve` it connects to the addresses that this gives, and to no others.
    """
    transport = BoundedTransport(options, context, resolve)
    return httpx.AsyncClient(transport=transport, timeout=options.timeout, follow_redirects=False, trust_env=False)


class BoundedTransport(httpx.AsyncBaseTransport):
    """Carries httpx's requests by the pooled transport; its faults become httpx's exceptions."""

    def __init__(
        self, options: TransportOptions, context: ssl.SSLContext | None = None, resolve: Resolve | None = None
    ) -> None:
        self._options, self._context, self._resolve = options, context, resolve
        self._transport: PooledTransport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self._loop is not loop:
            self._transport, self._loop = PooledTransport(self._options, self._context, self._resolve), loop
        headers = {name: value for name, value in request.headers.items() if name not in _OURS}
        within = request.extensions.get("timeout", {}).get("read") or self._options.timeout
        content = await request.aread()
        body = content if content or request.method not in ("GET", "HEAD") else None
        try:
            answer = await self._transport.send(request.method, str(request.url), headers, body, within)
        except ValueError as error:
            raise httpx.InvalidURL(str(error)) from error
        if isinstance(answer, Response):
            # As bytes: httpx would take text for ASCII, and a peer may send anything.
            again = {b"retry-after": answer.retry_after.encode("latin-1")} if answer.retry_after else {}
            return httpx.Response(answer.status, headers=again, stream=_Body(answer.body))
        told = FAILURES[answer].detail
        if answer is TransportFault.CROWDED:
            raise httpx.PoolTimeout(told)
        if answer is TransportFault.TIMEOUT:
            raise httpx.ReadTimeout(told)
        if answer is TransportFault.UNAVAILABLE:
            raise httpx.ConnectError(told)
        raise httpx.RemoteProtocolError(told)

    async def aclose(self) -> None:
        """See httpx."""
        transport, self._transport = self._transport, None
        if transport is not None and self._loop is asyncio.get_running_loop():
            await transport.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
