"""What a recipient asks is bounded: in bytes, in time, and in where it goes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.recipient import asking
from gateway.recipient.asking import Asking, Refused, Unreachable
from gateway.recipient.config import Token
from gateway.recipient.tokens import Tokens
from tests.ports import free_port

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that answers so; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            with contextlib.suppress(OSError):
                answer(self)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def sends(status: int, body: bytes, **headers: str) -> Answer:
    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        for name, value in headers.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(body)

    return answer


def post(url: str) -> tuple[int, dict[str, Any]]:
    client = Asking()
    try:
        return client.post(url, {}, json={})
    finally:
        client.close()


def test_a_redirect_is_not_followed() -> None:
    with answering(sends(307, b"{}", location="/elsewhere")) as (url, asked):
        assert post(f"{url}/graphql") == (307, {})
        assert asked == ["/graphql"]


def endless(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.end_headers()
    while True:
        to.wfile.write(b" " * 65_536)


def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST", 1 << 20)
    with answering(endless) as (url, _), pytest.raises(Unreachable, match="more than can be taken"):
        post(url)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{", b"<html>", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_object_is_no_answer(body: bytes) -> None:
    with answering(sends(200, body)) as (url, _), pytest.raises(Unreachable, match="no JSON object"):
        post(url)


def test_who_is_not_there_cannot_be_reached() -> None:
    with pytest.raises(Unreachable, match=r"cannot be reached$"):
        post(f"http://127.0.0.1:{free_port()}")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def tokens(url: str, clock: Clock) -> Tokens:
    scopes = {"recalls": "recalls", "receipts": "receipts", "inquiry": "inquire"}
    return Tokens(Asking(), Token(f"{url}/token", "client", "secret", scopes, {}), clock)


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    clock = Clock()
    with answering(sends(200, b'{"access_token": "t", "expires_in": 100}')) as (url, asked):
        kept = tokens(url, clock)
        for now, times in ((0, 1), (69, 1), (71, 2), (140, 2)):
            clock.now = now
            assert kept.get("recalls") == "t"
            assert len(asked) == times
        kept.get("receipts")
        assert len(asked) == 3


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"access_token": 7}', b'{"access_token": "a\\nb"}', '{"access_token": "é"}'.encode()],
)
def test_what_is_no_token_is_no_answer(body: bytes) -> None:
    with answering(sends(200, body)) as (url, _), pytest.raises(Unreachable, match="no token"):
        tokens(url, Clock()).get("recalls")


def test_a_refusal_says_which_scope_and_not_the_secret() -> None:
    body = b'{"error": "invalid_scope", "error_description": "not yours"}'
    with answering(sends(400, body)) as (url, _), pytest.raises(Refused) as told:
        tokens(url, Clock()).get("recalls")
    assert str(told.value) == "invalid_scope: not yours (scope `recalls`)"
    with answering(sends(503, b"{}")) as (url, _), pytest.raises(Unreachable):
        tokens(url, Clock()).get("recalls")
