"""Reads a department's part of `sources.yaml`, and says what is wrong with it in the reader's words.

A `Reader` is one mapping of the file together with the path that leads to it. Whatever is missing, unknown or of the
wrong form raises `SourceConfigError` with that path and the fix; nothing is guessed. Durations are written `2s` or
`500ms`, sizes `64KiB` or `1MiB`; files are relative to the folder of `sources.yaml`.
"""

from __future__ import annotations

import difflib
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from connectors.base import SourceConfigError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_SIZE = re.compile(r"(\d+)(B|KiB|MiB)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_TOKEN = re.compile(r"[A-Za-z0-9-]+")
_OURS = frozenset({"authorization", "cookie", "host", "content-length", "transfer-encoding", "connection"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


class Reader:
    """One mapping of the configuration and where it stands."""

    def __init__(self, value: Any, path: tuple[str | int, ...], base_dir: Path) -> None:
        self.path = path
        self.base_dir = base_dir
        if not isinstance(value, Mapping):
            self.fail("must be a mapping (`key: value` lines)")
        self._value: Mapping[Any, Any] = value

    def fail(self, message: str, *key: str | int) -> NoReturn:
        """Refuse this mapping, or what stands at `key` below it."""
        raise SourceConfigError((*self.path, *key), message)

    def only(self, *known: str) -> None:
        """Refuse every key that is not `known`."""
        for key in self._value:
            if key not in known:
                self.fail(f"unknown key `{key}`{suggest(str(key), known)}; known are {', '.join(known)}", str(key))

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def keys(self) -> list[str]:
        """The keys, which must be strings."""
        for key in self._value:
            if not isinstance(key, str):
                self.fail(f"the key `{key}` must be a word", str(key))
        return list(self._value)

    def _get(self, key: str, default: Any) -> Any:
        value = self._value.get(key)
        return default if value is None else value

    def raw(self, key: str) -> Any:
        """The value as it stands, `None` where there is none."""
        return self._value.get(key)

    def child(self, key: str, *, required: bool = False) -> Reader:
        """The mapping at `key`; an empty one where it is missing and not `required`."""
        if required and key not in self:
            self.fail(f"`{key}` is missing")
        value = self._value.get(key)
        return Reader({} if value is None else value, (*self.path, key), self.base_dir)

    def text(self, key: str, default: str | None = None) -> str:
        """The non-empty string at `key`; without a `default` it is mandatory."""
        value = self._get(key, default)
        if value is None:
            self.fail(f"`{key}` is missing")
        if not isinstance(value, str) or not value.strip():
            self.fail(f"`{key}` must be text", key)
        return value

    def optional_text(self, key: str) -> str | None:
        """The non-empty string at `key`, or nothing."""
        return self.text(key) if key in self else None

    def header(self, name: str) -> str:
        """The value of a fixed HTTP header. Credentials are refused: they stand in files, under `auth`."""
        value = self.text(name)
        if name.lower() in _OURS or not _TOKEN.fullmatch(name):
            self.fail(f"`{name}` is not a header to set here; credentials go under `auth`", name)
        if not value.isascii() or not value.isprintable():
            self.fail(f"`{name}` must be one line of ASCII text", name)
        return value

    def headers(self, key: str) -> dict[str, str]:
        """The fixed headers at `key`, by name in lower case."""
        reader = self.child(key)
        return {name.lower(): reader.header(name) for name in reader.keys()}  # noqa: SIM118 - no mapping

    def check_name(self, name: str, *key: str) -> None:
        """Refuse what is not a name in GraphQL."""
        if not _NAME.fullmatch(name) or name.startswith("__"):
            self.fail(f"`{name}` is not a GraphQL name", *key)

    def name(self, key: str, default: str) -> str:
        """The GraphQL name at `key`."""
        value = self.text(key, default)
        self.check_name(value, key)
        return value

    def graphql_type(self, key: str) -> str:
        """The GraphQL type of a variable, such as `ID!`; `String!` unless said otherwise."""
        value = self.text(key, "String!")
        self.check_name(value.removesuffix("!"), key)
        return value

    def count(self, key: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        """The whole number at `key`, from `least` to `most`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fail(f"`{key}` must be a whole number from {least} to {most}", key)
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """The boolean at `key`."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            self.fail(f"`{key}` must be `true` or `false`", key)
        return value

    def seconds(self, key: str, default: str) -> float:
        """The duration at `key`, in seconds, over zero."""
        value = self._get(key, default)
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None or not float(match[1]):
            self.fail(f"`{key}` must be a duration over zero, such as `2s` or `500ms`", key)
        return float(match[1]) * _SECONDS[match[2]]

    def size(self, key: str, default: str) -> int:
        """The size at `key`, in bytes, over zero."""
        value = self._get(key, default)
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is None or not int(match[1]):
            self.fail(f"`{key}` must be a size over zero, such as `64KiB` or `1MiB`", key)
        return int(match[1]) * _BYTES[match[2]]

    def choice(self, key: str, known: Iterable[str], default: str | None = None) -> str:
        """One word out of `known`."""
        value, known = self.text(key, default), list(known)
        if value not in known:
            self.fail(f"`{value}` is not one of {', '.join(known)}{suggest(value, known)}", key)
        return value

    def file(self, key: str) -> Path:
        """The existing file at `key`."""
        path = self.base_dir / self.text(key)
        if not path.is_file():
            self.fail(f"`{self.text(key)}` is not a file in {self.base_dir}", key)
        return path

    def url(self, key: str) -> str:
        """The http(s) address at `key`, without query, fragment or credentials. Plain http only to this machine."""
        value = self.text(key)
        try:
            parts = urlsplit(value)
            host = parts.hostname
            _ = parts.port
        except ValueError:
            self.fail(f"`{value}` is not an address", key)
        if parts.scheme not in ("http", "https") or not host or not value.isascii() or any(c.isspace() for c in value):
            self.fail(f"`{value}` must be an address such as `https://department.example/api`", key)
        if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
            self.fail(f"`{key}` must have no query, fragment or credentials; secrets stand in files", key)
        if parts.scheme == "http" and host not in _LOOPBACK and not self.flag("allow_plain_http"):
            self.fail(
                f"`{value}` would send personal data in the clear; use https, or `allow_plain_http: true` where the "
                "network itself encrypts",
                key,
            )
        return value


def check_tls(reader: Reader, ca_key: str | None, cert_key: str | None, key_key: str | None) -> None:
    """Refuse certificate files that no TLS stack would load, at the start and not in the first inquiry."""
    if ca_key is not None:
        try:
            ssl.create_default_context(cafile=str(reader.file(ca_key)))
        except (ssl.SSLError, OSError):
            reader.fail("must be a PEM file with at least one CA certificate", ca_key)
    if cert_key is not None and key_key is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_cert_chain(reader.file(cert_key), reader.file(key_key), password="")
        except (ssl.SSLError, OSError):
            reader.fail(f"`{cert_key}` and `{key_key}` must be a PEM certificate and its unencrypted PEM key", cert_key)
