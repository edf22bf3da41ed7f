"""What `dutybound check` and a start have about messages to others: keys that sign them, and receivers out of
reach."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.config.settings import Settings
from gateway.rules.ruleset import RuleSet
from gateway.values import is_loopback
from gateway.web.messages.addresses import Addresses


def check_keys(settings: Settings, keys: Sequence[Ed25519PrivateKey], ledgers: Ed25519PrivateKey | None) -> None:
    """Report, where `gateway.yaml` names it, a key that is the ledger's: a key for messages must not sign the
    ledger."""
    if ledgers is not None and any(_public(key) == _public(ledgers) for key in keys):
        settings.root.at(["webhooks"]).problem(
            "the ledger's key signs the ledger alone; make another with `dutybound keys webhooks`"
        )


def warnings(settings: Settings, rules: RuleSet) -> list[str]:
    """What a start lets pass, and somebody should know: who will not be notified, and what cannot be verified."""
    found = []
    entries = rules.policies.requesters.values()
    if any(each.recalls.url for each in entries) and not settings.webhooks.key_files:
        found.append(
            "messages to recipients are signed by their shared secrets alone; name a key with"
            " `webhooks.key_file` (`dutybound keys webhooks` makes one)"
        )
    addresses = Addresses(settings.webhooks.networks)
    for what, url in _receivers(settings, rules):
        host = urlsplit(url).hostname or ""
        if _is_address(host) and not addresses.may("127.0.0.1" if host == "localhost" else host):
            found.append(f"{what}: `{host}` is not public, and in no network of `webhooks.networks`: nothing is sent")
    return found


def _receivers(settings: Settings, rules: RuleSet) -> Iterator[tuple[str, str]]:
    """Everybody who is to be told something, and where."""
    for each in rules.policies.requesters.values():
        if each.recalls.url:
            yield f"recalls of `{each.client}`", each.recalls.url
        if each.notices is not None:
            yield f"notices to `{each.client}`", each.notices.url
    if settings.alerts is not None:
        yield "alerts", settings.alerts.url


def _is_address(host: str) -> bool:
    """Whether it is one that needs no look-up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return is_loopback(host)
    return True


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
