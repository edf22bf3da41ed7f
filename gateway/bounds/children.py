"""Work on a stranger's files in a process of its own, one piece at a time: it may be made to take for ever.

Such a process is a module of ours (`python -m`). It bounds itself (`bound`), reads what is asked as MessagePack from
its standard input, and writes what it found; nothing of the files reaches the process that serves but plain words.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from gateway.bounds.turns import Turns
from gateway.errors import Code, CommandRefused, Crowded, Refusal, printable

_Asked = TypeVar("_Asked")
_Found = TypeVar("_Found")


def bound(memory: int, cpu: int) -> None:
    """Have this process end when it takes more bytes, or seconds of CPU time."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))


def ran(module: str, asked: Any, found: type[_Found], within: float, what: str) -> _Found:
    """What such a process finds within so many seconds; raises `CommandRefused` (`what` cannot be done, and why)."""
    command = [sys.executable, "-m", module]
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            command, input=msgspec.msgpack.encode(asked), capture_output=True, timeout=within, check=True
        )
        return msgspec.msgpack.decode(done.stdout, type=found)
    except (subprocess.SubprocessError, OSError, msgspec.MsgspecError) as error:
        raise CommandRefused(f"{what}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Whether it took too much, or the work itself failed: then its last line says by what."""
    if isinstance(error, subprocess.CalledProcessError) and error.returncode > 0:
        *_, last = error.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        kind = last.partition(":")[0]
        if kind and kind != "MemoryError":
            return f"it failed ({printable(kind)}): a fault of this program, not the files'; report it"
    return "that takes too long, or too much memory; make it smaller"


class OneAtATime(Generic[_Asked, _Found]):
    """Has pieces of work done by `do`, which blocks; at most `waiting` wait for the one that is on, itself included."""

    def __init__(self, do: Callable[[_Asked], _Found], waiting: int, busy: str) -> None:
        self._do, self._busy = do, busy
        self._turns = Turns(1, 1, waiting - 1)

    async def ask(self, asked: _Asked) -> _Found:
        """What comes of it. Raises `Refusal`: where others wait, in the words of `busy`, or where it cannot be done."""
        try:
            await self._turns.take(None)
        except Crowded as error:
            later = {"Retry-After": "5"}
            raise Refusal(Code.DECISION_UNAVAILABLE, self._busy, headers=later, retryable=True) from error
        try:
            return await asyncio.to_thread(self._do, asked)
        except CommandRefused as error:
            raise Refusal(Code.MATTER_INVALID, str(error), reason="LIMIT") from error
        finally:
            self._turns.give(None)
