"""A supervisor without a server: whoever starts under it finds it, and what it is told is scraped."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import Report
from gateway.telemetry.metrics import Metrics
from tests.waiting import until


@contextmanager
def supervised() -> Iterator[Callable[[], str]]:
    """What `/metrics` of the supervisor has, of one process that serves and all beside it."""
    with Hub(1) as hub:
        worker = Link(os.environ[SUPERVISOR], ended=lambda: None)
        worker.tell(Report(1, "1", {}, Metrics([]).counts(), []))
        until("the worker to be heard", lambda: hub.heard)
        yield lambda: hub.exposition().decode()
        worker._socket.shutdown(socket.SHUT_RDWR)
