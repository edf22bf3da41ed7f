"""The projector under the bench's full load: how far behind it falls.

    python -m tests.faults.lag --minutes 10

prints one line of JSON and exits with 1 where it was ever 5,000 entries behind. The gateway, its projector with it, has
one core alone, and 32 connections ask without a pause; departments and load have the other core.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from gateway.ledger.projections import positions
from gateway.storage.port import Store
from gateway.storage.store import open_to_read
from tests.bench import gateways, journey, load, world
from tests.bench.processes import TICKS, BenchError, Cores, running, start_departments
from tests.ports import free_port
from tests.waiting import until

MOST = 5_000
"""So many entries behind, at most."""

CONNECTIONS = 32
LEAVES = "200"
_LOOK = 0.5


class Lag(msgspec.Struct):
    """What one run found, as it is printed. `cpu_us` is what the projector's process used for each entry."""

    seconds: float = 0.0
    entries: int = 0
    served_per_s: float = 0.0
    projected_per_s: float = 0.0
    greatest: int = 0
    last: int = 0
    cpu_us: float = 0.0

    @property
    def sound(self) -> bool:
        return self.entries > 0 and self.greatest < MOST


def behind(store: Store) -> tuple[int, int]:
    """How many entries the projection that is furthest behind does not have, and how many there are."""
    with contextlib.closing(store.reader()) as reader:
        lags: dict[str, int] = {}
        for each in positions.lags(reader):
            lags[each.projection] = lags.get(each.projection, 0) + each.entries
        return max(lags.values(), default=0), sum(positions.covered(reader, "looked").sizes.values())


def _some(store: Store, before: int) -> tuple[int, int] | None:
    """The same, once something of what came since is projected."""
    last, size = behind(store)
    return (last, size) if last < size - before else None


def projector(processes: list[int]) -> int | None:
    """Which of these processes projects."""
    for pid in processes:
        with contextlib.suppress(OSError):
            if b"gateway.ledger.projections.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after[11:13])) / TICKS


def run(folder: Path, seconds: float) -> Lag:
    """Load a gateway for so long, and look twice a second; raises `BenchError` where the load was not answered."""
    load.require_wrk()
    issuer, cores = world.Issuer(folder), Cores()
    with contextlib.ExitStack() as stack:
        departments, urls = start_departments(issuer.jwks, folder, cores.departments)
        stack.enter_context(running(departments))
        scene, port = journey.Scene(folder, cores, urls, issuer), free_port()
        config = world.write(folder / "own", scene.departments, scene.issuer_url, port)
        ask = scene.inquiry(LEAVES)
        gateway = gateways.dutybound(config, port, cores)
        stack.enter_context(running(gateway.child))
        gateway.await_answer(*journey.first(ask))
        store = open_to_read(f"sqlite:///{config.with_name('ledger.db')}")
        stack.callback(store.close)
        pid = until("a projector", lambda: projector(gateway.child.tree()))
        until("it to have begun", lambda: behind(store)[0] == 0)
        return _loaded(scene, gateway, ask, store, pid, seconds)


def _loaded(
    scene: journey.Scene, gateway: gateways.Gateway, ask: journey.Ask, store: Store, pid: int, seconds: float
) -> Lag:
    failed: list[BenchError] = []

    def work() -> None:
        try:
            load.run(
                ask.load, gateway.url, [gateway.child], connections=CONNECTIONS, seconds=seconds, cores=scene.cores.load
            )
        except BenchError as problem:
            failed.append(problem)

    (_, before), used, begun, found = behind(store), cpu(pid), time.monotonic(), Lag()
    loading = threading.Thread(target=work)
    loading.start()
    while loading.is_alive():
        loading.join(_LOOK)
        found.last, size = behind(store)
        found.greatest = max(found.greatest, found.last)
    if failed:
        raise failed[0]
    took = time.monotonic() - begun
    found.last, size = until("something to be projected", lambda: _some(store, before))
    found.seconds, found.entries = round(took, 1), size - before
    found.served_per_s = round(found.entries / took, 1)
    done = found.entries - found.last
    found.projected_per_s = round(done / took, 1)
    found.cpu_us = round((cpu(pid) - used) / max(1, done) * 1e6, 1)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.lag", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long (default: 10)")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-lag-") as folder:
        try:
            found = run(Path(folder), asked.minutes * 60)
        except BenchError as error:
            print(error, file=sys.stderr)
            return 1
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
