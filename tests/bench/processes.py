"""Child processes of the bench: pinned to cores, measured over their whole tree, always ended.

CPU is user and system time of every process of a tree, as /proc tells it, ended children that were waited for
included. Everything here is Linux's own; the bench runs nowhere else.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
ROOT = Path(__file__).resolve().parents[2]


class BenchError(Exception):
    """The bench cannot go on; the message says why and what to do."""


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            after = path.read_text().rpartition(")")[2].split()
            parents.setdefault(int(after[1]), []).append(int(path.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process and its descendants have used, ended children that were waited for included."""
    ticks = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            after = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, after[11:15]))
    return ticks / TICKS


_BESIDE = {b"gateway.ledger.projections.worker": "projector", b"gateway.recall.worker": "recalls"}
"""What the processes beside the workers do, by the module that each is called after."""


class Child:
    """One started process and its descendants; `log` has all that it wrote."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        cores: Sequence[int],
        env: dict[str, str] | None = None,
        piped: bool = False,
    ) -> None:
        self.name, self.log = command[0], log
        self.started = time.perf_counter()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", ",".join(map(str, cores)), *command],
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise where the process has ended by itself."""
        if (code := self.process.poll()) is not None:
            raise BenchError(f"a process ended with {code}: {self.process.args!r}\n{self.told()}")

    def told(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-3000:]

    def tree(self) -> list[int]:
        """The process ids of the process and its descendants."""
        return tree(self.process.pid)

    def cpu_ms(self) -> float:
        """Milliseconds of CPU that the tree has used."""
        return cpu_seconds(self.process.pid) * 1000

    def parts_ms(self) -> dict[str, float]:
        """Milliseconds of CPU by what the living processes of the project's gateway do."""
        found = dict.fromkeys(("workers", "projector", "recalls", "supervisor"), 0.0)
        for pid in self.tree():
            with contextlib.suppress(OSError):
                after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                found[self._part(pid)] += (int(after[11]) + int(after[12])) * 1000 / TICKS
        return found

    def rss_mb(self) -> dict[str, float]:
        """Resident megabytes (2**20 bytes) of the largest process of each part, and of all processes as `tree`."""
        found = dict.fromkeys(("workers", "projector", "recalls", "supervisor", "tree"), 0.0)
        for pid in self.tree():
            with contextlib.suppress(OSError):
                size = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
                part = self._part(pid)
                found[part] = max(found[part], size)
                found["tree"] += size
        return found

    def _part(self, pid: int) -> str:
        called = Path(f"/proc/{pid}/cmdline").read_bytes()
        part = "supervisor" if pid == self.process.pid else "workers"
        return next((part for module, part in _BESIDE.items() if module in called), part)

    def stop(self) -> None:
        """End the process and every other of its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.stdout:
            self.process.stdout.close()


@contextlib.contextmanager
def running(child: Child) -> Iterator[Child]:
    """The child, ended at the end whatever happens."""
    try:
        yield child
    finally:
        child.stop()


_STEPS = 50_000


class Others:
    """What else the machine does from now on: processes that are not the bench's own, and what the host takes away."""

    def __init__(self) -> None:
        self._begun, self._before = time.monotonic(), self._used()

    def cores(self) -> float:
        """So many cores had other work, on average. Interrupts are left out: the bench's own packets are among them."""
        return max(0.0, (self._used() - self._before) / (time.monotonic() - self._begun))

    @staticmethod
    def _used() -> float:
        user, nice, system, _, _, _, _, stolen = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
        return (user + nice + system + stolen) / TICKS - cpu_seconds(os.getpid())


@functools.cache
def _shuffled() -> list[int]:
    order = list(range(1 << 20))
    random.Random(1).shuffle(order)
    return order


def memory_ns() -> float:
    """Nanoseconds of CPU for one step through memory in an order that no cache guesses.

    What shares a virtual machine's host takes caches and memory away, and is in no count of processes. An inquiry costs
    twice as much then.
    """
    order, at, begun = _shuffled(), 0, time.thread_time()
    for _ in range(_STEPS):
        at = order[at]
    return (time.thread_time() - begun) / _STEPS * 1e9


class Cores:
    """Which cores do what: the gateway has one alone; what drives and feeds it has the others."""

    def __init__(self) -> None:
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            raise BenchError("the bench needs two cores: one for the gateway alone, one for load and departments")
        self.all = usable
        self.gateway = usable[:1]
        self.departments = usable[1:2]
        self.load = usable[2:3] or usable[1:2]


def start_departments(
    jwks: Path, folder: Path, cores: Sequence[int], groups: Sequence[str] = ()
) -> tuple[Child, dict[str, str]]:
    """The five departments and the issuer, and the base URL of each; they know these groups of subjects, or all."""
    command = [sys.executable, "-m", "tests.bench.departments", str(jwks), *groups]
    child = Child(command, folder / "departments.log", cores=cores, piped=True)
    assert child.process.stdout
    line = child.process.stdout.readline()
    if not line:
        child.stop()
        raise BenchError(f"the departments did not start:\n{child.told()}")
    return child, {name: f"http://127.0.0.1:{port}" for name, port in json.loads(line).items()}
