"""End processes when the one that started them is gone, however it went: `kill -9` leaves no orphan.

A guard is a process of its own that reads its standard input, a pipe that only its starter holds. Each line there is
`<signal> <pid>` to watch over a process (the leader of its own group), or `- <pid>` to forget it, or `rm <path>` to
remove a file or folder at the end. When the pipe closes, every watched process is sent its signal, and after a grace
period its whole group is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE = 3.0
"""Seconds between asking a process to end and killing its group."""


class Guard:
    """The starter's side. Keep it for as long as the processes are to live."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.demo.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            cwd=Path(__file__).parents[2],
        )

    def watch(self, pid: int, signum: int = signal.SIGTERM) -> None:
        """End `pid` when this process is gone; `pid` leads its own process group."""
        self._tell(f"{int(signum)} {pid}")

    def forget(self, pid: int) -> None:
        """`pid` has ended and was waited for: its number may soon be another's."""
        self._tell(f"- {pid}")

    def remove(self, path: Path) -> None:
        """Remove a file or folder when this process is gone."""
        self._tell(f"rm {path}")

    def close(self) -> None:
        """Let the guard do its work now, and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)


def _send(pid: int, signum: int) -> bool:
    try:
        os.kill(pid, signum)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    """Remove a file or folder; again where a process that is on its way out still writes there."""
    for _ in range(50):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not path.exists():
            return
        time.sleep(0.1)


def main() -> None:
    """Read until the pipe closes, then end what is still watched."""
    watched: dict[int, int] = {}
    paths: list[Path] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        word, rest = line.rstrip("\n").split(" ", 1)
        if word == "rm":
            paths.append(Path(rest))
        elif word == "-":
            watched.pop(int(rest), None)
        else:
            watched[int(rest)] = int(word)
    for pid, signum in watched.items():
        _send(pid, signum)
    patience = time.monotonic() + GRACE
    while any(map(_alive, watched)) and time.monotonic() < patience:
        time.sleep(0.02)
    for pid in watched:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    for path in paths:
        _remove(path)


if __name__ == "__main__":
    main()
