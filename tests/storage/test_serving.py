"""Gateways as processes: several on one store, several workers each, and stopped in order.

They ask the region's departments and take its tokens; their stores are their own.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.demo import client
from deploy.demo.guard import Guard
from deploy.demo.processes import Child, descendants
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.entry.registry import SERVING
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.store import open_store
from tests.journeys.asking import document
from tests.ports import free_port
from tests.services import Postgres
from tests.storage.conftest import kept_running
from tests.waiting import until

if TYPE_CHECKING:
    from tests.conftest import World

ASKED = document("LICENCE_RENEWAL", "organisation", "{ name businessLicences { number status } }")
NAMES = [str(number) for number in range(1, 10)]


@pytest.fixture(scope="session")
def durable(pytestconfig: pytest.Config) -> Postgres:
    return kept_running(pytestconfig, fsync="on")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: Postgres = request.getfixturevalue("durable")
    return server.url(server.database())


class Served:
    """A running `dutybound serve` beside the region's own gateway."""

    def __init__(self, world: World, guard: Guard, url: str, folder: Path, workers: int, drain: str = "50ms") -> None:
        self.port = free_port()
        self.told: Mapping[str, Any] = {**world.told, "gateway": f"http://127.0.0.1:{self.port}"}
        place = world.region.place
        text = re.sub("(?m)^listen: .*$", f"listen: 127.0.0.1:{self.port}", place.config.read_text())
        text = re.sub("(?m)^manage: .*\n", "", text)
        text = re.sub("(?m)^rules: .*$", "rules: files", text)  # nobody activated anything in another store
        text = re.sub("(?m)^store: .*$", f"store: {url}\ndurability: single-node\ndrain: {drain}", text)
        heads = re.sub("[^a-z0-9]", "-", url.rpartition("/")[2])  # another store has another memory outside it
        text = text.replace("key_file: ledger.key", f"key_file: ledger.key, head_file: {folder / heads}.json")
        config = place.run / f"gateway-{self.port}.yaml"  # beside the files that it names
        config.write_text(text)
        self.child = Child(
            f"gateway-{self.port}",
            [sys.executable, "-m", "gateway.cli", "serve", "--config", str(config), "--workers", str(workers)],
            folder,
            guard,
        )
        self.child.start()
        self.child.ready(port=self.port)
        until("the gateway to be ready", lambda: self.status() == 200)

    def status(self) -> int:
        """What `/health/ready` says; 0 where nobody listens."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.told['gateway']}/health/ready").status_code
        return 0

    def workers(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in descendants(self.child.pid) if pid != self.child.pid and not beside(pid)]

    def ask(self, token: str, subject: Mapping[str, str]) -> client.Reply:
        return client.ask(self.told, token, ASKED, {"id": dict(subject)})


def beside(pid: int) -> bool:
    """Whether a process is one of those beside the workers, which serve nobody."""
    return any(each in command(pid) for each in (b"projections.worker", b"recall.worker", b"activation.making"))


def command(pid: int) -> bytes:
    """How a process was called, or calls itself; nothing of one that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def connections(port: int) -> int:
    """How many clients are connected to a loopback port, as Linux tells."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.fixture
def serve(world: World, url: str, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    guard, made = Guard(), []

    def start(workers: int = 1, **settings: str) -> Served:
        made.append(Served(world, guard, url, tmp_path, workers, **settings))
        return made[-1]

    yield start
    for each in made:
        each.child.stop()
    guard.close()


def check(world: World, url: str, replies: list[client.Reply]) -> int:
    """Every answer has its entry, every receipt verifies, the store is whole; how many processes served."""
    private = key_files.load(world.region.place.run / "ledger.key")
    verifiers = key_files.verifiers(private, world.region.origin, NAMES)
    store = open_store(url)
    try:
        shards = verify_store(store, verifiers)
        with contextlib.closing(store.reader()) as reader:
            stored = {
                (head.origin, each.index): each.leaf
                for head in read.heads(reader)
                for each in read.read_entries(reader, head.id, 0, head.size)
            }
    finally:
        store.close()
    for reply in replies:
        assert (reply.status, reply.errors) == (200, [])
        proved = verify_receipt(reply.inquiry["receipt"], verifiers)
        assert stored[proved.origin, proved.index] == proved.leaf
    assert sum(shard.size for shard in shards) >= len(replies)
    return sum(shard.origin.rpartition("/")[2] in SERVING for shard in shards)


@pytest.mark.long_cases("sqlite")
def test_gateways_and_their_workers_share_a_store_each_with_a_shard_of_its_own(
    world: World, url: str, serve: Callable[..., Served]
) -> None:
    # One gateway alone has a SQLite store (`tests/manage/test_supervisor.py`); any number are on PostgreSQL.
    both = [serve(workers=2), serve(workers=2)] if url.startswith("postgresql") else [serve(workers=4)]
    token, subject = world.token("environment-agency", "e.lind"), world.subject("ordinary")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: both[n % len(both)].ask(token, subject), range(80)))
    assert check(world, url, replies) == 4
    for each in both:
        os.kill(each.child.pid, signal.SIGTERM)
    until("both to end", lambda: all(each.child.ended() == 0 for each in both))
    again = serve()
    assert check(world, url, [*replies, again.ask(token, subject)]) == 4, "a shard that was released is taken again"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # a stop is the same on either
def test_a_stop_says_so_first_and_answers_what_it_has(world: World, url: str, serve: Callable[..., Served]) -> None:
    served = serve(drain="1s")  # long enough to be asked on a busy machine, too short for a department to be late
    token, subject = world.token("environment-agency", "e.lind"), world.subject("ordinary")
    before = [served.ask(token, subject)]
    market = world.told["departments"]["market"]["pid"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        os.kill(market, signal.SIGSTOP)
        try:
            waiting = [pool.submit(served.ask, token, subject) for _ in range(3)]
            # They are on their way; a department that stands still tells nobody.
            until("them to be connected", lambda: connections(served.port) >= len(waiting))
            os.kill(served.child.pid, signal.SIGTERM)
            until("it to say that it will stop", lambda: served.status() == 503)
            during = pool.submit(served.ask, token, subject)  # it says that it will stop, and still takes them
            until("it to stop listening", lambda: served.status() == 0)
            assert served.child.ended() is None, "it waits for those who wait"
        finally:
            os.kill(market, signal.SIGCONT)
        replies = [*before, during.result(), *(each.result() for each in waiting)]
    until("it to end", lambda: served.child.ended() is not None)
    assert served.child.ended() == 0
    check(world, url, replies)
    served.child.start()  # and one that still starts need not be killed
    until("a worker that starts", lambda: any(b" worker-1" in command(each) for each in descendants(served.child.pid)))
    os.kill(served.child.pid, signal.SIGTERM)
    until("it to end", lambda: served.child.ended() is not None)
    assert (served.child.ended(), "did not stop" in served.child.log.read_text()) == (0, False)
