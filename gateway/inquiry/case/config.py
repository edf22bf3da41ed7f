"""`case_registries` of `gateway.yaml`, to registries; every problem is told where it stands.

`{<name>: {kind: case-rest, url, timeout: 2s, max_bytes: 64KiB, cache: 30s, ca_file, auth}}`, where `auth` is
`{kind: bearer, token_file}` or `{kind: basic, username, password_file}`; or `{kind: case-sql, timeout, cache}` with the
keys that `connectors/case_sql.py` lists. Either can have `webhook: {secret_file}`: what the registry signs its notices
of changed cases with (Standard Webhooks; one or more `whsec_` secrets, a line each, so that they can be changed).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.base import CaseRegistry, SourceConfigError
from gateway.documents import suggest
from gateway.errors import Problem
from gateway.inquiry.case.registries import CaseRegistries, ConfiguredRegistry

_MAX_CACHE = 60.0
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_SIZE = re.compile(r"([1-9][0-9]{0,6})(B|KiB|MiB)")
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_KINDS = ("case-rest", "case-sql")
_COMMON = ("kind", "timeout", "cache", "webhook")

Rest = Callable[[str, int, Mapping[str, str], str | None], CaseRegistry]
Sql = Callable[[Mapping[str, Any], Path, float], CaseRegistry]


def build(
    config: Mapping[str, Mapping[str, Any]],
    makers: tuple[Rest, Sql],
    problems: list[Problem],
    file: str = "gateway.yaml",
    timer: Callable[[], float] = time.monotonic,
) -> CaseRegistries:
    """The registries, as `Settings` keeps them; notes problems. `makers` make a `case-rest` and a `case-sql` one."""
    registries: dict[str, ConfiguredRegistry] = {}
    for name, given in config.items():
        entry = _Entry(given, f"case_registries.{name}", file, problems)
        kind = entry.text("kind")
        timeout = entry.measure("timeout", _DURATION, _SECONDS, 2.0, 0.001, 30.0, "a duration up to 30s, as `2s`")
        cache = entry.measure("cache", _DURATION, _SECONDS, 30.0, 0.0, _MAX_CACHE, "a duration up to 60s, as `30s`")
        if kind and kind not in _KINDS:
            entry.problem("kind", f"unknown kind `{kind}`{suggest(kind, _KINDS)}")
        source = _sql(entry, makers[1], timeout) if kind == "case-sql" else _rest(entry, makers[0])
        if source is not None:
            registries[name] = ConfiguredRegistry(source, timeout, cache, _secrets(entry))
    return CaseRegistries(registries, timer)


def _rest(entry: _Entry, make: Rest) -> CaseRegistry:
    entry.only(*_COMMON, "url", "max_bytes", "ca_file", "auth")
    largest = entry.measure("max_bytes", _SIZE, _BYTES, 65536, 1, 2**20, "a size up to 1MiB, as `64KiB`")
    return make(_url(entry), int(largest), _auth(entry), _ca_file(entry))


def _sql(entry: _Entry, make: Sql, timeout: float) -> CaseRegistry | None:
    own = {key: value for key, value in entry.given.items() if key not in _COMMON}
    try:
        return make(own, Path(entry.file).parent, timeout)
    except SourceConfigError as error:
        entry.problem(".".join(map(str, error.path)), error.message)
        return None


def _secrets(entry: _Entry) -> tuple[bytes, ...]:
    given = entry.given.get("webhook")
    if given is None:
        return ()
    webhook = _Entry(given, f"{entry.path}.webhook", entry.file, entry.problems)
    webhook.only("secret_file")
    path = webhook.text("secret_file")
    try:
        lines = Path(path).read_text("ascii").split() if path else []
        secrets = [base64.b64decode(line.removeprefix("whsec_"), validate=True) for line in lines]
    except (OSError, ValueError, binascii.Error):
        secrets = []
    if secrets and all(24 <= len(secret) <= 64 for secret in secrets):
        return tuple(secrets)
    if path:
        what = "secrets as `whsec_` and base64 of 24 to 64 bytes, a line each"
        webhook.problem("secret_file", f"`{path}` must hold {what}")
    return ()


class _Entry:
    """One mapping of the configuration, and where its problems stand."""

    def __init__(self, given: Any, path: str, file: str, problems: list[Problem]) -> None:
        self.path, self.file, self.problems = path, file, problems
        self.given: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        if not isinstance(given, Mapping):
            problems.append(Problem(file, 0, 0, path, "must be a mapping (`key: value` lines)"))

    def problem(self, key: str, message: str) -> None:
        self.problems.append(Problem(self.file, 0, 0, f"{self.path}.{key}", message))

    def only(self, *known: str) -> None:
        for key in self.given:
            if key not in known:
                self.problem(str(key), f"unknown key `{key}`{suggest(str(key), known)}")

    def text(self, key: str) -> str:
        value = self.given.get(key)
        if isinstance(value, str) and value:
            return value
        if self.given:
            self.problem(key, f"`{key}` is missing" if value is None else "must be text")
        return ""

    def measure(
        self, key: str, form: re.Pattern[str], units: Mapping[str, float],
        default: float, least: float, most: float, what: str,
    ) -> float:  # fmt: skip
        if self.given.get(key) is None:
            return default
        found = form.fullmatch(str(self.given[key]))
        value = float(found[1]) * units[found[2]] if found else -1.0
        if least <= value <= most:
            return value
        self.problem(key, f"`{self.given[key]}` must be {what}")
        return default

    def secret(self, key: str) -> str:
        """What stands in the file that `key` names, without white space around it."""
        path = self.text(key)
        if not path:
            return ""
        try:
            secret = Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            self.problem(key, f"`{path}` cannot be read as a file of one ASCII line")
            return ""
        if not secret or not secret.isprintable():
            self.problem(key, f"`{path}` must hold one line of printable text")
        return secret


def _url(entry: _Entry) -> str:
    text = entry.text("url")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        entry.problem("url", f"`{text}` must be a URL of scheme, host and path only, as `https://cases.example`")
    elif parts.scheme == "http" and not _is_loopback(host):
        entry.problem("url", f"`{text}` must be https (http is for loopback only)")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ca_file(entry: _Entry) -> str | None:
    if entry.given.get("ca_file") is None:
        return None
    path = entry.text("ca_file")
    try:
        ssl.create_default_context(cafile=path or None)
    except (OSError, ValueError):
        entry.problem("ca_file", f"`{path}` cannot be read as certificates in PEM form")
    return path


def _auth(entry: _Entry) -> dict[str, str]:
    given = entry.given.get("auth")
    if given is None:
        return {}
    auth = _Entry(given, f"{entry.path}.auth", entry.file, entry.problems)
    kind = auth.text("kind")
    if kind == "bearer":
        auth.only("kind", "token_file")
        return {"authorization": f"Bearer {auth.secret('token_file')}"}
    if kind == "basic":
        auth.only("kind", "username", "password_file")
        pair = f"{auth.text('username')}:{auth.secret('password_file')}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if kind:
        auth.problem("kind", f"unknown kind `{kind}`{suggest(kind, ['bearer', 'basic'])}; known are bearer, basic")
    return {}
