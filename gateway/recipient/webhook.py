"""Nudges from the gateway: a signed `POST` announces that a recall waits. Standard Webhooks, 1.0.

What is signed is `<webhook-id>.<webhook-timestamp>.<body>`. `webhook-signature` has one signature or several, each with
its version before a comma: `v1` is HMAC-SHA256 under a shared secret, `v1a` Ed25519 under the gateway's key. One that
is right is enough.

Invariants: what is not signed, or is more than `TOLERANCE` off, does nothing. A nudge only makes the client look into
its inbox, so that one which is lost, repeated or forged could at most cost a look.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature

from gateway.recipient.config import Webhook

TOLERANCE = 300
"""Seconds that a nudge's time may be off."""
REMEMBERED = 10_000
"""Ids of nudges that were taken, so that a repeat makes no second look."""
BODY = 64 * 1024
TOGETHER = 32
"""Connections at once; a further one waits in the system's queue."""
PATIENCE = 5.0
"""Seconds for each wait for a sender's next bytes."""
WHOLE = 15.0
"""Seconds for a whole message, however its bytes come."""


class Unsigned(Exception):
    """A message is not one that the gateway signed just now; the text explains why."""


def verify(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a message that the gateway signed around `now`, in epoch seconds; raises `Unsigned`."""
    id_, stamp = headers.get("webhook-id") or "", headers.get("webhook-timestamp") or ""
    if not id_ or len(id_) > 256 or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 16):
        raise Unsigned(
            "`webhook-id`, of 256 characters at most, and `webhook-timestamp`, in seconds since 1970, are needed"
        )
    if abs(now - int(stamp)) > TOLERANCE:
        raise Unsigned(f"`webhook-timestamp` is more than {TOLERANCE} seconds off")
    signed = f"{id_}.{stamp}.".encode() + body
    for signature in (headers.get("webhook-signature") or "").split(" ")[:32]:
        version, _, encoded = signature.partition(",")
        if _right(webhook, version, encoded, signed):
            return id_
    raise Unsigned("no signature in `webhook-signature` is right")


def _right(webhook: Webhook, version: str, encoded: str, signed: bytes) -> bool:
    try:
        given = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    if version == "v1":
        right = [hmac.digest(secret, signed, hashlib.sha256) for secret in webhook.secrets]
        return any(hmac.compare_digest(each, given) for each in right)
    if version == "v1a":
        for key in webhook.keys:
            try:
                key.verify(given, signed)
            except InvalidSignature:
                continue
            return True
    return False


class Taken:
    """The ids that were taken, while a repeat of them would still verify. For one thread at a time."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def first(self, id_: str, now: float) -> bool:
        """Whether it comes for the first time; it is remembered."""
        for old in [each for each, until in self._until.items() if until < now][:REMEMBERED]:
            del self._until[old]
        if id_ in self._until:
            return False
        if len(self._until) >= REMEMBERED:
            del self._until[next(iter(self._until))]
        self._until[id_] = now + 2 * TOLERANCE
        return True


class Listener(ThreadingHTTPServer):
    """Takes nudges at an address, and calls `nudged` for each new one. TLS ends in front of it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, webhook: Webhook, nudged: Callable[[], object]) -> None:
        if ":" in webhook.host:
            self.address_family = socket.AF_INET6
        super().__init__((webhook.host, webhook.port), _Nudge)
        self.webhook, self.nudged = webhook, nudged
        self.taken, self.lock = Taken(), threading.Lock()
        self._places = threading.BoundedSemaphore(TOGETHER)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait for a place before the connection gets a thread."""
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection, which is cut after `WHOLE`, however it drips."""
        cut = threading.Timer(WHOLE, _cut, [request])
        cut.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            cut.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that went away is nobody's fault, and nothing to write down."""


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Nudge(BaseHTTPRequestHandler):
    server: Listener
    timeout = PATIENCE
    server_version, sys_version = "recipient", ""

    def do_POST(self) -> None:
        """Take one nudge: 204 where it is signed, and it was seen that the inbox is looked into."""
        length = self.headers.get("content-length", "")
        if self.path != self.server.webhook.path:
            return self._answer(404, "nothing is taken here")
        if not (length.isascii() and length.isdecimal()) or int(length) > BODY:
            return self._answer(413, f"a body with its length is needed, of at most {BODY} bytes")
        try:
            body, now = self.rfile.read(int(length)), time.time()
            id_ = verify(self.server.webhook, {name.lower(): text for name, text in self.headers.items()}, body, now)
        except Unsigned as error:
            return self._answer(401, str(error))
        with self.server.lock:
            if self.server.taken.first(id_, now):
                self.server.nudged()
        return self._answer(204)

    def _answer(self, status: int, said: str = "") -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("connection", "close")
        if said:
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: whoever finds the address could fill a log."""
