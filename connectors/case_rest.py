"""Case registries that speak HTTP (`case-rest`).

`GET {url}/cases/{id}` answers `{"id", "open", "subjects": [{"scheme", "value"}], "officials"}`, or 404. Anything else
is no answer: another status, a redirect, a compressed or too long body, a key twice, another case.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from connectors.base import Case


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
        async with self._client.stream("GET", address, timeout=seconds) as response:
            if response.status_code in (404, 410):
                return None
            if response.status_code != 200 or response.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("not a plain answer")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._max_bytes:
                    raise ValueError("too large")
        found = msgspec.convert(json.loads(body.decode(), object_pairs_hook=_distinct), _Case)
        if found.id != case:
            raise ValueError("another case")
        named = frozenset((each.scheme, each.value) for each in found.subjects)
        return Case(found.open, named, frozenset(found.officials))

    async def close(self) -> None:
        """See the port."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=self._ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return httpx.AsyncClient(
            headers={**self._headers, "accept": "application/json", "accept-encoding": "identity"},
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8),
            follow_redirects=False,
            trust_env=False,
            verify=context,
        )


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value
