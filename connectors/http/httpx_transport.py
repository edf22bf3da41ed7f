"""The reference transport, on httpx: slow, widely understood, and what the fast one is held against in the tests.

A department has it with `transport: httpx`: while the fast one does not understand its answers, or to see whether so.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from connectors.http.transport import Response, TransportFault, TransportOptions


def tls_context(options: TransportOptions) -> ssl.SSLContext:
    """Verified TLS: system roots plus the department's own CA, and the client certificate where there is one."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.ca_file is not None:
        context.load_verify_locations(options.ca_file)
    if options.cert_file is not None:
        context.load_cert_chain(options.cert_file, options.key_file)
    return context


class HttpxTransport:
    """Fills `connectors.http.transport.Transport`."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._client: httpx.AsyncClient | None = None

    def _build(self) -> httpx.AsyncClient:
        options = self._options
        self._client = httpx.AsyncClient(
            verify=tls_context(options),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(options.timeout),
            limits=httpx.Limits(max_connections=options.connections, max_keepalive_connections=options.connections),
            headers={"user-agent": "dutybound", "accept-encoding": "gzip"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        return self._client

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Response | TransportFault:
        """See the port."""
        if within <= 0:
            return TransportFault.TIMEOUT
        try:
            async with asyncio.timeout(min(within, self._options.timeout)):
                return await self._send(method, url, headers, body)
        except (httpx.TimeoutException, TimeoutError):
            return TransportFault.TIMEOUT
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, zlib.error, OSError, RuntimeError):
            return TransportFault.UNAVAILABLE

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response | TransportFault:
        client = self._client or self._build()
        async with client.stream(method, url, headers=dict(headers), content=body) as response:
            if 300 <= response.status_code < 400:
                return TransportFault.REDIRECT
            encoding = response.headers.get("content-encoding", "identity")
            if encoding not in ("identity", "gzip"):
                return TransportFault.UNAVAILABLE
            # httpx would decompress a whole chunk before it says how much came out of it.
            inflate = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
            limit = self._options.max_bytes + 1
            whole = bytearray()
            async for chunk in response.aiter_raw():
                whole += inflate.decompress(chunk, limit - len(whole)) if inflate else chunk
                if len(whole) >= limit:
                    return TransportFault.TOO_LARGE
            if inflate and not inflate.eof and whole:
                return TransportFault.UNAVAILABLE
            return Response(response.status_code, bytes(whole), response.headers.get("retry-after", ""))

    async def close(self) -> None:
        """See the port."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()
