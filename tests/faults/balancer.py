"""Gateways beside each other on one store, and a load balancer as their clients see it.

Each question goes to a gateway that reported, right before, that it may be asked. Where none is ready, the next one in
turn is asked all the same, as many balancers do: a gateway that cannot answer has to refuse by itself. One that nobody
listens at any more is asked nothing.
"""

from __future__ import annotations

import http.client
import itertools
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.bench.processes import Child, Cores
from tests.waiting import PATIENCE

DUTYBOUND = str(Path(sys.executable).with_name("dutybound"))


def readiness(port: int, patience: float = 5.0) -> int:
    """The status of `/health/ready`; 0 where nobody listens or nothing came within `patience` seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Balancer:
    """Spreads questions over gateways, in turn."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self._turns, self._lock = itertools.count(), threading.Lock()

    def port(self) -> int:
        """Where the next question goes."""
        with self._lock:
            first = next(self._turns) % len(self.ports)
        order = self.ports[first:] + self.ports[:first]
        said = {}
        for port in order:
            if (status := readiness(port)) == 200:
                return port
            said[port] = status
        return next((port for port in order if said[port]), order[0])


class Gateways:
    """Gateways of one configuration, a port each. Each remembers in a head file of its own what it published.

    `environs` is what each has in its environment; `children` their processes.
    """

    def __init__(self, config: Path, ports: Sequence[int], workers: int) -> None:
        self.ports, self._config, self._workers = list(ports), config, workers
        self.environs = [
            {"DUTYBOUND_LISTEN": f"127.0.0.1:{port}", "DUTYBOUND_LEDGER__HEAD_FILE": str(config.with_name(name))}
            for port, name in ((port, f"heads-{number}.json") for number, port in enumerate(ports, 1))
        ]
        self.children: list[Child] = []

    def start_all(self) -> None:
        self.children = [self._started(number) for number in range(len(self.ports))]

    def start(self, number: int) -> None:
        """Start one that was drained."""
        self.children[number] = self._started(number)

    def _started(self, number: int) -> Child:
        command = [DUTYBOUND, "serve", "--config", str(self._config), "--workers", str(self._workers)]
        log = self._config.with_name(f"gateway-{number + 1}.log")
        return Child(command, log, cores=Cores().all, env=self.environs[number])

    def drain(self, number: int) -> None:
        """Have one stop as a supervisor does it; back once it ended."""
        process = self.children[number].process
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)

    def workers(self) -> list[int]:
        """The process ids of all workers that run now."""
        found = []
        for main in (child.process.pid for child in self.children):
            children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
            found += [int(pid) for pid in children if _runs(pid)]
        return found

    def check(self) -> None:
        """Raise where one has ended by itself."""
        for child in self.children:
            child.check()

    def told(self) -> str:
        """The ends of what they wrote."""
        return "\n".join(child.told() for child in self.children)

    def stop(self) -> None:
        for child in self.children:
            child.stop()


def _runs(pid: str) -> bool:
    """Whether a child runs, and serves."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    if any(each in command for each in (b"gateway.ledger.projections.worker", b"gateway.recall.worker")):
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] != "Z"
