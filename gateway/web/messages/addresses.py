"""Where messages may go: to public addresses, and to networks that the operator named.

A receiver's address is a name, and whoever has that name can have it lead anywhere: to this machine, to a cloud's
metadata, into the operator's network. Invariant: a connection is made to an address that was judged, not to a name that
is looked up again; TLS and `Host` are still of the name. An address that holds another one (IPv4 in IPv6, in whichever
way) is judged by that one too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence

from gateway.values import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
            "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
            "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
"""What is not the public network's: this machine, links, private networks, clouds' own services, examples, groups, and
ways to IPv4 that nobody needs."""


class AddressRefused(OSError):
    """No message may go where a name leads."""


async def looked_up(host: str, port: int) -> Sequence[str]:
    """Every address of a name, by the system's resolver; raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class Addresses:
    """`networks` are those of the operator's own where receivers may be. `lookup` gives a name's addresses."""

    def __init__(self, networks: Sequence[Network] = (), lookup: Lookup = looked_up) -> None:
        self._networks, self._lookup = networks, lookup
        self.refused: set[str] = set()
        """The names that led nowhere when they were looked up last."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name that may be connected to, in its order; raises `AddressRefused`, `OSError`."""
        found = dict.fromkeys(each for each in await self._lookup(host, port) if self.may(each))
        if not found:
            self.refused.add(host)
            raise AddressRefused("the name leads to no address that is public, or in a network of `webhooks.networks`")
        self.refused.discard(host)
        return list(found)

    def may(self, text: str) -> bool:
        """Whether a message may go to an address."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return all(self._named(each) or not _own(each) for each in _inside(address))

    def _named(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _own(address: Address) -> bool:
    return any(address in network for network in _NEVER)


def _inside(address: Address) -> Iterator[Address]:
    """What an address stands for: itself, or an IPv4 address that it holds, or both where a gateway is between them."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    yield mapped or address
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
