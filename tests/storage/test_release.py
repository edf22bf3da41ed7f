"""A token that ends while the commit waits releases nothing: a store that is locked for longer than the token lasts."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sqlite3
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.projections.lookups import places_of
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import recipients
from gateway.ledger.stored import read
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS
from tests import world as worlds
from tests.ledgers import ledger_on
from tests.storage.conftest import Place
from tests.storage.test_counting import check
from tests.waiting import until
from tests.world import Ask, Held, Reply, World

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TENDER = """query($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) { taxArrears { amount } } }"""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@contextlib.contextmanager
def locked(place: Place, over: Callable[[], bool]) -> Iterator[None]:
    """Nothing is committed in the store until `over`."""
    taken = threading.Event()

    def hold() -> None:
        if place.kind == "sqlite":
            holder = sqlite3.connect(place.url.removeprefix("sqlite:///"), isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
        else:
            holder = psycopg.connect(place.url.replace("+asyncpg", ""))  # type: ignore[assignment]
            holder.execute("LOCK TABLE entry IN ACCESS EXCLUSIVE MODE")
        with contextlib.closing(holder):
            taken.set()
            until("the time to be over", over)
            holder.rollback()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    try:
        yield
    finally:
        thread.join()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds.opened() as opened:
        yield opened


def told(store: Store) -> list[entries.Told]:
    with contextlib.closing(store.reader()) as reader:
        [head] = read.heads(reader)
        return [each.read_told() for each in read.read_entries(reader, head.id, 0, head.size)]


def received(store: Store, subject: worlds.Subject, *, exact: bool) -> int:
    with contextlib.closing(store.reader()) as reader:
        found = recipients(reader, subject.scheme, subject.value, "tax-arrears", exact=exact)
        return len(found.found)


def shown(store: Store, official: str, *, everybodys: bool) -> int:
    """How many past inquiries `receipts` can show."""
    with contextlib.closing(store.reader()) as reader:
        found = places_of("https://login.example", "market-regulator", official, everybodys=everybodys)
        told = [read_place(reader, place) for place in found(reader, (0, 0))]
        return sum(isinstance(each, entries.Inquiry) for each in told)


def read_place(reader: Reader, place: tuple[int, int]) -> entries.Told:
    shard, index = place[1] >> SHARD_BITS, place[1] & (1 << SHARD_BITS) - 1
    (entry,) = read.read_entries(reader, shard, index, 1)
    return entry.read_told()


@pytest.mark.parametrize("seconds", [2, 60])
def test_a_token_that_ends_while_the_commit_waits_releases_nothing(world: World, place: Place, seconds: int) -> None:
    """Held until the first has ended; with a token of a minute the same wait is answered."""
    world.calm()
    world.now = began = now()
    subject = worlds.new_subject()
    world.held[subject, "tax-arrears"] = [
        Held("N-1", worlds.values(world.catalogue.datasets["tax-arrears"]), effective=world.today())
    ]
    world.registries.known["C-1"] = worlds.Case("market", frozenset([subject]), frozenset(["m.ivanova"]))
    who = world.requester("market-regulator", official="m.ivanova", expires=began.timestamp() + seconds)
    ask = Ask(who, TENDER, {"id": {"scheme": subject.scheme, "value": subject.value}, "case": "C-1"})
    store = place.open()
    ledger = ledger_on(store, KEY, worlds.ORIGIN)
    world.run(ledger.start())
    try:
        world.run(asyncio.sleep(0))
        with locked(place, lambda: now() - began > datetime.timedelta(seconds=2)):
            reply: Reply = world.ask(ask, ledger=ledger, now=now)
        made = told(store)
        assert isinstance(made[0], entries.Inquiry)
        if seconds == 60:
            assert reply.data["organisation"]["taxArrears"]
            assert len(made) == 1
        else:
            assert (reply.answer.status, reply.codes) == (401, ["UNAUTHENTICATED"])
            assert "data" not in reply.said
            [_, second] = made
            assert isinstance(second, entries.NotReleased)
            assert (second.reason, second.inquiry, second.value) == ("token", made[0].id, subject.value)
            assert second.entry == "1-0"
        count = int(seconds == 60)
        assert received(store, subject, exact=True) == count
        assert [shown(store, "m.ivanova", everybodys=each) for each in (False, True)] == [count, count]
        projector = Projector(store)
        while projector.turn():
            pass
        projector.close()
        assert received(store, subject, exact=False) == count
        assert [shown(store, "m.ivanova", everybodys=each) for each in (False, True)] == [count, count]
        assert received(store, subject, exact=True) == count
        check(store)
        with store.engine.begin() as connection:
            removed = connection.execute(text("DELETE FROM not_released")).rowcount
        assert removed == 1 - count
        with pytest.raises(VerificationFailed, match="projection `acted`") if removed else contextlib.nullcontext():
            check(store)
    finally:
        world.run(ledger.close())
