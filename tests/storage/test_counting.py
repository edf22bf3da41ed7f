"""Counts in the store admit what a naive model admits, whenever they restart and however far the projector is. Memory
stays bounded; what is altered, erased or over is noticed, or gone."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import itertools
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from gateway.catalogue.model import Period
from gateway.errors import VerificationFailed
from gateway.inquiry.counting import known
from gateway.ledger.log import keyring
from gateway.ledger.projections import displays, projector
from gateway.ledger.projections.seen import seen_of
from gateway.ledger.stored import read
from gateway.ledger.verify.rows.projected import Projected
from gateway.ledger.verify.rows.sought import Sought
from gateway.rules.model import Quota, Quotas
from gateway.storage import destruction
from gateway.storage.port import Store
from gateway.storage.projections import counted as counts
from gateway.storage.projections import projecting as kept
from gateway.storage.projections.counted import counted
from gateway.storage.tables import micros
from tests.ledger.support import opened
from tests.storage.counting import DAY, HOUR, P1D, P1M, WIDE, Ask, Naive, Office, purpose

MOMENT, SECOND = datetime.timedelta(microseconds=1), datetime.timedelta(seconds=1)
SOON = [0 * DAY, MOMENT, SECOND, 60 * SECOND, 290 * SECOND]
LATER = [599 * SECOND, 600 * SECOND, HOUR - MOMENT, HOUR, DAY - MOMENT, DAY, 28 * DAY]

asks = st.builds(
    Ask,
    st.sampled_from(["market", "market", "tax"]),
    st.sampled_from(["m.ivanova", "p.sorel", None]),
    st.sampled_from([(0,), (0,), (1,), (2,), (3,), (0, 1)]),
    st.sampled_from(["C-1", "C-1", "C-2"]),
    st.sampled_from([None, "r-1"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(SOON * 4 + LATER),
        asks,
        st.sampled_from(["", "", "enter", "enter", "project", "project", "prove", "restart", "drop"]),
    ),
    min_size=8,
    max_size=24,
)
quotas = st.builds(
    lambda a, b, c, d: Quotas(Quota(a, a + b), Quota(a + c, a + b + c + d)),
    *(st.integers(1, 2), st.integers(0, 1), st.integers(0, 2), st.integers(0, 1)),
)
allowances = st.tuples(
    st.integers(1, 3),
    st.sampled_from([P1D, P1M, Period("P1M2D", 1, 2)]),
    st.booleans(),
    st.one_of(st.just(WIDE), st.just(None), quotas),
)


def equals_the_naive_model(store: Store, examples: int) -> None:
    numbers = itertools.count()
    begin = [datetime.datetime(2026, 1, 30, 23, 30, tzinfo=datetime.UTC)]
    kept.count_for(store.engine, 40)

    async def check(allowance: tuple[Any, ...], asked: list[tuple[Any, ...]], most: int) -> None:
        number = next(numbers)
        allowed, naive = purpose(allowance[0], allowance[1], allowance[3], f"P-{number}", allowance[2]), None
        naive = Naive(allowed)
        async with opened(store) as ledger:
            office = Office(store, ledger, {allowed.name: allowed}, most, batch=2)
            office.now = begin[0]
            try:
                await office.open()
                for later, ask, then in asked:
                    office.now += later
                    found = await office.ask(allowed, ask)
                    if found == "unavailable":  # its counts were dropped: it reads again what they lack
                        await office.enter()
                        await office.open()
                        found = await office.ask(allowed, ask)
                    assert found == naive.ask(office.now, ask)
                    if then == "enter":
                        await office.enter()
                    elif then == "project":
                        office.projector.turn()
                    elif then == "prove":
                        await office.admission.known.prove()
                    elif then == "restart":
                        await office.restart()
                    elif then == "drop":
                        office.drop()
                await office.enter()
            finally:
                begin[0] = office.now + 40 * DAY  # what was asked before counts no more
                await office.close()

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None)
    @given(allowances, steps, st.sampled_from([1, 1, 100]))
    def all_of_it(allowance: tuple[Any, ...], asked: list[tuple[Any, ...]], most: int) -> None:
        asyncio.run(check(allowance, asked, most))

    all_of_it()


def test_counts_equal_the_naive_model_through_restarts_and_lag(store: Store) -> None:
    equals_the_naive_model(store, 25)


# Memory


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # what is kept is the same; this is the faster one
def test_memory_does_not_grow_with_the_subjects_that_were_asked_about(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_SUBJECTS", 512)  # what is full before the first look grows no more
    kept.count_for(store.engine, 40)
    allowed, most = purpose(1, P1M), 500

    async def all_of_it() -> None:
        async with opened(store) as ledger:
            office = Office(store, ledger, {allowed.name: allowed}, most, batch=512)
            await office.open()
            office.projector._known = displays.Known(100)  # it keeps so many of the last, and is full from then on

            async def ask(first: int, last: int) -> int:
                for number in range(first, last):
                    assert await office.ask(allowed, Ask("market", "m.ivanova", (number,))) == "counted"
                    if number % 250 == 249:
                        office.now += SECOND
                        await office.enter()
                        while office.projector.turn():
                            pass
                        await office.admission.known.prove()
                gc.collect()
                return tracemalloc.get_traced_memory()[0]

            tracemalloc.start()
            try:
                few = await ask(0, 1_250)
                assert await ask(1_250, 3_250) - few < 100_000, "more than 50 bytes per subject"
            finally:
                tracemalloc.stop()
            assert len(office.admission.known._pasts) <= most + 250
            for number in (0, 1_000, 3_249):
                assert await office.ask(allowed, Ask("market", "m.ivanova", (number,))) == "refused"
            await office.close()

    asyncio.run(all_of_it())


async def test_what_never_was_entered_is_let_go(store: Store) -> None:
    kept.count_for(store.engine, 40)
    allowed = purpose(1, P1D)
    async with opened(store) as ledger:
        office = Office(store, ledger, {allowed.name: allowed}, 1, batch=512)
        await office.open()
        assert await office.ask(allowed, Ask("market", None, (1,))) == "counted"
        office.unentered.clear()  # as where its token ended meanwhile
        await office.admission.known.prove()
        assert len(office.admission.known._marks) == 1
        office.now += datetime.timedelta(seconds=known._NEVER + 1)
        await office.admission.known.prove()
        assert not office.admission.known._marks
        await office.close()


# What stands there


async def office_with(store: Store, stack: contextlib.AsyncExitStack, asked: int) -> Office:
    """One that has entered and projected so many inquiries."""
    kept.count_for(store.engine, 2)
    allowed = purpose(1, P1D)
    ledger = await stack.enter_async_context(opened(store))
    office = Office(store, ledger, {allowed.name: allowed}, 100, batch=512)
    stack.push_async_callback(office.close)
    await office.open()
    for number in range(asked):
        assert await office.ask(allowed, Ask("market", "m.ivanova", (number,), "C-1")) == "counted"
    await office.enter()
    while office.projector.turn():
        pass
    return office


def rows(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(counted)).scalar_one())


async def test_nobody_is_named(store: Store) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await office_with(store, stack, 3)
        with store.engine.connect() as connection:
            said = repr(connection.execute(select(counted)).all())
        assert rows(store) == 3
        for name in ("market", "ivanova", "C-1", "LEI", f"{1:020d}", "TENDER"):
            assert name not in said


async def test_rows_whose_period_ended_are_removed_and_no_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "_ROUND", 0.0)  # each turn looks for them
    async with contextlib.AsyncExitStack() as stack:
        office = await office_with(store, stack, 3)
        allowed = purpose(1, P1D)
        office.now += 2 * DAY
        assert await office.ask(allowed, Ask("market", None, (7,))) == "counted"
        await office.enter()
        while office.projector.turn():
            pass
        assert rows(store) == 4, "a day longer than they count, since somebody may be reading"
        office.now += 1.5 * DAY
        assert await office.ask(allowed, Ask("market", None, (8,))) == "counted"
        await office.enter()
        while office.projector.turn():
            pass
        assert rows(store) == 2


async def test_a_longer_period_has_the_rows_made_again(store: Store) -> None:
    async with contextlib.AsyncExitStack() as stack:
        office = await office_with(store, stack, 3)
        with store.engine.connect() as connection:
            before = counts.current(connection)
        kept.count_for(store.engine, 2)
        with store.engine.connect() as connection:
            assert counts.current(connection) == before
        kept.count_for(store.engine, 40)
        assert await office.ask(purpose(1, P1D), Ask("market", None, (9,))) == "unavailable"
        await office.open()
        while office.projector.turn():
            pass
        assert rows(store) == 3
        assert await office.ask(purpose(1, P1D), Ask("market", None, (1,), "C-1")) == "refused"


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM counted WHERE entry = (SELECT min(entry) FROM counted)",
        "UPDATE counted SET subject = subject - 1 WHERE entry = (SELECT min(entry) FROM counted)",
        "UPDATE counted SET about_case = 7 WHERE entry = (SELECT min(entry) FROM counted)",
        "INSERT INTO counted SELECT subject, requester, at + 1, entry, 7, NULL, NULL, NULL FROM counted",
        "UPDATE counting SET secret = :other",
    ],
)
async def test_what_the_entries_do_not_bear_out_is_named(store: Store, change: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await office_with(store, stack, 3)
        check(store)
        with store.engine.begin() as connection:
            connection.execute(text(change), {"other": bytes(32)} if ":other" in change else {})
        with pytest.raises(VerificationFailed, match="projection `counted`"):
            check(store)


def check(store: Store) -> None:
    """As `ledger verify` holds projections to the entries."""
    with contextlib.closing(store.reader()) as reader:
        held = Projected(reader)
        for head in read.heads(reader):
            seen = [
                seen_of(each, micros(each.at), each.read_told(), each.read_oversight())
                for each in read.read_entries(reader, head.id, 0, head.size)
            ]
            held.add(Sought(held.expected).take(reader, head, seen))
        held.check(reader)


async def test_an_erasure_leaves_no_count_of_the_subject(store: Store) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await office_with(store, stack, 3)
        subject = ("LEI", f"{1:020d}")
        keys = destruction.keys_of(store.engine, *subject)
        with store.engine.begin() as connection:
            for statement in destruction.destroying(store.engine, "2", keys, text("SELECT 1")):
                connection.execute(statement)  # type: ignore[call-overload]
        with store.engine.connect() as connection:
            secret = counts.current(connection).secret
            left = connection.execute(select(counted.c.subject)).scalars().all()
        digests = counts.Digests(secret)
        assert sorted(left) == sorted(digests.subject("LEI", f"{number:020d}") for number in (0, 2))
        check(store)
