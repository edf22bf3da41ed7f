"""Gateways of two workers under bounded load, and their store held against what their clients got.

Real are the processes, the network (loopback), the tokens and the store; the departments are the bench's. `Clients`
keep every whole answer; `Loaded.check` holds each against the store by plain SQL, verifies its receipt as anybody could
offline, and runs `dutybound ledger verify`. At the end every checkpoint that a client ever got must be one of the trees
that the entries grow through: a log that was forked, or went back, cannot pass.

What is done to the gateway meanwhile is for others (`kill`, `store_restart`). A wait has a bound, and ends in words.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway import cli
from gateway.errors import ConfigurationError, StoreUnavailable, VerificationFailed
from gateway.ledger.commands.receipt_files import check_presented
from gateway.ledger.entry.receipt import read_file
from gateway.ledger.proof import key_files
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.storage.store import open_to_read
from gateway.storage.tables import SHARD_BITS
from tests.bench import world
from tests.bench.processes import BenchError, Child, Cores, running, start_departments
from tests.faults.balancer import Balancer, Gateways
from tests.faults.clients import GROUP, Clients, Reply
from tests.ports import free_port
from tests.waiting import until

WORKERS = 2
LATER = {"LEDGER_UNAVAILABLE", "DECISION_UNAVAILABLE"}
"""Codes that, with status 503, have a client ask again later."""
UNREADABLE = (ConfigurationError, StoreUnavailable, SQLAlchemyError)  # what a store is while it is made or away


class FaultError(Exception):
    """The gateway did not come back, or the run cannot go on; the message says what was waited for."""


class Counts(msgspec.Struct):
    """What one run found, as it is printed. `unclear` replies have no answer, and no error that has one ask again."""

    kills: int = 0
    answers: int = 0
    answers_without_entry: int = 0
    receipts_failed: int = 0
    trees_inconsistent: int = 0
    unclear: int = 0

    @property
    def sound(self) -> bool:
        wrong = self.answers_without_entry + self.receipts_failed + self.trees_inconsistent
        return not wrong and not self.unclear


class Held(NamedTuple):
    """What an answer's receipt proves."""

    leaf: bytes
    size: int
    root: bytes


class Row(NamedTuple):
    """A shard as it is stored."""

    id: int
    epoch: int
    size: int


class _Error(msgspec.Struct):
    extensions: dict[str, Any] = {}


class _Body(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Error] = []


class Loaded:
    """The gateways, their clients, and what they hold. `replied` counts statuses and error codes of all replies,
    `failed` those without an answer.
    """

    def __init__(self, gateways: Gateways, clients: Clients, config: Path, url: str) -> None:
        self.gateways, self.clients, self.counts = gateways, clients, Counts()
        self.replied: Counter[str] = Counter()
        self.failed = 0
        self._config = config
        self._store = open_to_read(url)
        private = key_files.load(config.with_name("ledger.key"))
        self._verifiers = key_files.verifiers(private, "bench.example/ledger", map(str, range(1, 65)))
        self._held: dict[tuple[str, int], Held] = {}
        self._lost: set[tuple[str, int]] = set()

    @property
    def gateway(self) -> Child:
        """The first, which most runs have alone."""
        return self.gateways.children[0]

    def workers(self) -> list[int]:
        """The process ids of the workers that run now."""
        return self.gateways.workers()

    def shards(self) -> dict[str, Row]:
        """The shards of processes (`1`, `2`, ...); empty where the store cannot be read now."""
        try:
            return self._rows()
        except UNREADABLE:
            return {}

    def _rows(self) -> dict[str, Row]:
        with self._store.engine.connect() as connection:
            rows = connection.execute(text("SELECT name, id, epoch, size FROM shard")).all()
        return {name: Row(id_, epoch, size) for name, id_, epoch, size in rows if name.isdecimal()}

    def wait_for(self, what: str, reached: Callable[[], bool]) -> None:
        """Wait for something that must come by itself."""

        def now() -> bool:
            self.gateways.check()
            return reached()

        try:
            with self.clients.slower():
                until(what, now)
        except AssertionError as error:
            raise FaultError(f"{error}; {self.shards()}\n{self.gateways.told()}") from error

    def until_all_enter(self) -> None:
        """Wait until each worker has entered more into its shard than is there, and there is a shard a worker."""
        since = self.shards()

        def entered() -> bool:
            now = self.shards()
            more = [row.size > (since[name].size if name in since else 0) for name, row in now.items()]
            return len(more) == WORKERS * len(self.gateways.children) and all(more)

        self.wait_for("an entry of each worker in a shard of its own", entered)

    def check(self) -> None:
        """Hold what came since the last call against the store, and verify the store as it is now.

        The clients rest meanwhile: verifying takes longer as the log grows, and need not make it grow.
        """
        with self.clients.at_rest():
            self._check()

    def _check(self) -> None:
        fresh: dict[tuple[str, int], Held] = {}
        for reply in self.clients.take():
            self._read(reply, fresh)
        self._entered(fresh)
        self._held |= fresh
        self._verify()

    def finish(self) -> Counts:
        """Once nobody asks any more: every answer of the whole run again, and every checkpoint that came with one."""
        self.check()
        self._entered(self._held)
        for name, row in self._rows().items():
            signed = {(held.size, held.root) for (shard, _), held in self._held.items() if shard == name}
            grown = self._roots(row, {size for size, _ in signed})
            self.counts.trees_inconsistent += sum(grown.get(size) != root for size, root in signed)
        if not self.counts.answers:
            raise FaultError(f"nobody was answered: {dict(self.replied)}")
        self._store.close()
        return self.counts

    def _read(self, reply: Reply, fresh: dict[tuple[str, int], Held]) -> None:
        """Count a reply; its receipt, if it has one, must verify, and every answer must have one."""
        said = msgspec.json.decode(reply.content, type=_Body)
        answered = bytes(said.data) != b"null"
        self.counts.answers += answered
        self.failed += not answered
        self.replied.update([str(reply.status), *(str(error.extensions.get("code")) for error in said.errors)])
        asking_again = reply.status == 503 and said.errors and {error.extensions.get("code") for error in said.errors}
        if not answered and not (asking_again and asking_again <= LATER):
            self.counts.unclear += 1
            print(f"an unclear reply, of status {reply.status}: {reply.content[:1000]!r}", file=sys.stderr)
        if reply.store_away or b'"receipt":' not in reply.content:
            self.counts.answers_without_entry += answered
            return
        try:
            proved, _ = check_presented(read_file(reply.content), self._verifiers)
        except VerificationFailed as error:
            print(f"a receipt does not verify: {error}", file=sys.stderr)
            self.counts.receipts_failed += 1
            return
        place = (proved.shard, proved.index)
        if place in fresh or place in self._held:  # two answers for one entry: one of them has none
            self.counts.answers_without_entry += 1
            return
        fresh[place] = Held(proved.leaf, proved.size, proved.root)

    def _entered(self, held: dict[tuple[str, int], Held]) -> None:
        shards = self._rows()
        for name in {shard for shard, _ in held}:
            mine = {index: one.leaf for (shard, index), one in held.items() if shard == name}
            stored = self._leaves(shards[name].id, min(mine), max(mine) + 1) if name in shards else {}
            lost = {(name, index) for index, leaf in mine.items() if stored.get(index) != leaf} - self._lost
            self._lost |= lost
            self.counts.answers_without_entry += len(lost)
            if lost:
                print(f"answered, and not entered: {sorted(lost)[:10]}", file=sys.stderr)

    def _leaves(self, shard: int, first: int, last: int) -> dict[int, bytes]:
        base = shard << SHARD_BITS
        query = text("SELECT id, leaf FROM entry WHERE id >= :first AND id < :last ORDER BY id")
        with self._store.engine.connect() as connection:
            rows = connection.execute(query, {"first": base + first, "last": base + last})
            return {id_ - base: bytes(leaf) for id_, leaf in rows}

    def _roots(self, shard: Row, sizes: set[int]) -> dict[int, bytes]:
        """The root of the tree of the first `size` entries, for each of the sizes that the shard reached."""
        tree, roots = Tree(), {}
        for leaf in self._leaves(shard.id, 0, shard.size).values():
            tree = tree.grow([leaf_hash(leaf)]).tree
            if tree.size in sizes:
                roots[tree.size] = tree.root
        return roots

    def _verify(self) -> None:
        """Run `dutybound ledger verify` as each gateway remembers what was published.

        In this process: one of its own would first import all of it, each time.
        """
        for environ in self.gateways.environs:
            said = io.StringIO()
            with (
                mock.patch.dict(os.environ, environ),
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(said),
            ):
                status = cli.main(["ledger", "verify", "--config", str(self._config)])
            if status:
                print(f"ledger verify: {said.getvalue().strip()}", file=sys.stderr)
                self.counts.trees_inconsistent += 1


@contextlib.contextmanager
def loaded(
    folder: Path,
    seed: int,
    postgresql: str | None = None,
    *,
    gateways: int = 1,
    adjust: Callable[[Path], None] = lambda config: None,
    **settings: Any,
) -> Iterator[Loaded]:
    """So many gateways under load, each worker with entries in its shard; on SQLite, or on the PostgreSQL store at the
    URL. `settings` are keys of gateway.yaml that are otherwise; `adjust` may change what stands beside that file.
    """
    cores, issuer, ports = Cores(), world.Issuer(folder), [free_port() for _ in range(gateways)]
    if postgresql:
        settings = {"store": postgresql, "durability": "single-node", **settings}
    with contextlib.ExitStack() as stack:
        departments, urls = start_departments(issuer.jwks, folder, cores.all, [GROUP.name])
        stack.enter_context(running(departments))
        config = world.write(folder, urls, urls["issuer"], ports[0], **settings)
        adjust(config)
        serving = Gateways(config, ports, WORKERS)
        stack.callback(serving.stop)
        serving.start_all()
        at = Balancer(ports).port if gateways > 1 else lambda: ports[0]
        clients = Clients(folder, at, issuer, urls["issuer"], seed)
        clients.start()
        stack.callback(clients.stop)
        url = postgresql or f"sqlite:///{folder / 'ledger.db'}"

        def opened() -> Loaded:
            serving.check()
            return Loaded(serving, clients, config, url)

        try:
            made = until("the tables to be made", opened, despite=UNREADABLE)
        except AssertionError as error:
            raise FaultError(f"{error}\n{serving.told()}") from error
        made.until_all_enter()
        yield made


def report(run: Callable[[Path, int], Counts], seed: int | None) -> int:
    """Run it in a folder of its own, print its counts as a line of JSON; the exit status: 0 where all is sound."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    seed = random.randrange(1 << 32) if seed is None else seed
    print(f"seed {seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="dutybound-faults-") as folder:
        try:
            counts = run(Path(folder), seed)
        except (FaultError, BenchError) as error:
            print(error, file=sys.stderr)
            return 1
    print(msgspec.json.encode(counts).decode())
    return 0 if counts.sound else 1
