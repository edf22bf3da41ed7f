"""The settings of `gateway.yaml` for requests that come without a token: `open`.

    open: {per_second: 20, proxies: [10.1.0.0/16]}

`per_second` bounds how many open records all processes of one gateway serve. `proxies` are those that say in
`X-Forwarded-For` whom they connect for; the header counts from nobody else.
"""

from __future__ import annotations

import msgspec

from gateway.documents import Node
from gateway.values import Network


class OpenSettings(msgspec.Struct, frozen=True):
    """How many open records per second are served, and by which proxies those come who ask for them."""

    per_second: float = 20
    proxies: tuple[Network, ...] = ()

    def among(self, processes: int) -> OpenSettings:
        """Those of each of so many processes: together they serve no more."""
        return msgspec.structs.replace(self, per_second=self.per_second / processes)


def read_open(node: Node) -> OpenSettings:
    """The key `open`; what is wrong becomes problems."""
    if node.is_null:
        return OpenSettings()
    keys = node.mapping((), OpenSettings.__struct_fields__)
    proxies = [found for each in keys["proxies"].items() if (found := each.network()) is not None]
    return OpenSettings(keys["per_second"].integer(1, 10_000, int(OpenSettings().per_second)), tuple(proxies))
