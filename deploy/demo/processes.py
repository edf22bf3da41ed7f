"""The demo's child processes: started with a log file, waited for until they report that they are ready, ended in
order.

Each child leads its own process group, so that Ctrl-C in the terminal reaches the supervisor alone, which then ends the
children. A `Guard` ends them where the supervisor itself is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from deploy.demo.guard import GRACE, Guard

ROOT = Path(__file__).parents[2]
"""Where the packages are: `python -m deploy.demo...` is run from here."""


class NotReady(Exception):
    """A child ended, or reported nothing in time; the message has the end of its log."""


def free_port(usual: int | None = None) -> int:
    """`usual` where nobody listens at it, else a free loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual or 0))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Ports:
    """Loopback ports that no other demo of this account takes, from before a server listens there until `close`.

    A server needs a moment to come up, so that nobody listens at a port says little: a lock file for each port does.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"dutybound-demo-{os.getuid()}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._held: list[IO[bytes]] = []

    def take(self, usual: int) -> int:
        """The port `usual` where it is free, else another."""
        port = free_port(usual)
        while not self._hold(port):
            port = free_port()
        return port

    def _hold(self, port: int) -> bool:
        held = (self._folder / f"{port}.lock").open("wb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            return False
        self._held.append(held)
        return True

    def close(self) -> None:
        """Release all of them."""
        for held in self._held:
            held.close()
        self._held.clear()


class Child:
    """One server process. `name` is for people; `log` has all it writes."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        guard: Guard,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.command, self.guard = name, list(command), guard
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._tidied = True

    @property
    def pid(self) -> int:
        """The process's id; 0 before `start`."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it, or start it again; its log begins anew."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
            )
        self.guard.watch(self._process.pid)
        self._tidied = False

    def ready(self, *, port: int | None = None, seconds: float = 60.0) -> None:
        """Wait for its `ready` line, or, with `port`, until it takes connections there; raises `NotReady`."""
        assert self._process is not None
        patience = time.monotonic() + seconds
        while not (_listening(port) if port else self._said_ready()):
            ended = self.ended()
            if ended is not None or time.monotonic() > patience:
                why = f"did not become ready within {seconds:.0f} s" if ended is None else f"ended with status {ended}"
                raise NotReady(f"{self.name} {why}; the end of {self.log}:\n{self._tail()}")
            time.sleep(0.02)

    def _said_ready(self) -> bool:
        return any(line.startswith("ready ") for line in self.log.read_text(errors="replace").splitlines())

    def _tail(self) -> str:
        return "\n".join(f"  {line}" for line in self.log.read_text(errors="replace").splitlines()[-15:])

    def kill(self) -> None:
        """Kill it at once, as an outage would, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.ended()

    def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        if self._process is None or self.ended() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.ended()

    def ended(self) -> int | None:
        """Its exit status, or `None` while it runs. Whoever asks first also ends what it left of its group."""
        status = self._process.poll() if self._process else None
        if self._process is not None and status is not None and not self._tidied:
            self._tidied = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self.guard.forget(self._process.pid)  # its number may soon be another's
        return status


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid: int) -> list[int]:
    """`pid` and every process below it, in order of their ids."""
    parents = dict(_parents())
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _parents() -> Iterator[tuple[int, int]]:
    if not Path("/proc/self/stat").exists():  # macOS
        table = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        for line in table.splitlines():
            child, parent = map(int, line.split())
            yield child, parent
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it ended meanwhile
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
