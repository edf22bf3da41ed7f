"""Where a request came from, for whose turn it is: no more is decided by it, and it is written nowhere."""

from __future__ import annotations

import ipaddress
from contextvars import ContextVar

asked_from: ContextVar[str] = ContextVar("asked_from", default="")
"""The address of the connection's other end: behind a proxy, the proxy's."""


def share_of(address: str) -> str:
    """Whose share an address uses: its own, and of IPv6 the network of 64 bits that one place has to itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return address
