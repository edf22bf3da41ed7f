"""JSON-line logs, without a subject's data.

Invariant 12 holds by construction: a line has only the fields named here, and of an exception only its type and the
places in code that it passed, never its text; what libraries log is reduced to who, how grave and where.
"""

from __future__ import annotations

import io
import logging
import select
import sys
import time
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TextIO

import msgspec


def place(error: BaseException, last: int = 8) -> list[str]:
    """Where an exception passed, innermost last, as `file:line function`; nothing of its text."""
    found: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{'/'.join(PurePath(code.co_filename).parts[-2:])}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found[-last:]


def put(line: str, stream: TextIO | None = None) -> bool:
    """Write a line for whoever runs this, to the standard error if nothing else is given; False where it takes none.

    Its disk may be full, its reader gone, or stopped: work goes on without.
    """
    stream = stream or sys.stderr
    try:
        if not _takes(stream):
            return False
        print(line, file=stream, flush=True)
    except (OSError, ValueError):  # ValueError: it was closed
        return False
    return True


def _takes(stream: TextIO) -> bool:
    """Whether a pipe has room for a line: writing would wait for its reader."""
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:
        return True  # it is memory
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in room.poll(0))


class Log:
    """Writes JSON lines. Each method is one kind of event, and its arguments are all that it can have.

    Where lines cannot be written, work goes on without; the first that can be has `lines_lost` before it.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._lost = stream or sys.stderr, 0

    def defect(self, id: str, error: BaseException) -> None:
        """An exception that nobody expected; `id` is the id that the client got to quote."""
        self._write("defect", "error", id=id, error=type(error).__name__, place=place(error))

    def check_failed(self, check: str, error: Exception) -> None:
        """A check of readiness raised: the process is not ready, and this is the first time that it is for this."""
        self._write("check_failed", "error", check=check, error=type(error).__name__, place=place(error))

    def projection_stopped(self, shard: str, entry: int) -> None:
        """An entry that cannot be read: no projection gets beyond it. `ledger verify` reports more."""
        self._write("projection_stopped", "error", shard=shard, entry=entry)

    def state(self, event: str, /, *, level: str = "info", **facts: str | int) -> None:
        """A change of the process itself or of what it needs (`started`, `began`, ...), never of one request."""
        self._write(event, level, **facts)

    def _write(self, event: str, level: str, **fields: Any) -> None:
        if self._lost and self._put("lines_lost", "error", lines=self._lost):
            self._lost = 0
        if not self._put(event, level, **fields):
            self._lost += 1

    def _put(self, event: str, level: str, **fields: Any) -> bool:
        return put(msgspec.json.encode({"event": event, "level": level, **fields}).decode(), self._stream)


LIBRARY_EVERY = 60.0
"""Seconds between two lines that a library logs from one place; how many came meanwhile is in the next."""
_PLACES = 1024


class _Reduced(logging.Handler):
    """What a library logs, without its text: a request line or an exception's text may name a subject.

    At most one line in `LIBRARY_EVERY` seconds from one place in its code, and of an exception from one place, however
    often it is passed.
    """

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._log, self._clock = log, clock
        self._told: dict[tuple[object, ...], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        passed = [f"{record.module}:{record.lineno} {record.funcName}"] if error is None else place(error)
        fields: dict[str, Any] = {"logger": record.name, "place": passed}
        if error is not None:
            fields["error"] = type(error).__name__
        where = (record.name, record.module, record.lineno, type(error), *passed[-1:])
        now = self._clock()
        last, again = self._told.get(where, (float("-inf"), 0))
        if now - last < LIBRARY_EVERY:
            self._told[where] = last, again + 1
            return
        if len(self._told) >= _PLACES:  # code has few places that log; no library makes this grow
            self._told.clear()
        self._told[where] = now, 0
        if again:
            fields["again"] = again
        self._log._write("library", record.levelname.lower(), **fields)


def take_over(log: Log) -> None:
    """Send what libraries log, warnings included, through `log`, from `WARNING` up; replaces the root's handlers."""
    root = logging.getLogger()
    root.handlers[:] = [_Reduced(log)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
