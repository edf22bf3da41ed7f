"""`POST /graphql` over real sockets, behind the server that ships and by ASGI: every body, client and defect comes to
an end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from gateway.errors import Code, Refusal
from gateway.inquiry.http.endpoint import GraphQLEndpoint, Headers
from gateway.inquiry.types import Answer
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[3]


class Served(NamedTuple):
    url: str
    port: int
    mark: Path
    log: Path


@pytest.fixture(scope="module", params=["direct", "asgi"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("endpoint")
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.inquiry.http.endpoint_app", request.param, str(port)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env={**os.environ, "ENDPOINT_MARK": str(folder / "mark")},
        )
        until("the server to listen", lambda: socket.create_connection(("127.0.0.1", port)), despite=(OSError,)).close()
        yield Served(f"http://127.0.0.1:{port}/graphql", port, folder / "mark", folder / "log")
        process.terminate()
        process.wait(20)


def post(served: Served, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(served.url, content=body, headers=headers, timeout=20, trust_env=False)


def raw(served: Served, *pieces: bytes | float) -> bytes:
    """Send bytes, with pauses (seconds) between; gives all that comes back until the server closes or is silent."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection:
        for piece in pieces:
            if isinstance(piece, float):
                time.sleep(piece)
            else:
                connection.sendall(piece)
        received = b""
        try:
            while b"\r\n\r\n" not in received or not received.endswith((b"}", b"hello")):
                chunk = connection.recv(65536)
                if not chunk:
                    break
                received += chunk
        except ConnectionResetError:
            received += b"<reset>"
        return received


def head(length: int | None) -> bytes:
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + size + b"\r\n\r\n"


def error_of(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.json()["errors"][0]
    return found


def test_method_headers_and_body_reach_the_answer_and_it_comes_back_whole(served: Served) -> None:
    response = post(served, b"x" * 1000)
    assert (response.status_code, response.content) == (200, b"x" * 20)
    assert (response.headers["x-method"], response.headers["x-length"]) == ("POST", "1000")
    assert response.headers["cache-control"] == "no-store"
    assert post(served, b"").headers["x-length"] == "0"


def test_a_long_body_is_refused_announced_or_not(served: Served) -> None:
    for response in (post(served, b"x" * 1001), httpx.post(served.url, content=iter([b"x" * 600] * 3), timeout=20)):
        assert response.status_code == 413
        assert error_of(response)["extensions"]["code"] == "REQUEST_INVALID"
        assert response.headers["content-type"] == "application/json; charset=utf-8"
    accept = {"accept": "application/graphql-response+json"}
    assert "graphql-response" in post(served, b"x" * 2000, **accept).headers["content-type"]


def test_a_body_in_pieces_is_put_together(served: Served) -> None:
    response = httpx.post(served.url, content=iter([b"ab", b"c" * 500, b"", b"d"]), timeout=20)
    assert response.headers["x-length"] == "503"
    assert response.content == b"ab" + b"c" * 18


def test_a_slow_body_is_given_up(served: Served) -> None:
    answer = raw(served, head(5), b"he", 1.6)
    assert b"400 Bad Request" in answer
    assert b"did not arrive in time" in answer
    assert raw(served, head(5), b"he", 0.2, b"llo").endswith(b"hello")


def test_a_body_shorter_than_announced_is_not_answered_as_if_whole(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(head(50) + b"wait, not whole")
    time.sleep(0.8)
    assert not served.mark.exists()


def test_a_client_that_leaves_does_not_stop_its_answer(served: Served) -> None:
    served.mark.unlink(missing_ok=True)
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(head(4) + b"wait")
        time.sleep(0.1)
    until("the answer to be committed", lambda: served.mark.exists() and served.mark.read_bytes() == b"committed\n")
    served.mark.unlink()


def test_a_defect_is_told_by_an_id_and_logged_without_its_text(served: Served) -> None:
    response = post(served, b"fail 5299000J2N45DDNE4Y28")
    assert response.status_code == 500
    error = error_of(response)
    assert error["extensions"] == {"code": "INTERNAL", "id": error["extensions"]["id"]}
    lines = [json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{")]
    logged = [line for line in lines if line.get("id") == error["extensions"]["id"]]
    assert len(logged) == 1
    assert logged[0]["error"] == "ValueError"
    assert any("endpoint_app.py" in place for place in logged[0]["place"])
    assert "5299000J2N45DDNE4Y28" not in served.log.read_text() + response.text


def test_an_answer_that_hangs_is_given_up(served: Served) -> None:
    response = post(served, b"hang")
    assert response.status_code == 500
    assert error_of(response)["extensions"]["code"] == "INTERNAL"
    assert post(served, b"after").content == b"after"


class Wire:
    """A server's side of one request, in process, for what no server here does."""

    def __init__(self, *chunks: bytes) -> None:
        self.messages = [
            {"type": "http.request", "body": chunk, "more_body": n < len(chunks) - 1} for n, chunk in enumerate(chunks)
        ]
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def run(self, endpoint: GraphQLEndpoint, headers: Headers) -> None:
        await endpoint({"type": "http", "method": "POST", "headers": headers}, self.receive, self.send)


async def test_a_server_that_cancels_does_not_stop_the_answer() -> None:
    started, committed, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(method: str, headers: Headers, body: bytes) -> Answer:
        started.set()
        await go_on.wait()
        committed.set()
        return Answer(200, {}, body)

    wire = Wire(b"x")
    serving = asyncio.create_task(wire.run(GraphQLEndpoint(answer, lambda quoted, error: None), []))
    await started.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    go_on.set()
    await asyncio.wait_for(committed.wait(), 5)
    assert wire.sent == []


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("length", [b"2", b"4", b"-3", b"3, 3", b"x", b"9" * 30])
async def test_a_length_that_lies_is_refused(length: bytes, framed: bool) -> None:
    asked: list[bytes] = []

    async def answer(method: str, headers: Headers, body: bytes) -> Answer:
        asked.append(body)
        return Answer(200, {}, body)

    wire = Wire(b"abc")
    headers = [(b"content-length", length)] + [(b"transfer-encoding", b"chunked")] * framed
    await wire.run(GraphQLEndpoint(answer, lambda quoted, error: None), headers)
    assert wire.sent[0]["status"] in (400, 413)
    assert asked == []


async def test_the_end_of_a_body_is_asked_for_where_only_it_says_that_the_body_is_whole() -> None:
    async def answer(method: str, headers: Headers, body: bytes) -> Answer:
        return Answer(200, {}, body)

    endpoint = GraphQLEndpoint(answer, lambda quoted, error: None)
    length, framed = (b"content-length", b"3"), (b"transfer-encoding", b"chunked")
    for headers, left in (([length], 1), ([length, framed], 0), ([framed], 0), ([], 0)):
        wire = Wire(b"abc", b"")
        await wire.run(endpoint, headers)
        assert wire.sent[1]["body"] == b"abc"
        assert len(wire.messages) == left


async def test_a_refusal_that_escapes_is_told_and_a_late_defect_still_logged() -> None:
    defects: list[str] = []
    both = asyncio.Event()

    def note(quoted: str, error: BaseException) -> None:
        defects.append(type(error).__name__)
        if len(defects) == 2:
            both.set()

    async def answer(method: str, headers: Headers, body: bytes) -> Answer:
        if body == b"refuse":
            raise Refusal(Code.QUOTA_EXCEEDED, "too often", quota="q", headers={"Retry-After": "5"})
        await asyncio.sleep(1.3)
        raise KeyError(body)

    endpoint = GraphQLEndpoint(answer, note, patience=0.1)
    wire = Wire(b"refuse")
    await wire.run(endpoint, [])
    assert wire.sent[0]["status"] == 429
    assert (b"retry-after", b"5") in wire.sent[0]["headers"]
    wire = Wire(b"late")
    await wire.run(endpoint, [])
    assert wire.sent[0]["status"] == 500
    await asyncio.wait_for(both.wait(), 10)
    assert defects == ["TimeoutError", "KeyError"]


async def test_a_body_that_is_cut_short_is_refused_and_not_asked() -> None:
    """Who only closed its sending side still reads: a server that got no answer from here would make one up (a 500)."""

    async def answer(method: str, headers: Headers, body: bytes) -> Answer:
        raise AssertionError("nothing whole was asked")

    wire = Wire()
    wire.messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    await wire.run(GraphQLEndpoint(answer, lambda quoted, error: None), [])
    assert wire.sent[0]["status"] == 400
    assert b"REQUEST_INVALID" in wire.sent[1]["body"]
