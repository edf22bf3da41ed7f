"""Case registries that speak HTTP (`case-rest`).

`GET {url}/cases/{id}` answers `{"id", "open", "subjects": [{"scheme", "value"}], "officials"}`, or 404. Anything else
is no answer: another status, a redirect, a compressed or too long body, a key twice, another case.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import httpx
import msgspec

from connectors.base import CASE_KEYS, Case, Config
from connectors.http.auth import read_authorities
from connectors.http.bounded import bounded_client
from connectors.http.transport import TransportOptions
from connectors.mapping import duplicate_keys


class _Named(msgspec.Struct):
    scheme: str
    value: str


class _Case(msgspec.Struct):
    id: str
    open: bool
    subjects: list[_Named]
    officials: list[str]


class RestCases:
    """Fills `connectors.base.CaseRegistry`. `headers` may hold a secret; at most `max_bytes` of a body are read."""

    def __init__(
        self,
        url: str,
        max_bytes: int = 64 * 1024,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._url, self._max_bytes, self._headers, self._ca_file = url, max_bytes, headers or {}, ca_file
        self._client: httpx.AsyncClient | None = None

    async def find(self, case: str, seconds: float) -> Case | None:
        """See the port."""
        if self._client is None:
            self._client = self._new_client()
        address = f"{self._url}/cases/{quote(case, safe='')}"
        response = await self._client.get(address, headers=dict(self._headers), timeout=seconds)
        if response.status_code in (404, 410):
            return None
        if response.status_code != 200:
            raise ValueError("not a plain answer")
        body = response.content
        wrong = duplicate_keys.check(body)
        if wrong is not None:
            raise ValueError(wrong)
        found = msgspec.json.decode(body, type=_Case)
        if found.id != case:
            raise ValueError("another case")
        named = frozenset((each.scheme, each.value) for each in found.subjects)
        return Case(found.open, named, frozenset(found.officials))

    async def examine(self) -> list[str]:
        """See `connectors.base.Examined`: any answer will do, but one to a stranger."""
        if self._client is None:
            self._client = self._new_client()
        try:
            told = (await self._client.get(self._url, headers=dict(self._headers), timeout=5.0)).status_code
        except httpx.HTTPError as error:
            return [f"`{self._url}` gives no answer ({type(error).__name__})"]
        return [f"`{self._url}` answers 401: it does not know the gateway by `auth`"] if told == 401 else []

    async def close(self) -> None:
        """See the port."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        ca_file = Path(self._ca_file) if self._ca_file else None
        return bounded_client(TransportOptions(60.0, 32, self._max_bytes, gzip=False, ca_file=ca_file))


def build(config: Config, timeout: float) -> RestCases:
    """The registry of `kind: case-rest`; the caller limits how long a call takes."""
    keys = config.mapping(("url",), ("max_bytes", "ca_file", "auth", *CASE_KEYS))
    ca_file = str(read_authorities(keys["ca_file"])) if "ca_file" in keys else None
    headers = _read_auth(keys["auth"]) if "auth" in keys else {}
    return RestCases(keys["url"].url().rstrip("/"), keys["max_bytes"].size(64 * 1024, most=2**20), headers, ca_file)


def _read_auth(config: Config) -> dict[str, str]:
    kind = config.mapping(("kind",), any_key=True)["kind"]
    match kind.text():
        case "bearer":
            token = config.mapping(("kind", "token_file"))["token_file"]
            if not (secret := token.secret()).isascii():
                token.problem("the file must hold ASCII")
            return {"authorization": f"Bearer {secret}"}
        case "basic":
            keys = config.mapping(("kind", "username", "password_file"))
            pair = f"{keys['username'].text()}:{keys['password_file'].secret()}"
            return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        case "":
            return {}
    kind.choice(("bearer", "basic"))
    return {}
