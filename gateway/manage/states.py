"""What is out of order now, as it is logged: one line when it begins, and one when it ends.

A state has a part (`ledger`, `clock`, `clocks`, `store`, `issuer`, `department`, `witness`, `projector`, `recalls`,
`deliveries`, `drift`, `tracing`, `sign-in`) and the name of which one it is; both come from the configuration. However
often one changes, there is at most one pair of lines about it in `EVERY` seconds; what changed in between is in the
next as `again`. `settle` is called now and then, so that what lasts is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

EVERY = 60.0


class Write(Protocol):
    """Writes one line (`gateway.telemetry.log.Log.state`)."""

    def __call__(self, event: str, /, *, level: str, **facts: str | int) -> None: ...


Heard = Callable[[str, str | None], None]
"""Told of one by name: why it is out of order, or None where it is in order."""


class Trouble(msgspec.Struct, frozen=True, order=True):
    """What is out of order, and why."""

    part: str
    name: str
    why: str


class _State:
    __slots__ = ("again", "began", "failures", "told", "why")

    def __init__(self) -> None:
        self.why: str | None = None
        self.told = False
        self.began = float("-inf")
        self.again = self.failures = 0


class States:
    """Of one process; any thread may report to it. `changed` is called once something begins or ceases to be out of
    order."""

    def __init__(self, write: Write, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._every, self._clock = write, every, clock
        self._known: dict[tuple[str, str], _State] = {}
        self._lock = threading.Lock()
        self.changed: Callable[[], object] = lambda: None

    def of(self, part: str) -> Heard:
        """What is reported of the parts of one kind."""

        def heard(name: str, why: str | None) -> None:
            if why is not None or (part, name) in self._known:
                self._hear(part, name, why)

        return heard

    def now(self) -> list[Trouble]:
        """What is out of order."""
        with self._lock:
            known = sorted(self._known.items())
            return [Trouble(part, name, state.why) for (part, name), state in known if state.why is not None]

    def settle(self) -> None:
        """Report what may be reported by now."""
        with self._lock:
            for (part, name), state in list(self._known.items()):
                self._tell(part, name, state)

    def _hear(self, part: str, name: str, why: str | None) -> None:
        with self._lock:
            state = self._known.setdefault((part, name), _State())
            turned = (state.why is None) is not (why is None)
            if why is not None:
                state.failures += 1
                state.again += state.why is None
            state.why = why
            self._tell(part, name, state)
        if turned:
            self.changed()

    def _tell(self, part: str, name: str, state: _State) -> None:
        now = self._clock()
        if state.why is not None and not state.told:
            if now - state.began >= self._every:
                self._write("began", level="warning", part=part, name=name, why=state.why, again=state.again)
                state.told, state.began, state.again = True, now, 0
        elif state.why is None and state.told:
            lasted = round(now - state.began)
            self._write(
                "ended", level="info", part=part, name=name, seconds=lasted, failures=state.failures, again=state.again
            )
            state.told, state.failures, state.again = False, 0, 0
