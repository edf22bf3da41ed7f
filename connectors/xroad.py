"""The connector for departments behind X-Road: a REST department, asked through the gateway's own security server.

What is asked for and how answers are read is `rest`'s; who asks, and that an answer is to this question, is X-Road's
(`connectors.http.xroad`). A security server takes the first five segments of an address for the service, so each is of
a subsystem. A service's version is a part of its `path`: the protocol has none of its own for REST. The protocol for
SOAP is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from connectors.base import Config, Connector, DatasetShape
from connectors.http.calling import read_caller
from connectors.http.forwarding import read_forward
from connectors.http.xroad import MEANT, RESERVED, SHOWN, Named, XroadCaller, read_identifier, written
from connectors.kit.headers import read_headers
from connectors.rest import RestConnector, read_endpoints

DEPARTMENT_KEYS = (
    "kind", "security_server", "client", "service", "represented_party", "auth", "tls", "limits", "headers", "forward",
    "datasets", "allow_plain_http", "transport", "connections",
)  # fmt: skip


def build(config: Config, shapes: Mapping[str, DatasetShape]) -> Connector:
    """The connector of one department of `kind: xroad`."""
    keys = config.mapping(("security_server", "client", "service", "datasets"), DEPARTMENT_KEYS)
    security_server = keys["security_server"].url(keys["allow_plain_http"].boolean(False)).rstrip("/")
    represented = keys["represented_party"]
    named = Named(
        read_identifier(keys["client"], 3, 4, "EE/GOV/70000001/gateway"),
        read_identifier(keys["service"], 5, 5, "EE/GOV/70000002/registry/vehicles"),
        read_identifier(represented, 1, 2, "GOV/70000003") if "represented_party" in keys else (),
    )
    headers = {"accept": "application/json", **read_headers(keys["headers"], RESERVED)}
    base_url = f"{security_server}/r1/{written(named.service)}"
    endpoints = read_endpoints(keys["datasets"], shapes, base_url, links=False)
    made = functools.partial(XroadCaller, named, security_server)
    forward = read_forward(keys, headers, MEANT)
    return RestConnector(read_caller(keys, headers, made, SHOWN), base_url, endpoints, forward)
