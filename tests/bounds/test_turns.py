"""Turns: who has one, whose is next, and that none is lost."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bounds.turns import Turns
from gateway.errors import Crowded


async def waiting(turns: Turns, key: str, served: list[str], *, first: bool = False) -> asyncio.Task[None]:
    """A task that waits for a turn, gives it back at once, and notes that it had it."""

    async def run() -> None:
        await turns.take(key, first=first)
        served.append(key)
        turns.give(key)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


async def test_one_who_sends_much_waits_for_itself() -> None:
    turns, served = Turns(1, 1, 10), list[str]()
    await turns.take("busy")
    tasks = [await waiting(turns, key, served) for key in ("much", "much", "much", "little", "other")]
    turns.give("busy")
    await asyncio.gather(*tasks)
    assert served == ["much", "little", "other", "much", "much"]


async def test_who_comes_first_is_before_all_others() -> None:
    turns, served = Turns(1, 1, 10), list[str]()
    await turns.take("busy")
    tasks = [await waiting(turns, "stranger", served) for _ in range(3)]
    tasks.append(await waiting(turns, "known", served, first=True))
    turns.give("busy")
    await asyncio.gather(*tasks)
    assert served[0] == "known"


async def test_too_many_are_told_at_once() -> None:
    turns = Turns(1, 1, 2, all_waiting=3)
    await turns.take("a")
    tasks = [await waiting(turns, "a", []) for _ in range(2)]
    with pytest.raises(Crowded):
        await turns.take("a")
    tasks.append(await waiting(turns, "b", []))
    with pytest.raises(Crowded):
        await turns.take("c")
    turns.give("a")
    await asyncio.gather(*tasks)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.sampled_from(["wait", "leave", "give"]))))
def test_no_turn_is_lost_and_none_is_given_twice(steps: list[tuple[str, bool, str]]) -> None:
    async def run() -> None:
        turns, held, most = Turns(3, 2, 50), list[str](), [0]
        open_: list[asyncio.Task[None]] = []

        async def take(key: str, first: bool) -> None:
            await turns.take(key, first=first)
            held.append(key)
            most[0] = max(most[0], len(held))
            assert held.count(key) <= 2

        for key, first, what in steps:
            if what == "wait":
                open_.append(asyncio.create_task(take(key, first)))
            elif what == "leave" and open_:
                open_[0].cancel()
            elif what == "give" and held:
                turns.give(held.pop())
            if first:
                await asyncio.sleep(0)
            open_ = [task for task in open_ if not task.done()]
        for _ in range(10 + 2 * len(steps)):
            await asyncio.sleep(0)
            while held:
                turns.give(held.pop())
        for task in open_:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        while held:
            turns.give(held.pop())
        assert most[0] <= 3
        assert (turns._taken, len(turns._first), len(turns._others)) == ({}, 0, 0)

    asyncio.run(run())
