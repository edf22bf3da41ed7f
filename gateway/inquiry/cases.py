"""Step 3, the case: verified at the requester's own case registry, over `case-rest`.

Arts. 22(3), 28(1)(2). `GET {url}/cases/{id}` answers `{"id", "open", "subjects": [{"scheme", "value"}], "officials"}`,
or 404. A case verifies an inquiry when it is open, names every subject and is assigned to the official who asks.

Invariants: nothing but such an answer verifies (8): a registry that is unknown, out of reach, slow, or answers
anything else refuses, `retryable` where asking again may help. A refusal is told in the caller's own terms and tells
nothing else that the registry said. Only verified answers are kept, for the registry's `cache` seconds, under a keyed
digest of registry, requester, case, official and subjects: no name of a person stands in memory for it, and no
requester is answered from another's question (11); so are calls under way shared.

Leaves to others: which registry and whether a case is needed (`rules`), what an unverified case means (`decide`).
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import logging
import re
import secrets
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from cachetools import TTLCache

from connectors.base import Subject
from gateway.documents import suggest
from gateway.errors import Code, Problem, Refusal

log = logging.getLogger("dutybound.cases")

_MAX_CACHE = 60.0
_KEPT = 4096
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_SIZE = re.compile(r"([1-9][0-9]{0,6})(B|KiB|MiB)")
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}


class Registry(msgspec.Struct, frozen=True):
    """One case registry. `timeout` (of a whole call) and `cache` in seconds; `headers` may hold a secret."""

    url: str
    timeout: float = 2.0
    max_bytes: int = 64 * 1024
    cache: float = 30.0
    headers: Mapping[str, str] = {}
    ca_file: str | None = None


class _Named(msgspec.Struct):
    scheme: str
    value: str


class _Case(msgspec.Struct):
    id: str
    open: bool
    subjects: list[_Named]
    officials: list[str]


class _Finding(NamedTuple):
    """Why a case does not verify."""

    message: str
    retryable: bool = False


class CaseRegistries:
    """The case registries by name. `timer` counts seconds for the cache."""

    def __init__(self, registries: Mapping[str, Registry], timer: Callable[[], float] = time.monotonic) -> None:
        self._registries = registries
        self._salt = secrets.token_bytes(32)
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._calls: dict[bytes, asyncio.Task[_Finding | None]] = {}
        self._verified: dict[str, TTLCache[bytes, None]] = {
            name: TTLCache(_KEPT, registry.cache, timer) for name, registry in registries.items() if registry.cache
        }

    async def verify(
        self,
        registry: str,
        case: str,
        official: str | None,
        subjects: Sequence[Subject],
        requester: tuple[str, str] | None = None,
    ) -> None:
        """Return where the case is open, names all `subjects` and is the `official`'s; otherwise raise `Refusal`.

        The code is `CASE_NOT_VERIFIED`, with `retryable` where the registry is to blame. `requester` is (issuer,
        client); without it no answer is kept or shared.
        """
        if registry not in self._registries:
            raise _refusal(_Finding("no case registry is configured for this requester, so no case can be verified"))
        if official is None:
            raise _refusal(_Finding("a case is verified for an official; send a token that names one"))
        kept = self._verified.get(registry)
        if kept is None or requester is None:
            finding = await self._find(registry, case, official, subjects)
        else:
            parts = (registry, requester, case, official, sorted(subject[1:] for subject in subjects))
            key = blake2b(msgspec.msgpack.encode(parts), digest_size=16, key=self._salt).digest()
            if key in kept:
                return
            call = self._calls.get(key)
            if call is None:
                call = self._calls[key] = asyncio.create_task(self._find(registry, case, official, subjects, key))
                call.add_done_callback(lambda _: self._calls.pop(key, None))
            # Shielded: the one who leaves first does not end it for the others.
            finding = await asyncio.shield(call)
        if finding is not None:
            raise _refusal(finding)

    async def close(self) -> None:
        """Release connections, ending calls under way."""
        for call in list(self._calls.values()):
            call.cancel()
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _find(
        self, name: str, case: str, official: str, subjects: Sequence[Subject], key: bytes | None = None
    ) -> _Finding | None:
        registry = self._registries[name]
        if not 0 < len(case) <= 200 or not case.isprintable() or case in (".", ".."):
            return _Finding("the case is unknown to its registry")
        try:
            async with asyncio.timeout(registry.timeout):
                found = await self._get(name, registry, case)
        except Exception as error:
            log.warning("case registry `%s` gave no usable answer (%s)", name, type(error).__name__)
            return _Finding(f"the registry of case `{case}` cannot be reached or understood now; ask again later", True)
        if found is None:
            return _Finding(f"case `{case}` is unknown to its registry")
        if official not in found.officials:
            return _Finding(f"case `{case}` is not assigned to the official who asks")
        if not found.open:
            return _Finding(f"case `{case}` is closed")
        if not {subject[1:] for subject in subjects} <= {(each.scheme, each.value) for each in found.subjects}:
            every = "every subject" if len(subjects) > 1 else "the subject"
            return _Finding(f"case `{case}` does not name {every} of this inquiry")
        if key is not None:
            self._verified[name][key] = None
        return None

    async def _get(self, name: str, registry: Registry, case: str) -> _Case | None:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = _client(registry)
        async with client.stream("GET", f"{registry.url}/cases/{quote(case, safe='')}") as response:
            if response.status_code in (404, 410):
                return None
            if response.status_code != 200 or response.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("not a plain answer")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > registry.max_bytes:
                    raise ValueError("too large")
        found = msgspec.convert(json.loads(body.decode(), object_pairs_hook=_distinct), _Case)
        if found.id != case:
            raise ValueError("another case")
        return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _client(registry: Registry) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=registry.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return httpx.AsyncClient(
        headers={**registry.headers, "accept": "application/json", "accept-encoding": "identity"},
        timeout=registry.timeout,
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=8),
        follow_redirects=False,
        trust_env=False,
        verify=context,
    )


def _refusal(finding: _Finding) -> Refusal:
    if finding.retryable:
        return Refusal(Code.CASE_NOT_VERIFIED, finding.message, retryable=True)
    return Refusal(Code.CASE_NOT_VERIFIED, finding.message)


def build(
    config: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
    file: str = "gateway.yaml",
    timer: Callable[[], float] = time.monotonic,
) -> CaseRegistries:
    """The registries that `case_registries` of `gateway.yaml` describes, as `Settings` keeps them; notes problems.

    `{<name>: {kind: case-rest, url, timeout: 2s, max_bytes: 64KiB, cache: 30s, ca_file, auth}}`; `auth` is
    `{kind: bearer, token_file}` or `{kind: basic, username, password_file}`.
    """
    registries: dict[str, Registry] = {}
    for name, given in config.items():
        entry = _Entry(given, f"case_registries.{name}", file, problems)
        entry.only("kind", "url", "timeout", "max_bytes", "cache", "ca_file", "auth")
        if entry.text("kind") not in ("case-rest", ""):
            entry.problem("kind", f"unknown kind `{given['kind']}`{suggest(str(given['kind']), ['case-rest'])}")
        registries[name] = Registry(
            url=_url(entry),
            timeout=entry.measure("timeout", _DURATION, _SECONDS, 2.0, 0.001, 30.0, "a duration up to 30s, as `2s`"),
            max_bytes=int(entry.measure("max_bytes", _SIZE, _BYTES, 65536, 1, 2**20, "a size up to 1MiB, as `64KiB`")),
            cache=entry.measure("cache", _DURATION, _SECONDS, 30.0, 0.0, _MAX_CACHE, "a duration up to 60s, as `30s`"),
            headers=_auth(entry),
            ca_file=_ca_file(entry),
        )
    return CaseRegistries(registries, timer)


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
