"""Connections that end here and show client certificates.

Each request has ASGI's TLS extension (https://asgi.readthedocs.io/en/latest/specs/tls.html) with the one that was
shown. Invariants: TLS 1.3 only; a certificate is asked for and not demanded (a bearer token needs none); one that
`client_ca_file` does not vouch for ends the connection, and each connection shows its own anew; no header says where a
request came from.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from gateway.bounds.connections import SILENT, BoundedProtocol
from gateway.serving.direct import DirectProtocol


class CertificateProtocol(DirectProtocol):
    """HTTP/1.1 with the certificate that the connection's client showed; nobody in front bounds connections."""

    together, each = BoundedProtocol.together, BoundedProtocol.each

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate, once a connection."""
        super().connection_made(transport)
        shown = transport.get_extra_info("ssl_object")
        der = shown.getpeercert(binary_form=True) if shown is not None else None
        chain: object = (ssl.DER_cert_to_PEM_cert(der),) if der else ()
        self._tls = {
            "server_cert": None,
            "client_cert_chain": chain,
            "client_cert_name": None,
            "client_cert_error": None,
        }


def _modern(config: uvicorn.Config, made: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    del config
    context = made()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # who resumes a session shows no certificate: it may have expired since
    return context


class Loop(uvloop.Loop):
    """An event loop whose servers end a connection that does not shake hands after `SILENT` seconds."""

    async def create_server(self, *given: Any, **named: Any) -> asyncio.AbstractServer:  # type: ignore[override]
        """As uvloop's."""
        if named.get("ssl") is not None:
            named["ssl_handshake_timeout"] = SILENT
        return await super().create_server(*given, **named)


def options(cert_file: Path, key_file: Path, client_ca_file: Path) -> dict[str, Any]:
    """The options of uvicorn for them, beside those of every server."""
    return {
        "http": CertificateProtocol,
        "loop": f"{__name__}:Loop",
        "ssl_certfile": cert_file,
        "ssl_keyfile": key_file,
        "ssl_ca_certs": client_ca_file,
        "ssl_cert_reqs": ssl.CERT_OPTIONAL,
        "ssl_context_factory": _modern,
    }
