"""The client's configuration, `client.yaml`. All that is wrong with it is reported at once, with file, line and fix.

No secret stands here: a file is named for each, which only its owner may read. Paths are seen from the file's folder.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.recipient.lines import Lines, NotRight

_UNITS = {"s": 1, "m": 60, "h": 3600}
_SCOPES = {"recalls": "recalls", "receipts": "receipts", "inquiry": "inquire"}
"""What a token is asked for with: the inbox, past receipts, and a correction."""


class Token(msgspec.Struct, frozen=True):
    """How the authorization server gives tokens (RFC 6749, 4.4); `parameters` are what it wants beside the usual."""

    url: str
    client_id: str
    secret: str
    scopes: Mapping[str, str]
    parameters: Mapping[str, str]


class Webhook(msgspec.Struct, frozen=True):
    """Where nudges come in, and what they are signed with: secrets (`v1`), public keys (`v1a`), or both."""

    host: str
    port: int
    path: str
    secrets: tuple[bytes, ...] = ()
    keys: tuple[Ed25519PublicKey, ...] = ()


class Config(msgspec.Struct, frozen=True):
    """The settings of `client.yaml`; durations in seconds. Without a `command` a person does what is printed."""

    gateway: str
    token: Token
    register: Path
    poll: float
    receipts: float
    webhook: Webhook | None
    command: tuple[str, ...]
    patience: float


def load(path: Path) -> Config:
    """Read the file; raises `NotRight` with everything that is wrong with it."""
    lines = Lines.read(path)
    keys = lines.mapping((), ["gateway", "token", "register"], ["poll", "receipts", "webhook", "command", "patience"])
    command = lines.texts(("command",)) if "command" in keys else ()
    config = Config(
        gateway=_url(lines, ("gateway",)).rstrip("/"),
        token=_token(lines),
        register=_register(lines),
        poll=_duration(lines, "poll", 300.0),
        receipts=_duration(lines, "receipts", 3600.0),
        webhook=_webhook(lines) if "webhook" in keys else None,
        command=command,
        patience=_duration(lines, "patience", 60.0),
    )
    lines.done()
    return config


def _token(lines: Lines) -> Token:
    at = ("token",)
    lines.mapping(at, ["url", "client_id", "secret_file"], ["scopes", "parameters"])
    scopes = dict(_SCOPES)
    for name in lines.mapping((*at, "scopes"), [], list(_SCOPES)):
        scopes[name] = lines.text((*at, "scopes", name))
    given = lines.mapping((*at, "parameters"), [], None)
    parameters = {name: lines.text((*at, "parameters", name)) for name in given}
    for name in {"grant_type", "scope"} & parameters.keys():
        lines.problem((*at, "parameters", name), f"`{name}` is set by the client itself; leave it out")
    secret = _private(lines, (*at, "secret_file"))
    if "\n" in secret:
        lines.problem((*at, "secret_file"), "the file must hold one line, the secret")
    return Token(_url(lines, (*at, "url")), lines.text((*at, "client_id")), secret, scopes, parameters)


def _webhook(lines: Lines) -> Webhook:
    at = ("webhook",)
    keys = lines.mapping(at, ["listen"], ["path", "secret_file", "public_key_file"])
    listen = lines.text((*at, "listen"))
    host, _, port = listen.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        lines.problem((*at, "listen"), f"`{listen}` must be an address and a port, such as `127.0.0.1:8090`")
        port = "0"
    path = lines.text((*at, "path")) if "path" in keys else "/recalls"
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", path):
        lines.problem((*at, "path"), f"`{path}` must be a path, such as `/recalls`")
    secrets = _secrets(lines, (*at, "secret_file")) if "secret_file" in keys else ()
    public = _public_keys(lines, (*at, "public_key_file")) if "public_key_file" in keys else ()
    if not {"secret_file", "public_key_file"} & keys:
        lines.problem(at, "needs `secret_file` or `public_key_file`: without one, senders of nudges cannot be checked")
    return Webhook(host.strip("[]"), int(port), path, secrets, public)


def _secrets(lines: Lines, at: tuple[str, ...]) -> tuple[bytes, ...]:
    """Standard Webhooks' secrets, one per line: several, so that they can be changed."""
    try:
        found = tuple(_decoded(line, "whsec_") for line in _private(lines, at).split())
    except ValueError:
        found = ()
    if not found or not all(24 <= len(each) <= 64 for each in found):
        lines.problem(at, "the file must hold secrets as `whsec_` and base64 of 24 to 64 bytes, a line each")
    return found


def _public_keys(lines: Lines, at: tuple[str, ...]) -> tuple[Ed25519PublicKey, ...]:
    try:
        written = (lines.path.parent / lines.text(at)).read_text("ascii").split()
        found = tuple(Ed25519PublicKey.from_public_bytes(_decoded(line, "whpk_")) for line in written)
    except (OSError, ValueError):
        found = ()
    if not found:
        lines.problem(at, "the file must hold public keys as `whpk_` and base64 of 32 bytes, a line each")
    return found


def _decoded(line: str, prefix: str) -> bytes:
    if not line.startswith(prefix):
        raise ValueError(line)
    return base64.b64decode(line.removeprefix(prefix), validate=True)


def _private(lines: Lines, at: tuple[str, ...]) -> str:
    """What a file holds that nobody but its owner may read."""
    name = lines.text(at)
    path = lines.path.parent / name
    try:
        if name and stat.S_IMODE(path.stat().st_mode) & 0o077:
            lines.problem(at, f"the file `{name}` may be read by others; run `chmod 600 {name}`")
        held = path.read_text("utf-8").strip() if name else ""
    except (OSError, ValueError) as error:
        lines.problem(at, f"the file `{name}` cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8'})")
        return ""
    if name and not held:
        lines.problem(at, f"the file `{name}` is empty")
    return held


def _register(lines: Lines) -> Path:
    name = lines.text(("register",))
    path = lines.path.parent / name
    if not name:
        return path
    if not path.parent.is_dir():
        lines.problem(("register",), f"there is no folder `{path.parent}`; make it")
    elif path.is_dir():
        lines.problem(("register",), f"`{path}` is a folder; name a file in it")
    return path


def _duration(lines: Lines, key: str, default: float) -> float:
    text = lines.text((key,), default="")
    if not text:
        return default
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    if not found:
        lines.problem((key,), f"`{text}` must be a duration, such as `30s`, `5m` or `1h`")
        return default
    return float(found[1]) * _UNITS[found[2]]


def _url(lines: Lines, at: tuple[str, ...]) -> str:
    """An https URL; plain http is for this machine alone, since tokens and secrets go there."""
    text = lines.text(at)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not text:
        return ""
    if not host or parts.scheme not in ("https", "http"):
        lines.problem(at, f"`{text}` must be an https URL of host and path, such as `https://gateway.example`")
    elif "@" in parts.netloc:
        lines.problem(at, "must have no user or password before its host")
    elif "?" in text or "#" in text:
        what = "query (`?`)" if "?" in text.partition("#")[0] else "fragment (`#`)"
        lines.problem(at, f"`{text}` has a {what}; leave it out")
    elif parts.scheme == "http" and not _loopback(host):
        lines.problem(at, f"`{text}` must be https (http is for loopback only)")
    return text


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


__all__ = ["Config", "NotRight", "Token", "Webhook", "load"]
