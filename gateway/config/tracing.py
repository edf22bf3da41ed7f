"""The settings of `gateway.yaml` for traces: `tracing`.

    tracing: {endpoint: "http://127.0.0.1:4318/v1/traces", sample: 0.05, accept_context: {clients: [market-regulator]}}

`accept_context` names who may say which trace an inquiry belongs to: requesters by their client ids, and proxies by the
networks that they connect from. From everybody else a trace context is not read.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec

from gateway.documents import Node
from gateway.values import Network

SAMPLE = 0.05


class TracingSettings(msgspec.Struct, frozen=True):
    """Where traces are sent by OTLP over HTTP, and the share of inquiries that have one, from 0 to 1.

    `token` authorizes the gateway there, and `ca_file` vouches for TLS instead of the system's authorities.
    """

    endpoint: str
    sample: float = SAMPLE
    clients: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    token: str | None = None
    ca_file: Path | None = None


def read_tracing(node: Node) -> TracingSettings | None:
    """The key `tracing`; what is wrong becomes problems."""
    if node.is_null:
        return None
    if importlib.util.find_spec("opentelemetry") is None:
        node.key_problem("needs packages that are not installed: `pip install 'dutybound[otel]'`")
    keys = node.mapping(("endpoint",), ("sample", "accept_context", "token_file", "ca_file"))
    share = "a share from 0 to 1, as `0.05`"
    sample = keys["sample"].text(str(SAMPLE), pattern=r"0|1|1\.0|0\.[0-9]{1,9}", what=share) or "0"
    accepted = keys["accept_context"].mapping((), ("clients", "proxies"))
    return TracingSettings(
        keys["endpoint"].url(),
        float(sample),
        frozenset(each.text() for each in accepted["clients"].items()),
        tuple(found for each in accepted["proxies"].items() if (found := each.network()) is not None),
        keys["token_file"].secret() if "token_file" in keys else None,
        keys["ca_file"].existing_file() if "ca_file" in keys else None,
    )
