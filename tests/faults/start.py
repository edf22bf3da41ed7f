"""How long a start takes where many inquiries were entered today.

    python -m tests.faults.start --entries 1000000 [--postgresql]

enters so many inquiries of today, each about another subject, through the ledger as a gateway does, lets the projector
take them but for the last few, starts the gateway, and prints one line of JSON: seconds from its start until it is
ready. It exits with 1 where that is over 3 s. On a store of a million it takes minutes to enter them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import http.client
import signal
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from gateway.clock import machines
from gateway.config import settings
from gateway.inquiry.counting.counts import Counted
from gateway.ledger.log.build import ledger_of
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.storage.projections import projecting as kept
from gateway.storage.store import open_configured
from tests.bench import data, gateways, world
from tests.bench.processes import BenchError, Cores, running
from tests.ports import free_port
from tests.services import postgres
from tests.storage.counting import enter

ISSUER = "http://127.0.0.1:9/issuer"
MOST_S = 3.0
LEFT = 1_000
"""Entries that are not projected when the gateway starts."""
_GROUP = 256
_OFFICIALS = 50
_LONGEST_S = 600.0


class Start(msgspec.Struct):
    """What one run found, as it is printed."""

    store: str
    entries: int
    unprojected: int
    ready_s: float

    @property
    def sound(self) -> bool:
        return self.ready_s <= MOST_S


async def fill(config: Path, entries: int) -> None:
    """Enter inquiries of today, of one requester for one purpose, and project all but `LEFT` of them."""
    found = settings.load(config, {})
    store = open_configured(found)
    kept.unhurried(store.engine)
    kept.count_for(store.engine, 32)
    ledger = ledger_of(store, found.ledger, key_files.load(found.ledger.key_file), machines)
    await ledger.start()
    projector = Projector(store)
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    gap = datetime.timedelta(hours=1) / max(1, entries)
    group = 0
    try:
        for first in range(0, entries, _GROUP):
            numbers = range(first, min(entries, first + _GROUP))
            asked = [
                Counted(
                    *(ISSUER, world.client(0), world.PURPOSE, (("LEI", f"{number:020d}"),)),
                    *("C-1", None, begin + number * gap),
                    *(f"o-{number % _OFFICIALS}", f"{number:032x}"),
                )
                for number in numbers
            ]
            await asyncio.gather(*(enter(ledger, each) for each in asked))
            group += 1
            if group % 4 == 0 and first < entries - LEFT - 2 * _GROUP:
                while projector.turn():
                    pass
    finally:
        projector.close()
        await ledger.close()
        store.close()


def ready(port: int) -> bool:
    """Whether a gateway says that it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start(config: Path, port: int) -> float:
    """Seconds from starting a gateway until it is ready."""
    gateway = gateways.dutybound(config, port, Cores())
    with running(gateway.child):
        while not ready(port):
            gateway.child.check()
            if (waited := time.perf_counter() - gateway.child.started) > _LONGEST_S:
                raise BenchError(f"it was not ready after {waited:.0f} s\n{gateway.child.told()}")
            time.sleep(0.01)
        return time.perf_counter() - gateway.child.started


def run(folder: Path, entries: int, *, on_postgresql: bool = False) -> Start:
    """Fill a store, start on it, and say how long that took."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        placed = {}
        if on_postgresql:
            server = stack.enter_context(postgres())
            placed = {"store": server.url(server.database()), "durability": "single-node"}
        departments = dict.fromkeys(data.DEPARTMENTS, "http://127.0.0.1:9")
        config = world.write(folder / "own", departments, ISSUER, port, **placed)
        asyncio.run(fill(config, entries))
        took = start(config, port)
    return Start("postgresql" if on_postgresql else "sqlite", entries, min(entries, LEFT), round(took, 2))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.start", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000, metavar="N", help="how many (default: 1,000,000)")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL; else on SQLite")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="dutybound-start-") as folder:
        try:
            found = run(Path(folder), asked.entries, on_postgresql=asked.postgresql)
        except BenchError as error:
            print(error, file=sys.stderr)
            return 1
    print(msgspec.json.encode(found).decode())
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
