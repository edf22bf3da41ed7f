"""Which certificate a client showed (RFC 8705), on a connection that ends here or at a trusted proxy (RFC 9440).

Invariants: what a request says of a certificate counts only from a configured proxy's address; from then on there is
one header, `client-cert`, and it is there only where the connection vouches for it. Whether the certificate's chain is
good was judged where TLS ended; here it is only what a token is bound to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from http_sfv.item import Item

from gateway.config.oauth import TLSSettings
from gateway.errors import Unfit

Headers = list[tuple[bytes, bytes]]

HEADER = b"client-cert"
MAX_CERTIFICATE = 16 * 1024
_PEM = b"-----BEGIN CERTIFICATE-----"


class ClientCertificates:
    """Client certificates, which arrive as in `settings`."""

    def __init__(self, settings: TLSSettings) -> None:
        self._direct = settings.client_ca_file is not None
        self._header = settings.client_certificate_header.lower().encode()
        self._proxies = settings.proxies
        self._is_proxy = lru_cache(256)(self._among_proxies)

    def vouched(self, scope: Mapping[str, Any]) -> Headers:
        """The headers of an ASGI scope, with `client-cert` where the connection vouches for it and not otherwise.

        A connection that ends here says so by the TLS extension of ASGI.
        """
        headers: Headers = [pair for pair in scope["headers"] if pair[0] not in (HEADER, self._header)]
        if self._direct:
            chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain") or ()
            if chain:
                headers.append((HEADER, b":" + "".join(chain[0].strip().split("\n")[1:-1]).encode() + b":"))
        elif self._is_proxy(scope["client"][0] if scope.get("client") else ""):
            headers += [(HEADER, value) for name, value in scope["headers"] if name == self._header]
        return headers

    def _among_proxies(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._proxies)


def check(headers: Iterable[tuple[bytes, bytes]], thumbprint: str) -> None:
    """Refuse a token bound to the certificate with this thumbprint (`x5t#S256`), where another or none was shown.

    Raises `Unfit`.
    """
    found = [value for name, value in headers if name == HEADER]
    if not found:
        raise Unfit("The token is bound to a client certificate: connect with it.")
    if len(found) > 1:
        raise Unfit("More than one client certificate was given.")
    if not hmac.compare_digest(_thumbprint(found[0]), thumbprint):
        raise Unfit("The token is bound to another client certificate than the one of this connection.")


@lru_cache(1024)
def _thumbprint(value: bytes) -> str:
    """The SHA-256 of a certificate: a byte sequence (RFC 9440), or PEM in percent-encoding, as nginx writes it."""
    if len(value) > MAX_CERTIFICATE:
        raise Unfit("The client certificate is too long.")
    try:
        if value.startswith(b":"):
            item = Item()
            item.parse(value)
            der = item.value
        else:
            pem = unquote_to_bytes(value).strip()
            if not pem.startswith(_PEM):
                raise ValueError
            der = base64.b64decode(b"".join(pem.split(b"\n")[1:-1]), validate=True)
        if not isinstance(der, bytes) or not der:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise Unfit("The client certificate cannot be read.") from error
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
