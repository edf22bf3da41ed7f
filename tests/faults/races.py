"""Changes of facts against disclosures that are on their way, on two replicas over one PostgreSQL, as fast as they go.

    python -m tests.faults.races --minutes 3

In each round two replicas, each with a store, a ledger and a projector of its own in a thread of its own, read facts,
wait a moment and enter what they disclose from them; two writers change facts meanwhile; somebody asks for each change
who received what it concerns, as soon as the projector has passed it; and one replica is closed, and another takes its
shard over. Prints one line of JSON, and exits with 1 where a disclosure from facts older than a change was found
neither then nor as one that raced it (Art. 47), where one was found that was none, where an entry is lost or the
projections say other than a scan of the entries, or where nothing raced at all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from connectors.base import Subject
from gateway.ledger.projections import positions
from gateway.ledger.projections.positions import Place
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import raced, recipients, sizes
from gateway.ledger.projections.worker import run as project
from gateway.storage.port import Store
from gateway.storage.store import open_store
from gateway.storage.subjects import facts
from gateway.telemetry.log import Log
from tests.ledger.projecting import DATASETS, SUBJECTS, Asked, check, enter, scan
from tests.ledger.support import AT, opened
from tests.services import Postgres, postgres

ROUND = 6.0
"""Seconds."""
INQUIRERS = 3
"""Of each replica."""
PAUSE = 0.03
"""Seconds between two steps of anybody, at most, as a rule."""
LONG = 0.6
"""Seconds from an inquiry's facts to its entry, at most: so long one is on its way while a change is looked into."""
RECORDS = 4


class Found(msgspec.Struct):
    """What a run found, as it is printed."""

    rounds: int = 0
    disclosures: int = 0
    changes: int = 0
    raced: int = 0
    taken_over: int = 0
    missed: int = 0
    made_up: int = 0
    lost: int = 0
    projected_wrong: int = 0
    failed: int = 0

    @property
    def sound(self) -> bool:
        wrong = self.missed + self.made_up + self.lost + self.projected_wrong + self.failed
        return self.rounds > 0 and self.raced > 0 and not wrong


class Disclosed(NamedTuple):
    """What was entered: from which facts, about whom, which record."""

    place: Place
    facts: int
    subject: int
    record: int


class Changed(NamedTuple):
    """A change, and the sizes of the shards after its commit; without a record it concerns all of them."""

    number: int
    subject: int
    record: int | None
    sizes: dict[int, int]

    def concerns(self, each: Disclosed) -> bool:
        return each.subject == self.subject and self.record in (None, each.record) and each.facts < self.number


def name(subject: int, record: int) -> str:
    return f"R-{SUBJECTS[subject][1][-1]}-{record}"


class Round:
    """One database, and what happens in it; lists are added to by one thread each, or under the lock of Python."""

    def __init__(self, url: str, seed: int, found: Found) -> None:
        self._url, self._seed, self.found = url, seed, found
        self._over, self._asked = threading.Event(), threading.Event()
        self.disclosed: list[Disclosed] = []
        self.changes: list[Changed] = []
        self.received: dict[int, set[Place]] = {}
        self.failures: list[BaseException] = []

    @contextlib.contextmanager
    def _store(self) -> Iterator[Store]:
        with contextlib.closing(open_store(self._url)) as store:
            yield store

    def run(self, seconds: float) -> None:
        """All of it for so long; then `found` has what came of it."""
        replicas = [threading.Thread(target=self._guarded, args=(self._replica, n)) for n in range(2)]
        writers = [threading.Thread(target=self._guarded, args=(self._write, n)) for n in range(2)]
        looker = threading.Thread(target=self._guarded, args=(self._look_on, 0))
        for thread in (*replicas, *writers, looker):
            thread.start()
        self._over.wait(seconds)
        self._over.set()
        for thread in (*replicas, *writers, looker):
            thread.join()
        self._judge()

    def _guarded(self, work: object, number: int) -> None:
        try:
            work(number)  # type: ignore[operator]  # one of the methods here
        except Exception as error:
            self.failures.append(error)
            self._over.set()

    def _replica(self, number: int) -> None:
        asyncio.run(self._serve(number))

    async def _serve(self, number: int) -> None:
        chance = random.Random(f"{self._seed} replica {number}")
        with self._store() as store, self._store() as own:
            stopping = asyncio.Event()
            projecting = asyncio.create_task(project(own, Log(io.StringIO()), stopping, rest=0.1))
            try:
                while not self._over.is_set():
                    # The first one is closed now and then, and another takes its shard over.
                    lasts = chance.uniform(0.5, 2.0) if number == 0 else ROUND * 10
                    async with opened(store) as ledger, asyncio.TaskGroup() as group:
                        end = time.monotonic() + lasts
                        for _ in range(INQUIRERS):
                            group.create_task(self._inquire(store, ledger, chance, end))
                    self.found.taken_over += not self._over.is_set()
            finally:
                stopping.set()
                await projecting

    async def _inquire(self, store: Store, ledger: object, chance: random.Random, end: float) -> None:
        with contextlib.closing(store.facts()) as source:
            while not self._over.is_set() and time.monotonic() < end:
                subject, record = chance.randrange(len(SUBJECTS)), chance.randrange(RECORDS)
                rows = source.read([SUBJECTS[subject]])
                known = (await rows if isinstance(rows, asyncio.Future) else rows)[0].change
                await asyncio.sleep(chance.uniform(0, LONG if chance.random() < 0.3 else PAUSE))
                asked = Asked(subjects=(subject,), records=((record, 1),), facts=known)
                place = await enter(ledger, asked, len(self.disclosed))  # type: ignore[arg-type]  # a Ledger
                self.disclosed.append(Disclosed(place, known, subject, record))

    def _write(self, number: int) -> None:
        chance = random.Random(f"{self._seed} writer {number}")
        with self._store() as store:
            while not self._over.wait(chance.uniform(0, 4 * PAUSE)):
                subject, record = chance.randrange(len(SUBJECTS)), chance.randrange(RECORDS)
                who = Subject("organisation", *SUBJECTS[subject])
                if chance.random() < 0.3:
                    opted = facts.set_opt_out(store.engine, who, DATASETS[0], chance.random() < 0.5, AT)
                    if opted is None:
                        continue
                    change, concerned = opted.change, None
                else:
                    change = facts.withdraw(store.engine, who, DATASETS[0], name(subject, record), AT).change
                    concerned = record
                with contextlib.closing(store.reader()) as reader:
                    self.changes.append(Changed(change, subject, concerned, sizes(reader)))

    def _look_on(self, _: int) -> None:
        with self._store() as store:
            while not self._over.wait(PAUSE):
                self._look(store)

    def _look(self, store: Store) -> None:
        """Ask for each change, once the projector has passed its sizes: that answer is never asked for again."""
        with contextlib.closing(store.reader()) as reader:
            for change in [each for each in self.changes if each.number not in self.received]:
                if positions.passed(reader, "received", change.sizes):
                    record = None if change.record is None else name(change.subject, change.record)
                    got = recipients(reader, *SUBJECTS[change.subject], DATASETS[0], record, before_facts=change.number)
                    self.received[change.number] = {each.place for each in got.found}

    def _judge(self) -> None:
        found = self.found
        found.rounds += 1
        found.disclosures += len(self.disclosed)
        found.changes += len(self.changes)
        found.failed += len(self.failures)
        for error in self.failures:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        with self._store() as store:
            projector = Projector(store)
            while projector.turn():
                pass
            projector.close()
            self._look(store)
            with contextlib.closing(store.reader()) as reader:
                entered = {each.place for each in scan(reader)}
                found.lost += len({each.place for each in self.disclosed} - entered)
                for change in self.changes:
                    must = {each.place for each in self.disclosed if change.concerns(each)}
                    late = {e.place for e in raced(reader, change.number) if e.subject == SUBJECTS[change.subject]}
                    first = self.received[change.number]
                    found.raced += len(must - first)
                    found.missed += len(must - first - late)
                    found.made_up += len((first | late) - must)
            try:
                check(store)
            except AssertionError as error:
                print(f"the projections: {error}", file=sys.stderr)
                found.projected_wrong += 1


def races(server: Postgres, seconds: float, seed: int) -> Found:
    """Rounds for so long, each in a database of its own."""
    template = server.database()
    open_store(server.url(template)).close()
    found, end = Found(), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        Round(server.url(server.database(template)), seed + found.rounds, found).run(min(ROUND, left))
        print(f"{found}", file=sys.stderr, flush=True)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.races", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, metavar="N", help="how long (default: 3)")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    asked = parser.parse_args(arguments)
    seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
    print(f"seed {seed}", file=sys.stderr)
    with postgres() as server:
        found = races(server, asked.minutes * 60, seed)
    print(json.dumps(msgspec.to_builtins(found)))
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
