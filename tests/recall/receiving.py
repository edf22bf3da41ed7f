"""Recipients, as real servers, and recalls that wait to be told to them."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqlalchemy import Engine, insert, select

from gateway.storage.recall.recalls import Recall, Work, recall, work
from gateway.storage.recall.work import to_deliver

ISSUER = "https://login.example"
Answer = tuple[int, Mapping[str, str]]


class Recipient:
    """A server. `answers` are those that it gives, then `usual`; `None` never answers. `taken` is what it was sent."""

    def __init__(self, client: str = "tender-office") -> None:
        self.client = client
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | Answer | None] = []
        self.usual: int | Answer | None = 204
        self.at_once = self.most_at_once = 0
        self.hold, self._lock = threading.Event(), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/recalls"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.began(1)
                try:
                    self._answer(self.rfile.read(int(self.headers["content-length"])))
                finally:
                    told.began(-1)

            def _answer(self, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = told.answers.pop(0) if told.answers else told.usual
                told.taken.append((headers, body))
                if answer is None:
                    told.hold.wait(30)
                    return
                status, more = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in {"content-length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler

    def began(self, one: int) -> None:
        with self._lock:
            self.at_once += one
            self.most_at_once = max(self.most_at_once, self.at_once)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.taken]

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def recipients(*clients: str) -> Iterator[list[Recipient]]:
    with contextlib.ExitStack() as held:
        yield [held.enter_context(contextlib.closing(Recipient(client))) for client in clients]


def recalled(engine: Engine, client: str, *, at: int | None = None, issuer: str = ISSUER) -> str:
    """A recall of an answer to a client, with its work; its id."""
    id_ = secrets.token_hex(16)
    now = int(time.time() * 1_000_000) if at is None else at
    row = Recall(
        id_, 1, secrets.token_hex(8), issuer, client, None, 1, secrets.token_hex(8), "TENDER_QUALIFICATION",
        "LEI", "5493001KJTIIGC8Y1R12", "tax-arrears", "[]", "delete", now, now + 10**12, "open",
        None, None, None, 1, None,
    )  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(recall).values(**row._asdict()))
        connection.execute(insert(work).values(**to_deliver(id_, issuer, client, now)))
    return id_


def recall_of(engine: Engine, id_: str) -> Recall:
    with engine.connect() as connection:
        return Recall._make(connection.execute(select(recall).where(recall.c.id == id_)).one())


def works(engine: Engine) -> list[Work]:
    with engine.connect() as connection:
        return [Work._make(row) for row in connection.execute(select(work).order_by(work.c.id))]
