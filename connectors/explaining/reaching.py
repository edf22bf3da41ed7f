"""Why a connection does not come about, step by step: the name, the port, TLS, and what is sent on it.

A transport says only that there is none; this tries again by hand. It also says when the other side's certificate ends.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from connectors.http.tls import tls_context
from connectors.http.transport import TransportOptions


class Reached(NamedTuple):
    """What was found: `wrong` in words with the `key` of the department to look at, nothing where it can be reached.

    `ends` is the last moment of the certificate, where there is one and it was accepted.
    """

    key: str = ""
    wrong: str = ""
    ends: datetime.datetime | None = None


async def reach(url: str, base: str, options: TransportOptions, within: float) -> Reached:
    """Try the way to an address, each step within so many seconds; `base` is the key that the address stands under."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(host, port)
        writer.transport.abort()
    except TimeoutError:
        return Reached(base, f"`{host}` does not answer on port {port} in time; is it behind a firewall?")
    except socket.gaierror:
        return Reached(base, f"there is no host `{host}`; is the name right, and does this machine's DNS know it?")
    except ConnectionRefusedError:
        return Reached(base, f"nothing listens on port {port} of `{host}`")
    except OSError as error:
        return Reached(base, f"`{host}` cannot be reached on port {port} ({error.strerror or type(error).__name__})")
    no_tls = f"port {port} of `{host}` does not speak TLS; is it `http`, or another port?"
    try:
        async with asyncio.timeout(within):
            context = tls_context(options) if secure else None
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
        return await _answered(reader, writer, Reached(base, f"port {port} of `{host}`"), options, within)
    except TimeoutError:
        return Reached(base, no_tls)
    except ssl.SSLCertVerificationError as error:
        return Reached(*_certificate(error, host, base))
    except ssl.SSLError as error:
        if "HTTP_REQUEST" in str(error.reason) or "WRONG_VERSION" in str(error.reason):
            return Reached(base, no_tls)
        if "PROTOCOL_VERSION" in str(error.reason) or "UNSUPPORTED_PROTOCOL" in str(error.reason):
            return Reached(base, f"`{host}` speaks TLS of a version that is too old; 1.2 or later is needed")
        if "ALERT" in str(error.reason) or "CERTIFICATE_REQUIRED" in str(error.reason):
            return Reached("auth", f"`{host}` ends the TLS connection: {_refused(options)}")
        return Reached("tls", f"TLS with `{host}` fails ({error.reason or 'no reason given'})")
    except OSError as error:
        broken = f"`{host}` breaks the connection on port {port} ({error.strerror or type(error).__name__})"
        return Reached(base, f"{broken}; or {_refused(options)}" if secure else broken)


async def _answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Reached, options: TransportOptions, within: float
) -> Reached:
    """What comes on a connection to a `place`: by TLS 1.3 our certificate is refused after something was sent."""
    ends = _ends(writer)
    try:
        writer.write(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(within):
            first = await reader.read(5)
    except TimeoutError:
        return Reached(ends=ends)
    finally:
        writer.transport.abort()
    if not first and writer.get_extra_info("ssl_object") is not None:
        return Reached("auth", f"{place.wrong} ends the TLS connection without an answer: {_refused(options)}", ends)
    if not first:
        return Reached(place.key, f"{place.wrong} takes a connection, and closes it without an answer", ends)
    if first != b"HTTP/":
        return Reached(place.key, f"{place.wrong} does not speak HTTP", ends)
    return Reached(ends=ends)


def _ends(writer: asyncio.StreamWriter) -> datetime.datetime | None:
    held = writer.get_extra_info("ssl_object")
    der = held.getpeercert(binary_form=True) if held is not None else None
    return x509.load_der_x509_certificate(der).not_valid_after_utc if der else None


def _certificate(error: ssl.SSLCertVerificationError, host: str, base: str) -> tuple[str, str]:
    said = error.verify_message.lower()
    if "not yet valid" in said:
        return base, f"the certificate of `{host}` is not valid yet; is this machine's clock right, or the certificate?"
    if "expired" in said:
        return base, f"the certificate of `{host}` has ended; the department has to renew it"
    if "mismatch" in said or "not valid for" in said:
        return base, f"the certificate is not that of `{host}`; write the name that stands in it"
    return "tls", f"the certificate of `{host}` is of an authority that is not known here; name its CA in `tls.ca_file`"


def _refused(options: TransportOptions) -> str:
    if options.cert_file is None:
        return "it seems to ask for a client certificate, and there is none; write `auth: {kind: mtls, ...}`"
    return "it seems to refuse the client certificate `auth.cert_file`; is it the one that it knows, and not ended?"
