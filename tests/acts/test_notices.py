"""Nudges: signed, by an id and nothing else; sent again for a while; a dead receiver keeps nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import msgspec
import pytest

from gateway.acts import notices
from gateway.acts.notices import Notices, Receiver
from gateway.web.hooks import verify
from tests.waiting import until_async

SECRET, OLDER = b"0" * 32, b"1" * 32
PORTAL, OTHER = ("https://login.example", "portal"), ("https://login.example", "other")


class Portal:
    """A receiver. `answers` are the statuses that it gives, then 204; `None` never answers."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | None] = []
        self.hold = threading.Event()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = told.answers.pop(0) if told.answers else 204
                if status is None:
                    told.hold.wait(20)
                    return
                told.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/notices"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def portal() -> Iterator[Portal]:
    with contextlib.closing(Portal()) as made:
        yield made


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


async def taken(portal: Portal, count: int) -> None:
    await until_async(f"{count} nudges", lambda: len(portal.taken) >= count)


async def test_a_nudge_is_signed_and_has_an_id_alone(portal: Portal) -> None:
    made = Notices({PORTAL: Receiver(portal.url, [SECRET, OLDER])}, httpx.AsyncClient, lambda *_: None, now)
    made.tell(PORTAL, "ab" * 16)
    made.tell(OTHER, "cd" * 16)
    await taken(portal, 1)
    await made.close()
    ((headers, body),) = portal.taken
    for secret in (SECRET, OLDER):
        assert verify([secret], headers, body, now().timestamp()) == headers["webhook-id"]
    said = msgspec.json.decode(body)
    assert (said["type"], said["data"], sorted(said)) == (
        "matter.waiting", {"matter": "ab" * 16}, ["data", "timestamp", "type"],
    )  # fmt: skip


async def test_one_that_is_not_taken_is_sent_again_under_its_id(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "AGAIN", (0.01, 0.01, 0.01))
    heard: list[tuple[str, bool]] = []
    portal.answers = [500, 302, 204]
    made = Notices(
        {PORTAL: Receiver(portal.url, [SECRET])}, httpx.AsyncClient,
        lambda name, why: heard.append((name, why is None)), now,
    )  # fmt: skip
    made.tell(PORTAL, "ab" * 16)
    await taken(portal, 3)
    made.tell(PORTAL, "ab" * 16)
    await taken(portal, 4)
    await made.close()
    ids = [headers["webhook-id"] for headers, _ in portal.taken]
    assert len(set(ids[:3])) == 1
    assert ids[3] != ids[0]
    assert heard[:3] == [("portal", False), ("portal", False), ("portal", True)]


async def test_a_dead_receiver_keeps_nobody_waiting(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "TIMEOUT", 0.2)
    with contextlib.closing(Portal()) as dead:
        dead.answers = [None] * 50
        receivers = {OTHER: Receiver(dead.url, [SECRET]), PORTAL: Receiver(portal.url, [SECRET])}
        made = Notices(receivers, httpx.AsyncClient, lambda *_: None, now)
        for number in range(5):
            made.tell(OTHER, f"{number:032x}")
            made.tell(PORTAL, f"{number:032x}")
        await taken(portal, 5)
        await made.close()
    assert [msgspec.json.decode(body)["data"]["matter"] for _, body in portal.taken] == [f"{n:032x}" for n in range(5)]


async def test_what_waits_is_bounded(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "WAITING", 4)
    portal.answers = [None]
    monkeypatch.setattr(notices, "TIMEOUT", 0.3)
    monkeypatch.setattr(notices, "AGAIN", (0.01,))
    made = Notices({PORTAL: Receiver(portal.url, [SECRET])}, httpx.AsyncClient, lambda *_: None, now)
    made.tell(PORTAL, f"{0:032x}")
    await asyncio.sleep(0.1)
    for number in range(1, 10):
        made.tell(PORTAL, f"{number:032x}")
    await taken(portal, 4)
    await asyncio.sleep(0.2)
    await made.close()
    told = {msgspec.json.decode(body)["data"]["matter"] for _, body in portal.taken}
    assert {f"{number:032x}" for number in range(6, 10)} <= told
    assert f"{2:032x}" not in told
