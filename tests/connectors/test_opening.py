"""What is sent at once on a kept connection is what would be sent otherwise, whatever stands in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import rest
from connectors.base import Forwarded, RecordRequest
from connectors.http.calling import Caller
from connectors.http.connection import Connection
from connectors.http.forwarding import Forward
from connectors.http.pooled_transport import PooledTransport, ending
from connectors.http.transport import TransportOptions
from connectors.prompt.fan import asked
from tests.connectors.asking import ask, connected
from tests.connectors.rest_source import config, row
from tests.connectors.servers import always, answer, serve

ORIGIN = "https://tax.example:8443"
USUAL = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Wire:
    """A transport that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        return None


def parts(request: bytes) -> tuple[bytes, Counter[bytes], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    return line, Counter(lines), body


async def both(
    method: str, target: str, fixed: Mapping[str, str], own: Mapping[str, str], body: bytes | None
) -> list[bytes]:
    """The same question sent both ways, each on a kept connection."""
    pool, url, wire = PooledTransport(TransportOptions()), ORIGIN + target, Wire()
    opening = pool.opening(method, url, fixed, "lane")
    assert opening is not None
    connection = Connection(TransportOptions(), (ORIGIN, "lane"), pool._settled)
    connection.connection_made(wire)  # type: ignore[arg-type]  # as much of one as a connection uses
    pool._rest(connection)
    begun = pool.begin(opening, url, ending(own, body), lambda _: None)
    assert begun is connection
    connection.data_received(USUAL)
    pool._settled(connection, True)
    asking = asyncio.ensure_future(pool.send(method, url, {**fixed, **own}, body, 5.0, "lane"))
    await asyncio.sleep(0)
    connection.data_received(USUAL)
    await asking
    await pool.close()
    return wire.sent


_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=8)
_names = st.sampled_from(["accept", "x-a", "x-b", "authorization", "content-type"])


@given(
    st.sampled_from(["GET", "POST"]),
    st.text("abz09%?&=/.,~", max_size=20),
    st.dictionaries(_names, _text),
    st.dictionaries(_names, _text),
    st.none() | st.binary(max_size=20),
)
def test_what_is_sent_is_the_same(
    method: str, path: str, fixed: dict[str, str], own: dict[str, str], body: bytes | None
) -> None:
    own = {name: value for name, value in own.items() if name not in fixed}
    first, second = asyncio.run(both(method, "/" + path, fixed, own, body))
    assert parts(first) == parts(second)


@pytest.mark.parametrize("target", ["/a b", "/a\r\nx: y", "/\u00e9", "/\t", "/\x00", "/\x7f", "/\x80"])
async def test_an_address_that_is_not_encoded_is_not_sent(target: str) -> None:
    with pytest.raises(ValueError, match="percent-encoded"):
        await both("GET", target, {}, {}, None)


@pytest.mark.parametrize(("fixed", "own"), [({"x": "a\r\nb: c"}, {}), ({}, {"x": "a\nb"}), ({}, {"x\r": "a"})])
async def test_a_header_of_two_lines_is_not_sent(fixed: dict[str, str], own: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="one line"):
        await both("GET", "/", fixed, own, None)


async def test_an_origin_in_another_spelling_is_asked_the_other_way() -> None:
    pool = PooledTransport(TransportOptions())
    assert pool.opening("GET", "HTTPS://tax.example/a", {}, "lane") is None
    assert pool.opening("GET", "https://tax.example:443/a", {}, "lane") is None
    assert PooledTransport(TransportOptions(echo="x-id")).opening("GET", ORIGIN + "/a", {}, "lane") is None


async def test_a_header_is_never_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    real = Caller.begin

    def noted(self: Any, *given: Any) -> Any:
        begun.append(real(self, *given))
        return begun[-1]

    monkeypatch.setattr(Caller, "begin", noted)
    async with (
        serve(always(answer({"items": [row()]}))) as server,
        connected(rest.build, {**config(server.url), "headers": {"x-a": "1"}}) as connector,
    ):
        for own in ({"x-b": "2"}, {"x-b": "3"}, {"x-a": "4"}):
            monkeypatch.setattr(Forward, "headers", lambda *_, own=own: own)
            end = asyncio.get_running_loop().time() + 10
            await asked(connector, RecordRequest((ask("arrears", "period"),), end, Forwarded("id")))
    assert [each is not None for each in begun] == [False, True, False]
    sent = [(request.headers["x-a"], request.headers.get("x-b")) for request in server.requests]
    assert sent == [("1", "2"), ("1", "3"), ("4", None)]
