"""Where the gateway listens, and its management address, as `gateway.yaml` has them."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from pathlib import Path

import msgspec

from gateway.documents import Node
from gateway.values import NOWHERE, is_loopback


class ManageSettings(msgspec.Struct, frozen=True):
    """The management address: metrics and health. Off loopback it has a `token`, or asks for clients' certificates."""

    host: str
    port: int
    token: str | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None


def read_listen(node: Node) -> tuple[str, int]:
    """A host and a port."""
    text = node.text(pattern=r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}", what="`host:port`, as `127.0.0.1:8080`")
    host, _, port = text.rpartition(":")
    if text and not 1 <= int(port) <= 65535:
        node.problem(f"port `{port}` must be from 1 to 65535")
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host.strip("[]") or "::")
        return host.strip("[]"), int(port or 0)
    node.problem(f"`{host}` must be an address of this machine, as `127.0.0.1`, or `0.0.0.0` for all that it has")
    return "", int(port or 0)


def read_manage(node: Node) -> ManageSettings:
    """The management address: `host:port`, or a mapping."""
    files = ("cert_file", "key_file", "client_ca_file")
    if not node.is_mapping:
        host, port = read_listen(node)
        token, found = None, {}
    else:
        keys = node.mapping(("listen",), ("token_file", *files))
        host, port = read_listen(keys["listen"])
        token = _token(keys["token_file"]) if "token_file" in keys else None
        found = {name: keys[name].existing_file() for name in files if name in keys}
        if found and not {"cert_file", "key_file"} <= found.keys():
            node.problem("needs `cert_file` and `key_file` together")
    if host and not is_loopback(host) and token is None and "client_ca_file" not in found:
        node.problem(
            f"`{host}` can be reached from other machines: name a `token_file`, or `cert_file`, `key_file` and"
            " `client_ca_file`; or listen on loopback, as `127.0.0.1:9464`"
        )
    return ManageSettings(host, port, token, **found)


def _token(node: Node) -> str:
    file = node.existing_file()
    token = file.read_text("utf-8").strip() if file != NOWHERE else ""
    if file != NOWHERE and not re.fullmatch(r"[A-Za-z0-9._~+/=-]{32,}", token):
        node.problem(f"`{file}` must hold one token of 32 characters or more, as `openssl rand -hex 32` makes one")
    return token
