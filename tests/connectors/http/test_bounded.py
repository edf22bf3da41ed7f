"""The client for peers that are no departments: httpx's face, the pooled transport's bounds."""

from __future__ import annotations

import gzip

import httpx
import pytest

from connectors.http.bounded import bounded_client
from connectors.http.transport import TransportOptions
from tests.connectors.servers import ENDLESS, always, answer, endlessly, serve, silent, zeros

OPTIONS = TransportOptions(timeout=60.0, max_bytes=50_000, gzip=False)


async def test_sends_what_it_is_given_and_gives_what_came() -> None:
    async with serve(always(answer({"a": 1}, 201))) as server, bounded_client(OPTIONS) as client:
        got = await client.post(f"{server.url}/x?y=%20z", data={"k": "v"}, auth=("me", "it"), headers={"x-one": "1"})
        async with client.stream("GET", server.url) as streamed:
            assert b"".join([part async for part in streamed.aiter_raw()]) == b'{"a": 1}'
    assert (got.status_code, got.json()) == (201, {"a": 1})
    first = server.requests[0]
    assert (first.method, first.target, first.body) == ("POST", "/x?y=%20z", b"k=v")
    assert first.headers["authorization"].startswith("Basic ")
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    assert first.headers["accept-encoding"] == "identity"
    assert first.headers["x-one"] == "1"
    assert server.opened == 2, "an answer that comes late is nobody's"


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_answer_is_given_up_at_a_bound(what: str) -> None:
    async with serve(endlessly(*ENDLESS[what])) as server, bounded_client(OPTIONS) as client:
        with pytest.raises(httpx.HTTPError) as raised:
            await client.get(server.url)
    assert not isinstance(raised.value, httpx.TimeoutException)


@pytest.mark.parametrize(
    "raw",
    [
        zeros(1),
        zeros(200, compressed=True),
        answer(gzip.compress(b"{}"), content_encoding="gzip"),
        answer({}, 302, location="/x"),
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_an_exception(raw: bytes) -> None:
    async with serve(always(raw)) as server, bounded_client(OPTIONS) as client:
        with pytest.raises(httpx.HTTPError):
            await client.get(server.url)


@pytest.mark.parametrize("said", ["7", "\u00b2", "\u00ff" * 40])
async def test_when_to_ask_again_is_given_as_it_came_whatever_it_is(said: str) -> None:
    raw = b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\nretry-after: " + said.encode("latin-1") + b"\r\n\r\n"
    async with serve(always(raw)) as server, bounded_client(OPTIONS) as client:
        got = await client.get(server.url)
    assert (got.status_code, got.headers["retry-after"]) == (429, said)


async def test_a_wait_has_an_end() -> None:
    async with serve(silent) as server, bounded_client(OPTIONS) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=0.1)


async def test_an_address_that_is_none_is_told() -> None:
    async with bounded_client(OPTIONS) as client:
        for address in ("ftp://127.0.0.1/", "http://u:p@127.0.0.1:9/"):
            with pytest.raises((httpx.InvalidURL, httpx.HTTPError)):
                await client.get(address)
