"""Verified TLS: system roots plus the department's own CA, and the client certificate where there is one."""

from __future__ import annotations

import ssl

from connectors.http.transport import TransportOptions


def tls_context(options: TransportOptions) -> ssl.SSLContext:
    """The context of one department's connections, TLS 1.2 at least."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.ca_file is not None:
        context.load_verify_locations(options.ca_file)
    if options.cert_file is not None:
        context.load_cert_chain(options.cert_file, options.key_file)
    return context
