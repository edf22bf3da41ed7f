"""A worker's link to its supervisor. When the supervisor ends, however it ends, so does the worker, at once.

An orphan would go on answering under the policies that it has read, beside whatever is started in its place.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

from gateway.errors import DutyboundError
from gateway.manage.messages import Message, Refused, Up, encode
from gateway.saying import in_words

SUPERVISOR = "_DUTYBOUND_SUPERVISOR"
"""The variable that names the supervisor's socket to its workers."""


def _end() -> None:
    os._exit(1)


class Link:
    """The link of this process. `ended` is what happens when the supervisor is gone."""

    def __init__(self, address: str, ended: Callable[[], None] = _end) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(address)
        except OSError:
            ended()
            return
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(64):
                pass
        self._ended()

    def tell(self, message: Message) -> None:
        """Send a message; one that does not arrive is of no use to anybody, for then the supervisor is gone."""
        with contextlib.suppress(OSError), self._lock:
            self._socket.sendall(encode(message))

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Report why a start failed, where it does. What is no refusal of our own is reported by its kind alone."""
        try:
            yield
        except Exception as error:
            self.tell(Refused(str(error) if isinstance(error, DutyboundError) else in_words(error)))
            raise

    def up(self) -> None:
        """Report that this process serves."""
        self.tell(Up())


def supervisor() -> Link | None:
    """The link to the supervisor that started this process; None where none did. It ends the process, if it breaks."""
    address = os.environ.get(SUPERVISOR)
    return Link(address) if address else None
