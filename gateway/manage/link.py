"""A worker's link to its supervisor. When the supervisor ends, however it ends, so does the worker, at once.

An orphan would go on answering under the policies that it has read, beside whatever is started in its place.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

SUPERVISOR = "_DUTYBOUND_SUPERVISOR"
"""The variable that names the supervisor's socket to its workers."""


def _end() -> None:
    os._exit(1)


class Link:
    """The link of this process. `ended` is what happens when the supervisor is gone."""

    def __init__(self, address: str, ended: Callable[[], None] = _end) -> None:
        self._ended = ended
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(address)
        except OSError:
            ended()
            return
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def _watch(self) -> None:
        try:
            while self._socket.recv(64):
                pass
        except OSError:
            pass
        self._ended()
