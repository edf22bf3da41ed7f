"""The transport of the hot path, on pyreqwest (Rust's reqwest): under 35 microseconds of CPU a call.

pyreqwest itself keeps the timeout, the number of connections and TLS; the body is read as a stream with a bound. The
client is made in the first call, so that it belongs to the process and event loop that use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError

from connectors.transport import Response, TransportFault, TransportOptions


class PyreqwestTransport:
    """Fills `connectors.transport.Transport`."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._client: Client | None = None
        self._active = 0

    def _build(self) -> Client:
        options = self._options
        total = timedelta(seconds=options.timeout)
        builder = (
            ClientBuilder()
            .user_agent("dutybound")
            .no_proxy()
            .follow_redirects(False)
            .referer(False)
            .default_cookie_store(False)
            .min_tls_version("TLSv1.2")
            .timeout(total)
            .connect_timeout(total)
            .read_timeout(total)
            .pool_timeout(total)
            .max_connections(options.connections)
            .pool_max_idle_per_host(options.connections)
            .pool_idle_timeout(timedelta(seconds=30))
        )
        if options.ca_file is not None:
            builder = builder.add_root_certificate_pem(options.ca_file.read_bytes())
        if options.cert_file is not None and options.key_file is not None:
            builder = builder.identity_pem(options.cert_file.read_bytes() + b"\n" + options.key_file.read_bytes())
        self._client = builder.build()
        return self._client

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Response | TransportFault:
        """See the port."""
        if within <= 0:
            return TransportFault.TIMEOUT
        self._active += 1
        try:
            if self._active > self._options.connections:
                # pyreqwest times the wait for a free connection apart from the request; here both share one clock.
                async with asyncio.timeout(min(within, self._options.timeout)):
                    return await self._send(method, url, headers, body, within)
            return await self._send(method, url, headers, body, within)
        except (RequestTimeoutError, TimeoutError):
            return TransportFault.TIMEOUT
        except PyreqwestError:
            return TransportFault.UNAVAILABLE
        finally:
            self._active -= 1

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Response | TransportFault:
        options = self._options
        request = (self._client or self._build()).request(method, url).headers(headers)
        if body is not None:
            request = request.body_bytes(body)
        if within < options.timeout:
            request = request.timeout(timedelta(seconds=within))
        limit = options.max_bytes + 1
        async with request.build_streamed() as response:
            status = response.status
            if 300 <= status < 400:
                return TransportFault.REDIRECT
            reader = response.body_reader
            chunk = await reader.read(limit)
            if chunk is None:
                return Response(status, b"")
            if len(chunk) >= limit:
                return TransportFault.TOO_LARGE
            whole = chunk.to_bytes()
            # A read gives what is there; only `None` says that the body has ended.
            while (chunk := await reader.read(limit - len(whole))) is not None:
                whole += chunk.to_bytes()
                if len(whole) >= limit:
                    return TransportFault.TOO_LARGE
            return Response(status, whole)

    async def close(self) -> None:
        """See the port."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()
