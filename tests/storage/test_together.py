"""Entries that are committed together, with changes that may find that somebody acted at the same moment."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from sqlalchemy import select, text, update

from gateway.errors import Conflict, LedgerUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.log.keyring import AtEntry, Changes, Pending, Row
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Guarded, Store
from gateway.storage.subjects.acts import act, act_head
from gateway.storage.tables import micros
from tests.ledger.support import AT, BY, VERIFIERS, disclosed, opened


def an_act(name: str, *changes: Changes) -> Pending:
    told = entries.NotReleased(entries.VERSION, name, AT, entries.Who(*BY), "late")
    return Pending(entries.encode(told), entries.encode(entries.NOTHING), micros(AT), BY, changes)


def counted_from(number: int) -> Guarded:
    return Guarded(update(act_head).where(act_head.c.number == number).values(number=number + 1))


def head(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(select(act_head.c.number)).scalar_one())


def sizes(store: Store) -> int:
    with contextlib.closing(store.reader()) as reader:
        return sum(found.size for found in read.heads(reader))


async def session(store: Store) -> object:
    """What tells the ledger's own session from one that came after it."""
    if store.engine.dialect.name == "sqlite":
        return None
    with store.engine.connect() as connection:
        said = "SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'dutybound shard 1'"
        return connection.execute(text(said)).one()


async def test_a_conflict_leaves_nothing_and_stops_nobody(store: Store) -> None:
    async with opened(store) as ledger:
        await ledger.append_together([an_act("first", counted_from(0))])
        before, same = sizes(store), await session(store)
        for _ in range(3):
            with pytest.raises(Conflict):
                await ledger.append_together([an_act("late", counted_from(0)), an_act("with it")])
            assert ledger.healthy
        assert (sizes(store), head(store)) == (before, 1)
        answers = await asyncio.gather(
            *(disclosed(ledger, n) for n in range(20)),
            *(ledger.append_together([an_act("late", counted_from(0))]) for _ in range(10)),
            *(disclosed(ledger, n) for n in range(20, 40)),
            return_exceptions=True,
        )
        assert [type(each) for each in answers] == [bytes] * 20 + [Conflict] * 10 + [bytes] * 20
        await ledger.append_together([an_act("second", counted_from(1))])
        assert (sizes(store), head(store), await session(store)) == (before + 41, 2, same)
    verify_store(store, VERIFIERS, rows=False)


async def test_of_those_who_act_at_the_same_moment_one_wins(store: Store) -> None:
    async with opened(store) as one, opened(store) as other:
        for number in range(10):
            done = await asyncio.gather(
                *(each.append_together([an_act("x", counted_from(number))]) for each in (one, other)),
                return_exceptions=True,
            )
            assert sorted(type(each).__name__ for each in done) == ["Conflict", "list"]
        assert one.healthy
        assert other.healthy
    assert (head(store), sizes(store)) == (10, 10)


async def test_rows_of_a_group_know_their_entries(store: Store) -> None:
    def of(number: int) -> Row:
        return Row(act, {"id": f"act {number}", "number": number, "at": 0}, ("entry",))

    async with opened(store) as ledger:
        await disclosed(ledger)
        noted = AtEntry(lambda id_: update(act_head).values(number=id_ & 0xFF))
        await ledger.append_together([an_act("0", of(7)), an_act("1", noted, of(8)), an_act("2", of(9))])
    with store.engine.connect() as connection:
        rows = connection.execute(select(act.c.number, act.c.entry).order_by(act.c.number)).all()
    assert [(number, id_ & 0xFF, id_ >> 40) for number, id_ in rows] == [(7, 1, 1), (8, 2, 1), (9, 3, 1)]
    assert head(store) == 2


async def test_what_is_together_is_a_group_of_its_own(store: Store) -> None:
    sizes_of: list[int] = []
    async with opened(store, committed=sizes_of.append) as ledger:
        await asyncio.gather(
            *(disclosed(ledger, n) for n in range(5)),
            ledger.append_together([an_act("a"), an_act("b")]),
            ledger.append_together([an_act("c")]),
            *(disclosed(ledger, n) for n in range(5, 8)),
        )
    assert sum(sizes_of) == 11
    at = sizes_of.index(2)
    assert sizes_of[at + 1] == 1
    assert sum(sizes_of[:at]) == 5


@pytest.mark.parametrize("several", [0, 257])
async def test_a_group_is_bounded(store: Store, several: int) -> None:
    async with opened(store) as ledger:
        with pytest.raises(ValueError, match="from 1 to 256"):
            await ledger.append_together([an_act("x")] * several)


async def test_a_group_that_finds_no_place_leaves_none_of_it_behind(store: Store) -> None:
    async def one(ledger: Ledger) -> object:
        return await ledger.append_together([an_act("x")] * 4)

    async with opened(store, waiting=6) as ledger:
        done = await asyncio.gather(one(ledger), one(ledger), return_exceptions=True)
        assert [type(each) for each in done] == [list, LedgerUnavailable]
    assert sizes(store) == 4
