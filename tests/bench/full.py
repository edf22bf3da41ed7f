"""Where one PostgreSQL is full: what an inquiry costs its primary and its synchronous standby.

    python -m tests.bench.full [--entries 20000] [--inquiries 2000]

enters so many inquiries through a ledger, 256 at once, and projects them; then has a gateway of two workers answer
inquiries of eight clients, who are rarely entered together. Prints a line of JSON for each: CPU microseconds an
inquiry of all processes of either server (`primary_us`, `standby_us`), and `per_s`, the inquiries in a second that keep
one core of the primary busy. CPU hardly depends on what else runs on the machine; the network and the disks are apart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

import msgspec

from deploy.demo.processes import descendants
from gateway.config import settings
from gateway.ledger.projections.projector import Projector
from gateway.storage.store import open_configured
from tests.bench import data, world
from tests.bench.processes import TICKS
from tests.faults import start
from tests.faults.loaded import loaded
from tests.ports import free_port
from tests.services import Postgres, replicated


class Full(msgspec.Struct):
    """What was measured, as it is printed; `how` is `together` or `alone`."""

    how: str
    entries: int
    primary_us: int
    standby_us: int
    per_s: int


class Meter:
    """What both servers used of the CPU since it was made."""

    def __init__(self, primary: Postgres, standby: Postgres) -> None:
        self._servers = primary, standby
        self._before = self._used()

    def read(self, how: str, entries: int) -> Full:
        primary, standby = (
            max(1, round((now - before) / entries)) for now, before in zip(self._used(), self._before, strict=True)
        )
        return Full(how, entries, primary, standby, 1_000_000 // primary)

    def _used(self) -> list[float]:
        return [_cpu_us(server) for server in self._servers]


def _cpu_us(server: Postgres) -> float:
    """Microseconds of CPU of a server's processes, those that ended included."""
    ticks = 0
    for pid in descendants(server.pid):
        with contextlib.suppress(OSError):
            after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, after[11:15]))
    return ticks * 1_000_000 / TICKS


def together(folder: Path, entries: int) -> Full:
    """Enter and project so many inquiries."""
    with replicated(fsync="on") as (primary, standby):
        departments = dict.fromkeys(data.DEPARTMENTS, "http://127.0.0.1:9")
        placed = {"store": primary.url(primary.database())}
        config = world.write(folder, departments, start.ISSUER, free_port(), **placed)
        open_configured(settings.load(config, {})).close()
        meter = Meter(primary, standby)
        asyncio.run(start.fill(config, entries))
        store = open_configured(settings.load(config, {}))
        with contextlib.closing(store), contextlib.closing(Projector(store)) as projector:
            while projector.turn():
                pass
        return meter.read("together", entries)


def alone(folder: Path, inquiries: int) -> Full:
    """Have a gateway answer so many inquiries."""
    with (
        replicated(fsync="on") as (primary, standby),
        loaded(folder, 1, primary.url(primary.database()), durability="replicated") as scene,
    ):
        scene.clients.take()
        meter = Meter(primary, standby)
        scene.wait_for("inquiries to be answered", lambda: len(scene.clients.replies) >= inquiries)
        found = meter.read("alone", len(scene.clients.replies))
        scene.clients.stop()
        return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.full", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=20_000, metavar="N", help="entered together (default: 20,000)")
    parser.add_argument("--inquiries", type=int, default=2_000, metavar="N", help="answered (default: 2,000)")
    asked = parser.parse_args(arguments)
    for measure, many in ((together, asked.entries), (alone, asked.inquiries)):
        with tempfile.TemporaryDirectory(prefix="dutybound-full-") as folder:
            print(msgspec.json.encode(measure(Path(folder), many)).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
