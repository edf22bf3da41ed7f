"""What a worker reports to its supervisor, from threads of its own: no inquiry waits for it.

It reports once a second, and as soon as something is out of order for it, or no more: whoever looks at health then does
not send it more of what it cannot do.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.manage.link import Link
from gateway.manage.messages import Report
from gateway.manage.states import States
from gateway.saying import in_words
from gateway.telemetry.metrics import Lag, Metrics

EVERY = 1.0
_SETTLING = 0.05
"""Seconds between two reports at least, however often something changes."""
_LAGS_EVERY = 2.0
_LOOP_WITHIN = 5.0
"""Seconds in which the event loop has to say how its checks stand; one that does not is told as not running."""

Checks = Callable[[], Coroutine[Any, Any, dict[str, bool]]]


class Reporter:
    """Made in the event loop. `lags` reads the store in its own thread: however long it takes, reports continue."""

    def __init__(
        self,
        link: Link,
        metrics: Metrics,
        checks: Checks,
        lags: Callable[[], list[Lag]],
        shard: Callable[[], str],
        states: States,
    ) -> None:
        self._states, self._heard = states, states.of("store")
        self._link, self._metrics, self._checks, self._read, self._shard = link, metrics, checks, lags, shard
        self._loop = asyncio.get_running_loop()
        self._ended, self._changed = threading.Event(), threading.Event()
        states.changed = self._changed.set
        for work in (self._report, self._lags):
            threading.Thread(target=work, name="reports", daemon=True).start()

    def close(self) -> None:
        """Report a last time; call it when nothing is counted any more."""
        self._ended.set()
        self._changed.set()
        self._tell({"serving": False})

    def _report(self) -> None:
        while not self._ended.wait(_SETTLING):
            self._changed.wait(EVERY - _SETTLING)
            if self._ended.is_set():
                return
            self._changed.clear()
            self._tell(self._checked())
            self._states.settle()

    def _tell(self, checks: dict[str, bool]) -> None:
        metrics = self._metrics
        counts, lags = metrics.counts(), list(metrics.lags)
        self._link.tell(Report(os.getpid(), self._shard(), checks, counts, lags, self._states.now()))

    def _checked(self) -> dict[str, bool]:
        asked = asyncio.run_coroutine_threadsafe(self._checks(), self._loop)
        try:
            return asked.result(_LOOP_WITHIN)
        except (TimeoutError, concurrent.futures.CancelledError):
            asked.cancel()
            return {"running": False}

    def _lags(self) -> None:
        while not self._ended.is_set():
            try:
                self._metrics.lags = self._read()
            except Exception as error:  # the last ones stand
                self._heard("", in_words(error))
            else:
                self._heard("", None)
            self._ended.wait(_LAGS_EVERY)
