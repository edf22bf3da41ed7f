"""Workers that hang: the supervisor kills them, and they are replaced as any that ended.

Such a worker holds its part of the connections to the address, and whoever was given to it waits. Nothing is lost by
its end: no answer leaves without its entry. The supervisor counts its own looks and not time, so that a machine that
was paused, with all its processes, has no worker killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.telemetry.log import put

LOOKS = 120
"""Looks of the supervisor, of half a second, in which a worker has to show that its event loop goes round."""


class Hanging:
    """`rounds` gives, by the ids of workers that serve, when each last showed that it goes round."""

    def __init__(self, rounds: Callable[[], Mapping[int, float]], looks: int = LOOKS) -> None:
        self._rounds, self._looks = rounds, looks
        self._seen: dict[int, tuple[float, int]] = {}

    def look(self) -> None:
        """Look once; kill, and report, each worker that showed nothing for too long. One that is debugged stays."""
        seen = {}
        for pid, at in self._rounds().items():
            before, looks = self._seen.get(pid, (at, -1))
            looks = looks + 1 if before == at else 0
            if looks >= self._looks and not _debugged(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                put(f"warning: worker {pid} hung, and was killed to be replaced")
                looks = 0
            seen[pid] = at, looks
        self._seen = seen


def _debugged(pid: int) -> bool:
    """Whether a debugger is attached to a process; where there is no `/proc`, none is."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)
