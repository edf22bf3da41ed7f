"""A candidate tried on a period of recorded inquiries: entries per second, and where the time goes.

The entries are real ones, of random inquiries that the shipped rule set decided; each is about a subject that some
others are about too. What an entry says is read, decrypted, held to its leaf and the shard's head, and decided again.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from connectors.base import Subject
from gateway.ledger.stored import held, read
from gateway.ledger.stored import statements as sql
from gateway.simulation.compare import Comparison
from gateway.simulation.simulate import Simulation
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS
from tests.bench.processes import BenchError, Cores
from tests.bench.report import Line, Row
from tests.ledger.support import opened, store_in
from tests.simulation.varied import Asked, asked, entry_of, varied

ENTRIES, ABOUT, TOGETHER, TURNS = 20_000, 2_000, 200, 3
KINDS = 2_000
"""Different inquiries, before their subjects are told apart."""
CANDIDATE = (1, "fields")
MOST_SECONDS = 600.0
"""What a million entries may take, on one core."""


def run(folder: Path, _cores: Cores, say: Callable[[str], None]) -> list[Row]:
    store = store_in(folder)
    try:
        say(f"entering {ENTRIES:,} inquiries about {ABOUT:,} subjects")
        uvloop.run(_fill(store))
        say("a candidate on all of them")
        with contextlib.closing(store.reader()) as reader:
            return _rows(reader)
    finally:
        store.close()


def budget(rows: list[Row]) -> list[Line]:
    """A million of them."""
    [whole] = [row for row in rows if row["name"] == "simulate"]
    return [Line("a million recorded inquiries", 1e6 / whole["per_s"], "s", MOST_SECONDS, MOST_SECONDS / 2)]


async def _fill(store: Store) -> None:
    rules = varied(0)
    kinds = sorted((asked(seed) for seed in range(KINDS)), key=lambda of: of.now)
    each = ENTRIES // KINDS
    async with opened(store) as ledger:

        async def enter(of: Asked, number: int) -> None:
            parts = entry_of(rules, _about(of, number % ABOUT), f"i-{number}")
            await ledger.append(parts.told, parts.oversight, of.now, of.requester.who, (), parts.subjects)

        waiting = ((of, place * each + turn) for place, of in enumerate(kinds) for turn in range(each))
        while some := list(itertools.islice(waiting, TOGETHER)):
            await asyncio.gather(*(enter(of, number) for of, number in some))


def _about(of: Asked, number: int) -> Asked:
    subjects = tuple(Subject(each.kind, each.scheme, f"{each.kind[0]}-{number}") for each in of.subjects)
    own = of.requester.identifier
    place = next((at for at, each in enumerate(of.subjects) if each[1:] == own), None)
    named = own if place is None else subjects[place][1:]
    known = dict(zip(subjects, of.known.values(), strict=True))
    return of._replace(
        requester=msgspec.structs.replace(of.requester, identifier=named), subjects=subjects, known=known
    )


def _rows(reader: Reader) -> list[Row]:
    heads = [head for head in read.heads(reader) if head.size]
    result: dict[str, Any] = {}

    def rows() -> Iterator[object]:
        for head in heads:
            base = head.id << SHARD_BITS
            for first in range(0, head.size, 512):
                yield from reader.rows(sql.ENTRIES, base + first, base + head.size, 512, 0)

    def opening() -> Iterator[object]:
        for head in heads:
            yield from read.read_entries(reader, head.id, 0, head.size)

    def holding() -> Iterator[object]:
        for head in heads:
            yield from held.entries(reader, head)

    def simulating() -> Iterator[object]:
        day = datetime.timedelta(days=400)
        middle = asked(0).now
        simulation = Simulation(Comparison(varied(*CANDIDATE), varied(0)), middle - day, middle + day)
        for progress in simulation.run(reader):
            yield from range(progress.done - result.get("done", 0))
            result["done"] = progress.done
        result["told"] = simulation.result()

    parts = {"rows": rows, "and decrypted": opening, "and held to the head": holding, "simulate": simulating}
    took: dict[str, float] = {}
    for name, part in parts.items():
        turns = []
        for _ in range(TURNS):
            result.pop("done", None)
            cpu = time.process_time()
            count = sum(1 for _ in part())
            turns.append(time.process_time() - cpu)
            if count != ENTRIES:
                raise BenchError(f"`{name}` found {count} entries, and not {ENTRIES}")
        took[name] = min(turns)
    if not result["told"].changed:
        raise BenchError("the candidate changes nothing of what was recorded: nothing was measured")
    return [
        {"bench": "simulate", "name": name, "cpu_us": cpu / ENTRIES * 1e6, "share": cpu / took["simulate"],
         "per_s": ENTRIES / cpu}
        for name, cpu in took.items()
    ]  # fmt: skip
