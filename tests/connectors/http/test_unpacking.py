"""What is large is read beside the event loop: one at a time, and with a rest after each that is as long as it took."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.http import unpacking


class Time:
    """A clock that goes on only when somebody works or rests."""

    def __init__(self) -> None:
        self.now, self.rests = 100.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=8))
def test_a_work_begins_no_sooner_than_the_one_before_has_rested(works: list[tuple[float, float]]) -> None:
    time, rests = Time(), unpacking._Rests()
    free = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "time", time)
        for idle, long in works:
            time.now += idle
            began: list[float] = []

            def work(long: float = long, began: list[float] = began) -> float:
                began.append(time.now)
                time.now += long
                return long

            assert rests.run(work) == long
            assert began[0] >= free - 1e-9
            free = time.now + long


def test_a_work_that_fails_is_followed_by_its_rest_too(monkeypatch: pytest.MonkeyPatch) -> None:
    time, rests = Time(), unpacking._Rests()
    monkeypatch.setattr(unpacking, "time", time)

    def fails() -> None:
        time.now += 3
        raise ValueError("no JSON")

    with pytest.raises(ValueError, match="no JSON"):
        rests.run(fails)
    rests.run(lambda: None)
    assert time.rests == [0.0, 3.0]


async def test_one_is_done_at_a_time() -> None:
    together, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        sum(range(20_000))
        with lock:
            together -= 1

    await asyncio.gather(*(unpacking.beside(None, work) for _ in range(16)))
    assert (together, most) == (0, 1)


async def test_each_owner_has_its_turn_however_much_another_has(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, done = unpacking._Turns(), list[str]()
    begin = threading.Event()
    first = turns.begin("much", lambda: begin.wait(10))
    waiting = [turns.begin("much", lambda: done.append("much")) for _ in range(6)]
    waiting += [turns.begin(owner, lambda owner=owner: done.append(owner)) for owner in ("one", "one", "two")]
    left = waiting.pop(1)
    assert left.cancel()
    begin.set()
    await asyncio.gather(*map(asyncio.wrap_future, [first, *waiting]))
    assert done[:5] == ["much", "one", "two", "one", "much"] or done[:5] == ["much", "one", "two", "much", "one"]
    assert (len(done), done.count("one"), turns._waiting) == (8, 2, {})


async def test_what_a_work_raises_is_raised_to_its_owner_and_ends_no_others() -> None:
    turns = unpacking._Turns()

    def fails() -> None:
        raise ValueError("no JSON")

    futures = [turns.begin(1, fails), turns.begin(1, lambda: None)]
    with pytest.raises(ValueError, match="no JSON"):
        await asyncio.wrap_future(futures[0])
    assert await asyncio.wrap_future(futures[1]) is None
