"""Where a request came from, for whose turn it is: no more is decided by it, and it is written nowhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
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


def came_from(
    peer: str,
    headers: Iterable[tuple[bytes, bytes]],
    proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> str:
    """The address that a request came from: the connection's other end; where that is one of `proxies`, whom it names.

    A proxy adds whom it connects for at the end of `X-Forwarded-For`; what stands before is anybody's. So that is the
    last address there which is no proxy's. A header that is not understood counts for nothing.
    """
    if not proxies or not among(peer, proxies):
        return peer
    said = b",".join(value for name, value in headers if name.lower() == b"x-forwarded-for").decode("latin-1")
    for each in reversed([part.strip() for part in said.split(",")]):
        try:
            ipaddress.ip_address(each)
        except ValueError:
            return peer
        if not among(each, proxies):
            return each
    return peer


def among(text: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)
