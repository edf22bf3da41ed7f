"""A request for GraphQL over HTTP: its headers, its body, and what comes of reading it."""

from __future__ import annotations

import pytest

from gateway.errors import Refusal
from gateway.inquiry.http.request import read

Headers = list[tuple[bytes, bytes]]
JSON: Headers = [(b"host", b"gateway.example"), (b"content-type", b"application/json")]
BODY = b'{"query": "{ a }"}'


def accepting(*accepts: bytes) -> Headers:
    return [*JSON, *((b"accept", accept) for accept in accepts)]


def refusal(body: bytes = BODY, headers: Headers = JSON, method: str = "POST", limit: int = 65536) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(method, headers, body, limit)
    return caught.value


def inquiry(*values: bytes) -> Headers:
    return [*JSON, *((b"inquiry", value) for value in values)]
