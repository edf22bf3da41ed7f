"""A PostgreSQL that fails: an unknown outcome is a refusal, nothing leaves before its commit, and service comes back.

Every fault is real: sessions ended and cancelled on the server, a standby that never answers, the server killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.errors import LedgerUnavailable, Refusal
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.merkle import Tree
from gateway.ledger.stored import read
from gateway.storage.engines import postgresql
from gateway.storage.port import Store
from gateway.storage.store import open_store
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, disclosed, opened, receipt_of
from tests.ledgers import ledger_on
from tests.services import Postgres, postgres
from tests.storage.conftest import Place
from tests.waiting import until_async


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """One that these tests may stop, and whose settings they may change."""
    with postgres() as running:
        yield running


@pytest.fixture
def place(own_server: Postgres) -> Iterator[Place]:
    with contextlib.closing(Place(own_server.url(own_server.database()))) as made:
        yield made
    own_server.set("synchronous_standby_names", "")


@pytest.fixture
async def ledger(place: Place) -> AsyncIterator[Ledger]:
    """One with an entry, so that day and requester are known."""
    async with opened(place.open(), retry=0.05) as made:
        await made.append(b"before", b"", AT, BY)
        yield made


def sessions(server: Postgres, place: Place, function: str, having: str = "true") -> int:
    """Do `function` to the session that holds the shard; how many there were."""
    with server.connect(place.url.rpartition("/")[2]) as connection:
        found = connection.execute(
            f"SELECT {function}(pid) FROM pg_stat_activity WHERE datname = current_database()"
            f" AND application_name LIKE 'dutybound shard%' AND {having}".encode()
        )
        return len(found.fetchall())


async def waits_for_its_standby(server: Postgres, place: Place) -> None:
    waiting = "wait_event = 'SyncRep'"
    await until_async("the commit to wait", lambda: sessions(server, place, "int4", waiting) == 1)


def told(store: Store) -> list[bytes]:
    with contextlib.closing(store.reader()) as reader:
        return [each.told.general.body for each in read.read_entries(reader, 1, 0, 1 << 30) if each.told]


def size(store: Store) -> int:
    """The size of the stored tree, whose root is that of its head."""
    with contextlib.closing(store.reader()) as reader:
        (head,) = read.heads(reader)
        assert Tree(head.size, read.StoredTree(reader, 1, head.size).peaks()).root == head.root
        return head.size


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_cancelled_wait_for_the_standby_is_a_refusal(
    own_server: Postgres, place: Place, ledger: Ledger, how: str
) -> None:
    """PostgreSQL says that such a commit succeeded, with a warning: it did, on one machine only."""
    own_server.hold_commits()
    appends = [asyncio.ensure_future(ledger.append(b"%d" % n, b"", AT, BY)) for n in range(3)]
    await waits_for_its_standby(own_server, place)
    assert told(ledger.store) == [b"before"], "nobody sees it while it waits"
    assert not any(append.done() for append in appends)
    sessions(own_server, place, how)
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 3
    assert not ledger.healthy
    assert told(ledger.store) == [b"before", b"0", b"1", b"2"], "entries without an answer, which is allowed"
    own_server.set("synchronous_standby_names", "")
    await until_async("the ledger to be healthy", lambda: ledger.healthy)
    assert (await ledger.append(b"after", b"", AT, BY)).index == 4
    assert size(ledger.store) == 5


async def test_a_commit_that_hangs_is_refused_in_time_and_its_session_ended(
    own_server: Postgres, place: Place, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "COMMIT_TIMEOUT", 0.2)
    own_server.hold_commits()
    with pytest.raises(LedgerUnavailable, match="in time"):
        await ledger.append(b"hangs", b"", AT, BY)
    assert not ledger.healthy
    with pytest.raises(LedgerUnavailable):
        await ledger.append(b"hangs too", b"", AT, BY)
    own_server.set("synchronous_standby_names", "")
    monkeypatch.undo()
    await until_async("the ledger to be healthy", lambda: ledger.healthy)
    receipt = await ledger.append(b"after", b"", AT, BY)
    kept = told(ledger.store)
    assert kept[receipt.index] == b"after"
    assert kept[:2] == [b"before", b"hangs"]
    assert sessions(own_server, place, "int4") == 1, "no ghost is left"
    assert size(ledger.store) == receipt.index + 1


@pytest.mark.parametrize(
    ("code", "why"), [("53100", "the database's disk is full; make room there"), ("42501", "its role has to own it")]
)
async def test_why_the_server_takes_nothing_is_named_in_the_log(
    own_server: Postgres, place: Place, code: str, why: str
) -> None:
    heard = list[str | None]()
    store = place.open()
    async with opened(store, retry=60.0, heard=lambda _name, said: heard.append(said)) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        with own_server.connect(place.url.rpartition("/")[2]) as connection:
            raising = f"BEGIN RAISE EXCEPTION 'a row: secret' USING ERRCODE = '{code}'; END"
            connection.execute(f"CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $${raising}$$".encode())
            connection.execute(b"CREATE TRIGGER fails BEFORE INSERT ON entry EXECUTE FUNCTION fails()")
        with pytest.raises(LedgerUnavailable):
            await ledger.append(b"refused", b"", AT, BY)
    assert len(heard) == 1
    assert re.search(why, heard[0] or "")
    assert "secret" not in (heard[0] or "")


async def _appended(ledger: Ledger, times: int) -> None:
    for _ in range(times):
        await ledger.append(b"refused", b"", AT, BY)


async def test_one_that_takes_no_writes_any_more_is_named_in_the_log(own_server: Postgres, place: Place) -> None:
    heard = list[str | None]()
    async with opened(place.open(), retry=0.05, heard=lambda _name, said: heard.append(said)) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        own_server.set("default_transaction_read_only", "on")
        try:
            with pytest.raises(LedgerUnavailable):
                await _appended(ledger, 1_000)  # a session hears of a setting a moment after it was set
            await until_async("a try to open the session again", lambda: len(heard) > 1)
        finally:
            own_server.set("default_transaction_read_only", "off")
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
    said = {each for each in heard if each is not None}
    assert said
    assert all("the database takes no writes: it is read-only, or a standby" in each for each in said)


async def test_a_session_lost_while_nobody_asks_is_noticed_and_opened_again(
    own_server: Postgres, place: Place, ledger: Ledger
) -> None:
    for n in range(1, 4):
        assert sessions(own_server, place, "pg_terminate_backend") == 1
        if n == 2:
            await until_async("the ledger to notice", lambda: not ledger.healthy)
            await until_async("the ledger to be healthy", lambda: ledger.healthy)
        else:
            await until_async("the loss to be noticed", lambda: ledger._shard is not None and not ledger._shard.alive)
        assert (await ledger.append(b"%d" % n, b"", AT, BY)).index == n, "nothing was under way, so nothing is refused"


async def test_a_shard_that_another_took_meanwhile_is_never_appended_to(
    own_server: Postgres, place: Place, ledger: Ledger
) -> None:
    sessions(own_server, place, "pg_terminate_backend")
    other = ledger_on(place.open(), KEY, ORIGIN, shard="1")

    async def started() -> bool:
        await other.start()
        return True

    await until_async("the server to let the lock go", started, despite=(LedgerUnavailable,))
    await other.append(b"other", b"", AT, BY)
    with pytest.raises(LedgerUnavailable):
        await ledger.append(b"mine", b"", AT, BY)
    await other.close()
    with pytest.raises(LedgerUnavailable, match="taken over"):
        await ledger.append(b"mine", b"", AT, BY)
    assert told(ledger.store) == [b"before", b"other"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_stopped_and_started_under_load_loses_nothing(
    own_server: Postgres, place: Place, ledger: Ledger, how: signal.Signals
) -> None:
    answers: list[bytes] = []
    refused = 0
    stop = asyncio.Event()

    async def ask(numbers: Iterator[int]) -> None:
        nonlocal refused
        while not stop.is_set():
            try:
                answers.append(await disclosed(ledger, next(numbers)))
            except Refusal:
                refused += 1
                await asyncio.sleep(0.01)

    numbers = itertools.count()
    clients = [asyncio.ensure_future(ask(numbers)) for _ in range(16)]
    for _ in range(2):
        known = len(answers)
        await until_async("fifty answers", lambda known=known: len(answers) > known + 50)  # type: ignore[misc]
        await asyncio.to_thread(own_server.stop, how)
        before = refused
        await until_async("refusals", lambda before=before: refused > before + 16 and not ledger.healthy)  # type: ignore[misc]
        await asyncio.to_thread(own_server.start)
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
    known = len(answers)
    await until_async("fifty more answers", lambda: len(answers) > known + 50)
    stop.set()
    await asyncio.gather(*clients)
    store = open_store(place.url)
    total = size(store)
    with contextlib.closing(store.reader()) as reader:
        leaves = [each.leaf for each in read.read_entries(reader, 1, 0, total)]
    store.close()
    for answer in answers:
        proved = verify_receipt(receipt_of(answer), VERIFIERS)
        assert leaves[proved.index] == proved.leaf, "an answer left whose entry is not in the store"
    assert refused > 32


class Deaf(postgresql.PostgresHeld):
    """The planted fault: what the server warns of is not heard."""

    def _hear(self, _connection: object, message: object) -> None:
        self.heard = message


async def test_the_warning_is_what_tells(own_server: Postgres, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "PostgresHeld", Deaf)
    async with opened(place.open()) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        own_server.hold_commits()
        append = asyncio.ensure_future(ledger.append(b"alone", b"", AT, BY))
        await waits_for_its_standby(own_server, place)
        sessions(own_server, place, "pg_cancel_backend")
        assert (await append).index == 1, "without hearing, it would be answered"
        own_server.set("synchronous_standby_names", "")
