"""What is read without a parser is read as the parser reads it, whatever comes; and what is usual is read so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.http import usual
from connectors.http.connection import Connection
from connectors.http.transport import TransportFault, TransportOptions

LIMIT = 64
LINES = [
    b"content-length: 5", b"Content-Length:5", b"content-length: 005", b"content-length: 4", b"content-length : 5",
    b"content-length: 5 ", b"content-length: +5", b"content-length: 5, 5", b"content-length: 70", b"content-length: 0",
    b"date: Fri, 27 Nov 2026 16:59:01 GMT", b"x-a: \xe9", b"x-b:\t1", b"x_c: 1", b"x-d : 1", b"x-e", b": 1", b" folded",
    b"Connection: keep-alive", b"connection: close", b"connection: keep-alive, close", b"Keep-Alive: timeout=5, max=9",
    b"keep-alive: \x00", b"proxy-connection: close", b"transfer-encoding: chunked", b"content-encoding: gzip",
    b"Retry-After: 7", b"upgrade: h2c", b"connection: upgrade", b"trailer: x", b"te: trailers", b"x-f: 1\n\nx-g: 2",
    b"x-h: 1\rcontent-length: 9", b"content-type: application/json",
]  # fmt: skip
HARMLESS = {
    b"date: Fri, 27 Nov 2026 16:59:01 GMT", b"Connection: keep-alive", b"Keep-Alive: timeout=5, max=9",
    b"content-type: application/json",
}  # fmt: skip
STARTS = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200 ", b"HTTP/1.1 200", b"http/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 404 No",
    b"HTTP/1.1 100 Go on", b"HTTP/1.1 204 None", b"HTTP/1.1 101 Switch", b"HTTP/2 200 OK", b"\r\nHTTP/1.1 200 OK",
    b"HTTP/1.1  200 OK", b"HTTP/1.1 200 \xe9", b"HTTP/1.1 302 X",
]  # fmt: skip
ENDS = [b"", b"\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
answers = st.builds(
    lambda start, lines, body, end: b"\r\n".join([start, *lines, b"", body]) + end,
    st.just(STARTS[0]) | st.sampled_from(STARTS),
    st.lists(st.just(LINES[0]) | st.sampled_from(LINES), max_size=4),
    st.sampled_from([b"12345", b"", b"12345678", b"5\r\n12345\r\n0\r\n\r\n", b"x" * 70]),
    st.just(b"") | st.sampled_from(ENDS),
)


class Wire:
    """A transport that sends nothing."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None:
        assert data == b"question"

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


def heard(pieces: list[bytes]) -> list[Any]:
    """All that a connection makes of two questions, each answered in these pieces."""
    connection = Connection(TransportOptions(max_bytes=LIMIT), ("origin", "lane"), lambda *_: None)
    connection.connection_made(Wire())  # type: ignore[arg-type]  # as much of one as a connection uses
    found: list[Any] = []
    for _ in range(2):
        came: list[TransportFault | None] = []
        if not connection.begin(b"question", came.append):
            break
        for piece in pieces:
            connection.data_received(piece)
        found += [came, connection.usable, connection.surplus, connection.reused]
        if came == [None]:
            found += [connection.status, bytes(connection.body), connection.coding, connection.retry_after]
    return found


@given(answers, st.integers(0, 120))
@example(b"HTTP/1.1 200 OK\r\ncontent-length: 005\r\n\r\n12345", 34)  # cut where its head looks whole, and is not
@example(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 34)
@example(b"http/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345", 0)
@example(b"HtTp/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345", 0)
def test_it_is_read_as_the_parser_reads_it(answer: bytes, cut: int) -> None:
    pieces = [piece for piece in (answer[:cut], answer[cut:]) if piece]
    found = heard(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usual, "body", lambda *_: None)
        assert found == heard(pieces)


@pytest.mark.parametrize(
    "head",
    [
        b"content-type: application/json\r\ncontent-length: 5",
        b"Date: Fri, 27 Nov 2026 16:59:01 GMT\r\nContent-Length: 5\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5",
    ],
)
def test_the_usual_answer_needs_no_parser(head: bytes) -> None:
    assert usual.body(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n12345" % head, 5) == b"12345"
    assert usual.body(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n12345" % head, 4) is None


@pytest.mark.parametrize("line", [line for line in LINES if line not in HARMLESS])
def test_what_says_more_of_an_answer_is_left_to_the_parser(line: bytes) -> None:
    assert usual.body(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n%b\r\n\r\n12345" % line, LIMIT) is None


def test_headers_that_are_shown_are_read_by_the_parser() -> None:
    options = TransportOptions(shown=frozenset({"x-a"}))
    connection = Connection(options, ("origin", "lane"), lambda *_: None)
    connection.connection_made(Wire())  # type: ignore[arg-type]
    assert connection.begin(b"question", lambda _: None)
    connection.data_received(b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n")
    assert connection.headers == (("x-a", "1"),)


@pytest.mark.parametrize(
    "line", [b"content-length: 5", b"content-length: 5\r\nretry-after: 1"], ids=["usual", "parsed"]
)
def test_a_connection_that_rests_holds_nothing_of_anybody(line: bytes) -> None:
    connection = Connection(TransportOptions(), ("origin", "lane"), lambda *_: None)
    connection.connection_made(Wire())  # type: ignore[arg-type]
    assert connection.begin(b"question", lambda _: None)
    connection.data_received(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n12345" % line)
    assert connection.body == b"12345"
    assert connection.settle(True)
    assert b"12345" not in [getattr(connection, name) for name in Connection.__slots__]
