"""A server for connections that end here and show client certificates, on uvicorn.

granian, which serves otherwise, does not tell an application which certificate a client showed. Here each request's
scope has ASGI's TLS extension (https://asgi.readthedocs.io/en/latest/specs/tls.html) with it. Invariants: TLS 1.3 only;
a certificate is asked for and not demanded (a bearer token needs none); one that `client_ca_file` does not vouch for
ends the connection; no header says where a request came from.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CertificateProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose scopes say what certificate the connection's client showed."""

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

    def on_message_begin(self) -> None:
        """Begin a request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": self._tls}  # type: ignore[dict-item]


def _modern(config: uvicorn.Config, made: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    del config
    context = made()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def serve(
    application: str, host: str, port: int, workers: int, cert_file: Path, key_file: Path, client_ca_file: Path
) -> None:
    """Serve the application that the factory `application` (`module:function`) makes, until SIGINT or SIGTERM."""
    uvicorn.run(
        application,
        factory=True,
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        http=CertificateProtocol,
        ws="none",
        loop="uvloop",
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=30,
        ssl_certfile=cert_file,
        ssl_keyfile=key_file,
        ssl_ca_certs=client_ca_file,
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        ssl_context_factory=_modern,
    )
