"""Workers that hang: the supervisor kills them, and they are replaced as any that ended.

Such a worker holds its part of the connections to the address, and whoever was given to it waits. Nothing is lost by
its end: no answer leaves without its entry. The supervisor counts its own looks and not time, so that a machine that
was paused, with all its processes, has no worker killed.

One that begins has nothing to show yet, and may have much to read: it hangs where it takes no CPU either.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gateway.manage import processes
from gateway.telemetry.log import put

LOOKS = 120
"""Looks of the supervisor, of half a second, in which a worker has to show that its event loop goes round."""
BEGINNING = 600
"""Looks in which a worker that has not shown anything yet has to have taken `LEAST` of CPU."""
LEAST = 3.0
"""Seconds: a hundredth of them."""


class Hanging:
    """`rounds` gives, by the ids of workers that serve, when each last showed that it goes round."""

    def __init__(
        self, rounds: Callable[[], Mapping[int, float]], looks: int = LOOKS, beginning: int = BEGINNING
    ) -> None:
        self._rounds, self._looks, self._beginning = rounds, looks, beginning
        self._seen: dict[int, tuple[float, int]] = {}
        self._begun: dict[int, tuple[float, int]] = {}

    def look(self, workers: Iterable[int] = ()) -> None:
        """Look once at `workers` (ids of processes), and at those that serve; kill, and report, each that hangs.

        One that is debugged stays.
        """
        seen, rounds = {}, self._rounds()
        for pid, at in rounds.items():
            before, looks = self._seen.get(pid, (at, -1))
            looks = looks + 1 if before == at else 0
            if looks >= self._looks and _killed(pid, "hung"):
                looks = 0
            seen[pid] = at, looks
        self._seen = seen
        self._look_at_beginning([pid for pid in workers if pid not in rounds])

    def _look_at_beginning(self, workers: Iterable[int]) -> None:
        begun = {}
        for pid in workers:
            taken = processes.cpu(pid)
            if taken is None:  # it has ended, or it cannot be known what it does
                continue
            before, looks = self._begun.get(pid, (0.0, -1))
            looks += 1
            if looks >= self._beginning:
                if taken - before < LEAST:
                    _killed(pid, "hung before it served")
                before, looks = taken, 0
            begun[pid] = before, looks
        self._begun = begun


def _killed(pid: int, why: str) -> bool:
    """Kill and report it; not where it is debugged."""
    if _debugged(pid):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    put(f"warning: worker {pid} {why}, and was killed to be replaced")
    return True


def _debugged(pid: int) -> bool:
    """Whether a debugger is attached to a process; where there is no `/proc`, none is."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)
