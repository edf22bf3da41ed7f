"""`case_registries` of `gateway.yaml`, to registries; every problem is reported at its place.

`{<name>: {kind: case-rest, url, timeout: 2s, max_bytes: 64KiB, cache: 30s, ca_file, auth}}`, where `auth` is
`{kind: bearer, token_file}` or `{kind: basic, username, password_file}`; or `{kind: case-sql, timeout, cache}` with the
keys that `connectors/case_sql.py` lists. Either can have `webhook: {secret_file}`: what the registry signs its notices
of changed cases with (Standard Webhooks; one or more `whsec_` secrets, a line each, so that they can be changed).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from connectors.base import CaseRegistry, Config
from gateway.documents import Node, of_kind
from gateway.inquiry.case.registries import CaseRegistries, ConfiguredRegistry

_MAX_TIMEOUT, _MAX_CACHE = 30.0, 60.0

Build = Callable[[Config, float], CaseRegistry]
"""A kind of registry: (configuration, timeout in seconds) -> registry; it tells what is wrong to the first."""


def build(node: Node, kinds: Mapping[str, Build], timer: Callable[[], float] = time.monotonic) -> CaseRegistries:
    """The registries that `node`, the key `case_registries`, names."""
    registries: dict[str, ConfiguredRegistry] = {}
    for name, entry in node.mapping(any_key=True).items():
        keys = entry.mapping(any_key=True)
        timeout = keys["timeout"].duration(2.0, most=_MAX_TIMEOUT)
        cache = keys["cache"].duration(30.0, zero=True, most=_MAX_CACHE)
        secrets = _secrets(keys["webhook"]) if "webhook" in keys else ()
        if (made := of_kind(entry, kinds, timeout)) is not None:
            registries[name] = ConfiguredRegistry(made, timeout, cache, secrets)
    return CaseRegistries(registries, timer)


def _secrets(node: Node) -> tuple[bytes, ...]:
    return node.mapping(("secret_file",))["secret_file"].signing_secrets()
