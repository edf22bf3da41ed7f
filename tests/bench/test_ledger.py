"""The ledger's part of the bench: what is bulk-loaded is a ledger, and what is measured is what the rows say."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.errors import Code, Refusal
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import Proved, verify_receipt
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored.statements import OWN
from gateway.storage.engines import sqlite_held
from gateway.storage.store import open_file
from gateway.storage.tables import SHARD_BITS
from tests.bench import __main__ as bench
from tests.bench import bulk, inquiries, ledger
from tests.bench.inquiries import Inquiries
from tests.bench.ledger import KEY, ORIGIN, VERIFIERS, Spent
from tests.bench.processes import ROOT, BenchError, Cores, Others
from tests.bench.report import Row
from tests.ledgers import ledger_on
from tests.waiting import until

MANY = 70_000  # two levels of full tiles


@pytest.fixture
def disk() -> Iterator[Path]:
    """An empty folder of the project's, where a commit waits for the disk; `tmp_path` may lie in memory."""
    below = ROOT / "var"
    below.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=below) as folder:
        yield Path(folder)


@contextlib.contextmanager
def loaded(folder: Path, count: int) -> Iterator[Any]:
    store = bulk.build(folder / "bulk.db", KEY, ORIGIN, count)
    try:
        yield store
    finally:
        store.close()


async def test_a_bulk_loaded_ledger_is_taken_and_goes_on(tmp_path: Path) -> None:
    """`Shard.take` checks the tree's root against the head; each receipt's path goes through the loaded tiles."""
    asked = Inquiries(bulk.subjects(MANY))
    with loaded(tmp_path, MANY) as store:
        book = ledger_on(store, KEY, ORIGIN)
        await book.start()
        receipts = [await asked.ask(book) for _ in range(2 * inquiries.REQUESTERS)]
        proved = [verify_receipt(receipt.text, VERIFIERS) for receipt in receipts]
        assert [each.index for each in proved] == list(range(MANY, MANY + len(receipts)))
        own = book.own(inquiries.ISSUER, inquiries.client(0), f"{after_the_loaded(store)}-0")
        again = [verify_receipt(each.receipt.text, VERIFIERS) for each in own]
        await book.close()
        with contextlib.closing(store.connect()) as connection:
            (keys,) = connection.execute("SELECT count(*) FROM subject_key").fetchone()
    assert [each.index for each in again] == [MANY, MANY + inquiries.REQUESTERS]
    assert {each.size for each in again} == {MANY + len(receipts)}
    assert keys == asked.known > bulk.subjects(MANY), "a subject that has a key was given another"


def after_the_loaded(store: Any) -> int:
    """The first microsecond after every loaded entry."""
    with contextlib.closing(store.connect()) as connection:
        (last,) = connection.execute("SELECT max(at) FROM entry WHERE id < ?", ((1 << SHARD_BITS) + MANY,)).fetchone()
        return int(last) + 1


@pytest.mark.parametrize("count", [inquiries.REQUESTERS, 1000, MANY])
def test_the_loaded_head_is_that_of_its_leaves(tmp_path: Path, count: int) -> None:
    with loaded(tmp_path, count) as store, contextlib.closing(store.connect()) as connection:
        leaves = [leaf for (leaf,) in connection.execute("SELECT leaf FROM entry ORDER BY id")]
        size, root, floor = connection.execute("SELECT size, root, floor FROM shard").fetchone()
        newest, indexed = connection.execute("SELECT max(at), count(*) FROM entry_requester").fetchone()
    assert size == len(leaves) == indexed == count
    assert root == Tree().grow([leaf_hash(leaf) for leaf in leaves]).tree.root
    assert newest == floor


def test_a_page_of_ones_own_is_found_by_its_place(tmp_path: Path) -> None:
    """However much came before it: the index is searched by requester and place, not read through."""
    with loaded(tmp_path, 1000) as store, contextlib.closing(store.connect()) as connection:
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {OWN.sqlite}", (inquiries.ISSUER, inquiries.client(0), 0, 0, 20, 0)
        ).fetchall()
    assert any("(requester=? AND (at,entry)>(?,?))" in detail for *_, detail in plan), plan


async def test_a_loaded_ledger_whose_hashes_are_wrong_is_refused(tmp_path: Path) -> None:
    with loaded(tmp_path, 1000) as store:
        with contextlib.closing(store.connect()) as connection:
            connection.execute("UPDATE subtree SET hash = zeroblob(32) WHERE position = 2")
        with pytest.raises(BenchError, match="do not give the root of its head"):
            await ledger.turn(store, Inquiries(100))


def test_too_little_room_is_refused_in_words(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1_000_000_000))
    with pytest.raises(BenchError, match=r"10,000,000 entries needs 4\.2 GB, and `.+` has 1\.0 GB free; make room"):
        ledger.run(disk, Cores(), lambda _: None)
    assert list(disk.iterdir()) == []


def test_files_go_when_the_bench_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def interrupted(folder: Path, cores: Cores) -> list[Row]:
        def say(_: str) -> None:
            seen.extend(folder.iterdir())
            raise KeyboardInterrupt

        bulk.build(folder / "large.db", KEY, ORIGIN, 1000, say)
        return []

    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "RUNS", {"ledger": interrupted})
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        bench.main(["ledger"])
    assert "large.db" in {path.name for path in seen}
    assert list((tmp_path / "var").iterdir()) == []


async def test_inquiries_are_as_long_and_as_mixed_as_they_say(tmp_path: Path) -> None:
    asked = Inquiries()
    store = open_file(tmp_path / "few.db")
    book = ledger_on(store, KEY, ORIGIN)
    await book.start()
    proved = [told(verify_receipt((await asked.ask(book)).text, VERIFIERS)) for _ in range(500)]
    await book.close()
    store.close()
    named = [subject.value for inquiry in proved for subject in inquiry.disclosed]
    assert len(named) == 500
    assert len(set(named)) == asked.known
    assert 0.15 < asked.known / 500 < 0.25
    for inquiry in proved[:5]:
        datasets = inquiry.disclosed[0].datasets
        assert [len(dataset.records) for dataset in datasets] == [5] * 5
        assert 1_500 < len(entries.encode(inquiry)) < 3_000


def told(proved: Proved) -> entries.Inquiry:
    assert isinstance(proved.told, entries.Inquiry)
    return proved.told


class Fake:
    """Stands where a ledger is asked: refuses every second inquiry, or gives the same place twice."""

    def __init__(self, *, refuses: bool) -> None:
        self.refuses, self.asked = refuses, 0

    async def ask(self, _: Ledger) -> Receipt:
        self.asked += 1
        if self.refuses and self.asked % 2:
            raise Refusal(Code.LEDGER_UNAVAILABLE, "too many entries wait for the ledger")
        return Receipt("1", self.asked // 2, b"")


async def test_what_is_refused_is_not_counted_as_entered(tmp_path: Path) -> None:
    fake = Fake(refuses=True)
    store = open_file(tmp_path / "unused.db")
    spent, refused = await ledger.at_rate(ledger_on(store, KEY, ORIGIN), fake.ask, 10_000, 0.01)
    store.close()
    assert len(spent.each) == fake.asked // 2
    assert refused == fake.asked - fake.asked // 2 > 0


async def test_a_place_given_twice_is_found(tmp_path: Path) -> None:
    store = open_file(tmp_path / "unused.db")
    with pytest.raises(BenchError, match="not numbered one by one"):
        await ledger.at_once(ledger_on(store, KEY, ORIGIN), Fake(refuses=False).ask, 4, 20)
    store.close()


_BURN = "import time; stop = time.process_time() + 0.5\nwhile time.process_time() < stop: pass"


def test_what_else_the_machine_does_is_counted() -> None:
    """By a process that is nobody's child here."""
    others, begun = Others(), time.monotonic()
    subprocess.run(["sh", "-c", f"setsid {sys.executable} -c '{_BURN}' &"], check=True)
    until("half a second of CPU", lambda: others.cores() * (time.monotonic() - begun) > 0.3)


def test_percentiles_are_of_the_pieces() -> None:
    spent = Spent(2.0, 1.0, [number / 1000 for number in range(100, 0, -1)])
    assert (spent.percentile_ms(50), spent.percentile_ms(99)) == (50.0, 99.0)
    assert (spent.cpu_us, spent.wall_us) == (10_000.0, 20_000.0)


SHORT = {
    **{"OFFERED": 500, "OFFERED_SECONDS": 3.0, "APPENDS": {1: 20, 32: 100}, "ROUNDS": 1, "ROUND": 100},
    **{"SMALL": 500, "TURNS": 1, "WARM": 100, "TURN": 1100, "RECEIPTS": 2, "PAGES": 2},
}


def test_the_rows_of_a_run_are_held_against_the_budget(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole run, short: every row is there, with the contract's keys."""
    for name, value in SHORT.items():
        monkeypatch.setattr(ledger, name, value)
    monkeypatch.setattr(sqlite_held, "_CHECKPOINT", 500)  # as long a load as it takes by itself is no short one
    rows = ledger.run(disk, Cores(), lambda _: None, large=2_000)
    measured = [row for row in rows if "growth" not in row["name"]]
    assert [row["name"] for row in measured] == [
        *("sustained", "append", "append", "share"),
        *("append, 500 bulk-loaded", "receipt, 500 bulk-loaded", "page, 500 bulk-loaded"),
        *("append, 2,000 bulk-loaded", "receipt, 2,000 bulk-loaded", "page, 2,000 bulk-loaded"),
    ]
    for row in measured:
        assert row["bench"] == "ledger"
        assert min(row[key] for key in ("cpu_ms", "requests_per_s", "p50_ms", "p99_ms")) > 0
    assert "0 were refused" in ledger.caption(rows)
    lines = ledger.budget(rows)
    assert [line.must for line in lines] == [5_000, 50, 1.3, 1.5, 1.5]
    assert lines[0].mark() == "OVER", "500 were offered"
