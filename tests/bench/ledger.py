"""The ledger alone, on SQLite: its throughput, its share of an inquiry, and whether ten million entries slow it down.

CPU is of the whole process, the ledger's thread and the caller's own work included. A commit's time is from when its
entry was due, or asked for, to its receipt: so it includes waiting for the group, for the disk, for what the loop was
doing, and for the copying of the WAL into the database at every thousand pages, as the store sets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import LedgerUnavailable, Refusal
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.serving.worker import COLLECTED
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.store import open_file
from gateway.storage.tables import micros
from tests.bench import bulk, inquiries
from tests.bench.inquiries import Inquiries, Made
from tests.bench.processes import BenchError, Cores, Others
from tests.bench.report import Line, Row
from tests.ledgers import ledger_on

ORIGIN = "bench.example/ledger"
KEY = Ed25519PrivateKey.generate()
VERIFIERS = verifiers(KEY, ORIGIN, [bulk.SHARD])
TOGETHER = 32

OFFERED = 6_000
OFFERED_SECONDS = 10.0

APPENDS = {1: 1_000, TOGETHER: 10_000, 256: 20_000}
"""How many entries, by how many wait at once."""

ROUNDS, ROUND = 9, 4_000

SMALL, LARGE = 10_000, 10_000_000
TURNS = 5
WARM, TURN = 1_000, 6_000
RECEIPTS, PAGES, PAGE = 50, 20, 20

_Ask = Callable[[Ledger], Awaitable[Receipt]]
_Say = Callable[[str], None]


class Spent(NamedTuple):
    """What some work took: seconds of the clock and of CPU, and each piece's seconds from due to done."""

    wall: float
    cpu: float
    each: list[float]

    @property
    def cpu_us(self) -> float:
        return self.cpu / len(self.each) * 1e6

    @property
    def wall_us(self) -> float:
        return self.wall / len(self.each) * 1e6

    def percentile_ms(self, percent: int) -> float:
        """The time, in milliseconds, that so many in a hundred did not exceed (nearest rank)."""
        return sorted(self.each)[-(len(self.each) * percent // -100) - 1] * 1000

    def row(self, name: str, connections: int, **more: Any) -> Row:
        """A row of the contract's keys, and the same in the units of the ledger's table."""
        return {
            "bench": "ledger",
            "name": name,
            "connections": connections,
            "cpu_ms": self.cpu_us / 1000,
            "requests_per_s": len(self.each) / self.wall,
            "p50_ms": self.percentile_ms(50),
            "p99_ms": self.percentile_ms(99),
            "cpu_us": self.cpu_us,
            "wall_us": self.wall_us,
            **more,
        }


def file_system(folder: Path) -> str:
    """Where a folder lies: the kind of its file system, and the device. Raises `BenchError` where that is memory."""
    mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text().splitlines()]
    device, _, kind = max(
        (mount for mount in mounts if folder.resolve().is_relative_to(mount[1])), key=lambda mount: len(mount[1])
    )
    if kind in ("tmpfs", "ramfs"):
        raise BenchError(
            f"`{folder}` lies in memory ({kind}), where no commit waits for a disk; put the project on one"
        )
    return f"{kind} on {device}"


def run(folder: Path, cores: Cores, say: _Say, *, large: int = LARGE) -> list[Row]:
    """All rows; `large` is the size of the large ledger."""
    disk = file_system(folder)
    bulk.check_room(folder, large)
    with _collecting_seldom():
        say(f"the ledger: {OFFERED:,} entries per second for {OFFERED_SECONDS:.0f} s ({disk})")
        rows = [{**uvloop.run(_sustained(folder, OFFERED, OFFERED_SECONDS)), "disk": disk}]
        say("the ledger: as fast as it answers")
        rows += [uvloop.run(_append(folder, together, count)) for together, count in APPENDS.items()]
        rows.append(uvloop.run(_share(folder)))
        rows += _by_size(folder, large, say)
    return rows


def caption(rows: list[Row]) -> str:
    """What the table does not say of itself."""
    sustained = next(row for row in rows if row["name"] == "sustained")
    return (
        f"The files lie on {sustained['disk']}. `sustained`: {sustained['offered_per_s']:,} offered a second at random"
        f" moments for {OFFERED_SECONDS:.0f} s; {sustained['refused']:,} were refused, and the WAL was copied into the"
        f" database {sustained['wal_copied']} times. Other processes used {sustained['others_cores']:.1f} of the cores"
        " meanwhile: what is much above 0 makes the slowest commits slower.\n"
        "`share` makes its entries, as step 9 of an inquiry does; the other rows have them made ahead."
        f" `share` is the least of {ROUNDS} rounds.\n"
        f"`bulk-loaded`: a ledger built by SQL, not by appending, with payloads of {bulk.PAYLOAD} bytes per entry"
        " instead of some 2,600, and keys of a tenth as many subjects; then, in turns with the other, real entries:"
        f" {TURNS} times {TURN:,}, {1 - inquiries.NEW:.0%} of them about a subject that has a key, by"
        f" {inquiries.REQUESTERS} requesters in turn. `growth`: the large one's cost to the small one's."
    )


def budget(rows: list[Row]) -> list[Line]:
    """The rows held against what the ledger must do."""
    by = {row["name"]: row for row in rows}
    growth, receipt, page = (by[f"{name}, growth"] for name in Turn._fields)
    sizes = f"{growth['entries']:,} entries to {SMALL:,}"
    return [
        Line("entries/s, sustained", by["sustained"]["requests_per_s"], "", 5_000, 5_900, more=True),
        Line("p99 of a commit, sustained", by["sustained"]["p99_ms"], "ms", 50, 20),
        Line(f"wall time an entry, {sizes}", growth["wall_growth"], "", 1.3, 1.1),
        Line(f"CPU of a receipt made again, {sizes}", receipt["cpu_growth"], "", 1.5, 1.3),
        Line(f"CPU of a page of {PAGE} receipts, {sizes}", page["cpu_growth"], "", 1.5, 1.3),
    ]


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
    """The garbage collector as `gateway.serving.worker` sets it."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.asynccontextmanager
async def _opened(store: SqliteStore) -> AsyncIterator[Ledger]:
    book = ledger_on(store, KEY, ORIGIN)
    try:
        await book.start()
        try:
            yield book
        finally:
            await book.close()
    except (LedgerUnavailable, Refusal) as error:
        raise BenchError(f"the ledger refused: {error}") from error
    finally:
        store.close()


async def at_rate(ledger: Ledger, ask: _Ask, rate: float, seconds: float) -> tuple[Spent, int]:
    """Inquiries at random moments, `rate` per second, whether or not those before were answered; how many were
    refused.

    The ledger refuses when too many wait, which is what becomes of a rate that it cannot sustain.
    """
    moments, each, refused = random.Random(2), list[float](), 0

    async def one(due: float) -> None:
        nonlocal refused
        try:
            await ask(ledger)
        except (LedgerUnavailable, Refusal):
            refused += 1
        else:
            each.append(time.perf_counter() - due)

    cpu, begun = time.process_time(), time.perf_counter()
    due = begun
    async with asyncio.TaskGroup() as tasks:
        while due < begun + seconds:
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(due - now)
            else:
                tasks.create_task(one(due))
                due += moments.expovariate(rate)
    return Spent(time.perf_counter() - begun, time.process_time() - cpu, each), refused


async def at_once(ledger: Ledger, ask: _Ask, together: int, count: int) -> Spent:
    """So many inquiries, of which `together` wait at any moment; their receipts are looked at afterwards."""
    each, receipts, left = list[float](), list[Receipt](), iter(range(count))

    async def one() -> None:
        for _ in left:
            due = time.perf_counter()
            receipts.append(await ask(ledger))
            each.append(time.perf_counter() - due)

    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(together)))
    spent = Spent(time.perf_counter() - begun, time.process_time() - cpu, each)
    indices = sorted(receipt.index for receipt in receipts)
    if indices != list(range(indices[0], indices[0] + count)):
        raise BenchError("the ledger's entries are not numbered one by one")
    return spent


async def _sustained(folder: Path, rate: float, seconds: float) -> Row:
    path = folder / "sustained.db"
    async with _opened(open_file(path)) as book:
        asked = Inquiries()
        await at_once(book, asked.ask, TOGETHER, WARM)
        made = await Made.ahead(asked, 100 + int(rate * seconds * 1.1))
        gc.freeze()  # what waits to be asked is no garbage
        others = Others()
        spent, refused = await at_rate(book, made.ask, rate, seconds)
        busy = others.cores()
        copied = checkpoints(path)
    if copied == 0:
        raise BenchError("the WAL was never copied into the database: the load was too short to say anything")
    return spent.row("sustained", 0, offered_per_s=rate, refused=refused, wal_copied=copied, others_cores=busy)


def checkpoints(path: Path) -> int:
    """How often an open database's WAL was begun anew, after all of it was copied (sqlite.org/fileformat2, 4.1)."""
    return int.from_bytes(path.with_name(f"{path.name}-wal").read_bytes()[12:16], "big")


async def _append(folder: Path, together: int, count: int) -> Row:
    asked = Inquiries()
    async with _opened(open_file(folder / f"append-{together}.db")) as book:
        await at_once(book, asked.ask, together, WARM)
        made = await Made.ahead(asked, count)
        return (await at_once(book, made.ask, together, count)).row("append", together)


async def _share(folder: Path) -> Row:
    """Step 9 as an inquiry takes it: parts made, appended, receipt had. The round that others disturbed least."""
    asked = Inquiries()
    async with _opened(open_file(folder / "share.db")) as book:
        await at_once(book, asked.ask, TOGETHER, WARM)
        rounds = [await at_once(book, asked.ask, TOGETHER, ROUND) for _ in range(ROUNDS)]
    return min(rounds, key=lambda spent: spent.cpu_us).row("share", TOGETHER)


class Turn(NamedTuple):
    """What a ledger of some size took: to append, to make one receipt again, to give a page of a requester's own."""

    append: Spent
    receipt: Spent
    page: Spent


def _by_size(folder: Path, large: int, say: _Say) -> list[Row]:
    """A small and a large ledger in turns, so that whatever else the machine does falls on both.

    Building is outside the event loop, which would keep an interrupt to itself until it was done.
    """
    begun = time.monotonic()
    path, turns = folder / "large.db", list[tuple[Turn, Turn]]()
    bulk.build(path, KEY, ORIGIN, large, say).close()
    say(f"built in {time.monotonic() - begun:.0f} s, {path.stat().st_size / 1e9:.1f} GB; small and large in turns")
    known = Inquiries(bulk.subjects(large))
    for number in range(TURNS):
        fresh = bulk.build(folder / f"small-{number}.db", KEY, ORIGIN, SMALL)
        small = uvloop.run(turn(fresh, Inquiries(bulk.subjects(SMALL))))
        turns.append((small, uvloop.run(turn(open_file(path), known))))
    rows: list[Row] = []
    for entries, made in zip((SMALL, large), zip(*turns, strict=True), strict=True):
        for name, spent in zip(Turn._fields, map(_pooled, zip(*made, strict=True)), strict=True):
            waiting = TOGETHER if name == "append" else 1
            rows.append(spent.row(f"{name}, {entries:,} bulk-loaded", waiting, entries=entries))
    return [*rows, *(_growth(name, turns, large) for name in Turn._fields)]


def _pooled(parts: Sequence[Spent]) -> Spent:
    return Spent(
        sum(part.wall for part in parts),
        sum(part.cpu for part in parts),
        [each for part in parts for each in part.each],
    )


def _growth(name: str, turns: list[tuple[Turn, Turn]], large: int) -> Row:
    """The large ledger's cost to the small one's, turn by turn; the median."""
    pairs = [(getattr(small, name), getattr(big, name)) for small, big in turns]
    return {
        "bench": "ledger",
        "name": f"{name}, growth",
        "entries": large,
        "cpu_growth": statistics.median(big.cpu_us / small.cpu_us for small, big in pairs),
        "wall_growth": statistics.median(big.wall_us / small.wall_us for small, big in pairs),
    }


async def turn(store: SqliteStore, asked: Inquiries) -> Turn:
    """One turn on a bulk-loaded store, which is closed at the end."""
    begun = micros(datetime.datetime.now(datetime.UTC))
    made = await Made.ahead(asked, WARM + TURN)
    async with _opened(store) as book:
        await at_once(book, made.ask, TOGETHER, WARM)
        append = await at_once(book, made.ask, TOGETHER, TURN)
        return Turn(append, await _own(book, begun, 1, RECEIPTS), await _own(book, begun, PAGE, PAGES))


async def _own(book: Ledger, since: int, first: int, times: int) -> Spent:
    """The first of a requester's own entries since a moment, receipts made again; so many times, one by one."""
    each = []
    cpu, begun = time.process_time(), time.perf_counter()
    for number in range(times):
        due = time.perf_counter()
        found = book.own(inquiries.ISSUER, inquiries.client(number), f"{since}-0", first)
        each.append(time.perf_counter() - due)
        if len(found) != first:
            raise BenchError(f"`{inquiries.client(number)}` has {len(found)} entries of its own, and not {first}")
    spent = Spent(time.perf_counter() - begun, time.process_time() - cpu, each)
    for own in found:
        verify_receipt(own.receipt.text, VERIFIERS)
    return spent
