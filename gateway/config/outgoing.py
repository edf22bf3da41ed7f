"""The settings of `gateway.yaml` for messages to others: `webhooks`, how they are signed and where they may go, and
`alerts`.

    webhooks: {key_file: webhooks.key, older_key_file: webhooks.old.key, ca_file: ca.pem, networks: [10.20.0.0/16]}
    alerts: {url: https://operations.example/alerts, secret_file: alerts.secret}

`networks` are those of the operator's own in which receivers may be: without them none is told at an address that is
not public (`gateway.web.messages.addresses`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.documents import Node
from gateway.values import Network


class WebhookSettings(msgspec.Struct, frozen=True):
    """Ed25519 keys that sign what is sent to recipients, the newest first; where receivers may be; who vouches for TLS.

    Without `ca_file` the system's authorities do.
    """

    key_files: tuple[Path, ...] = ()
    networks: tuple[Network, ...] = ()
    ca_file: Path | None = None


class AlertSettings(msgspec.Struct, frozen=True):
    """Where the operator is notified of what needs a person, and the secrets that sign it, the newest first."""

    url: str
    secrets: tuple[bytes, ...]


def read_webhooks(node: Node) -> WebhookSettings:
    """The key `webhooks`; what is wrong becomes problems."""
    if node.is_null:
        return WebhookSettings()
    keys = node.mapping((), ("key_file", "older_key_file", "ca_file", "networks"))
    if "older_key_file" in keys and "key_file" not in keys:
        keys["older_key_file"].key_problem("is beside a newer one; name that with `key_file`")
    files = tuple(keys[name].any_path() for name in ("key_file", "older_key_file") if name in keys)
    networks = [found for each in keys["networks"].items() if (found := each.network()) is not None]
    return WebhookSettings(files, tuple(networks), keys["ca_file"].existing_file() if "ca_file" in keys else None)


def read_alerts(node: Node) -> AlertSettings | None:
    """The key `alerts`; what is wrong becomes problems."""
    if node.is_null:
        return None
    keys = node.mapping(("url", "secret_file"))
    url, secrets = keys["url"].url(), keys["secret_file"].signing_secrets() if "secret_file" in keys else ()
    return AlertSettings(url, secrets)
