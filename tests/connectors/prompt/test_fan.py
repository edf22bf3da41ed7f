"""One inquiry's questions: each department's answers are kept once, whatever the others do, and nobody waits longer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from connectors.base import Answers, Failure, Fault, RecordRequest
from connectors.prompt.fan import LATE, Fan, asked
from connectors.prompt.port import Begun, Told
from tests.connectors.asking import ACME, ask
from tests.waiting import until_async

REQUEST = RecordRequest((ask("arrears", "period"),), 0.0)
NONE: Answers = {(ACME, "arrears"): []}
EXPIRED: Answers = {(ACME, "arrears"): Failure(Fault.TIMEOUT, True, "late")}


class Waiting:
    """A department that is asked by `fetch` alone, and answers when it is let."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def fetch(self, _: RecordRequest) -> Any:
        return await self.answer

    async def close(self) -> None:
        self.answer.cancel()


class Prompt(Waiting):
    """One that is asked at once; its own time ends after `seconds`."""

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__()
        self.end = asyncio.get_running_loop().time() + seconds
        self.told: Callable[[Told], None] = lambda _: None
        self.abandoned = 0

    def begin(self, _: RecordRequest, told: Callable[[Told], None]) -> Begun | None:
        self.told = told
        return self

    def late(self) -> None:
        self.told(EXPIRED)

    def abandon(self) -> None:
        self.abandoned += 1


def fan_of(connectors: list[Any], seconds: float = 60.0) -> tuple[Fan, list[list[Any]]]:
    fan = Fan(asyncio.get_running_loop().time() + seconds)
    kept: list[list[Any]] = [[] for _ in connectors]
    for connector, came in zip(connectors, kept, strict=True):
        fan.ask(connector, REQUEST, came.append)
    return fan, kept


async def test_it_ends_with_the_last_answer() -> None:
    first, second, third = Prompt(), Waiting(), Prompt()
    fan, kept = fan_of([first, second, third])
    answered = asyncio.ensure_future(fan.answered())
    first.told(NONE)
    third.told(asyncio.sleep(0, NONE))
    await asyncio.sleep(0)
    assert not answered.done()
    second.answer.set_result(NONE)
    assert await answered == 0
    assert kept == [[NONE], [NONE], [NONE]]
    assert first.abandoned == third.abandoned == 0


async def test_what_has_ended_leaves_nothing_to_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        first = Prompt()
        fan, kept = fan_of([first])
        answered = asyncio.ensure_future(fan.answered())
        await asyncio.sleep(0)
        first.told(NONE)
        assert await answered == 0
        first.told = lambda _: None
        del fan, answered
        assert kept == [[NONE]]
        assert not [each for each in gc.get_objects() if type(each) is Fan]
    finally:
        gc.enable()


async def test_nobody_is_asked_and_nothing_is_waited_for() -> None:
    assert await fan_of([])[0].answered() == 0


async def test_at_the_deadline_who_has_not_answered_is_late_and_given_up() -> None:
    slow, hung, quick = Prompt(), Waiting(), Prompt()
    fan, kept = fan_of([slow, hung, quick], 0.1)
    quick.told(NONE)
    assert await fan.answered() == 2
    assert kept == [[LATE], [LATE], [NONE]]
    assert (slow.abandoned, quick.abandoned) == (1, 0)
    slow.told(NONE)
    await asyncio.sleep(0)
    assert kept == [[LATE], [LATE], [NONE]]
    assert hung.answer.cancelled()


async def test_each_has_its_own_end_by_one_timer() -> None:
    soon, sooner, later = Prompt(0.1), Prompt(0.05), Prompt(60.0)
    fan, kept = fan_of([soon, sooner, later])
    answered = asyncio.ensure_future(fan.answered())
    await until_async("two to be late", lambda: bool(kept[0] and kept[1]))
    assert not answered.done()
    later.told(NONE)
    assert await answered == 0
    assert kept == [[EXPIRED], [EXPIRED], [NONE]]


class Read:
    """An answer that came and waits to be read; `then` is what comes of it."""

    def __init__(self, of: Prompt, then: Told = NONE) -> None:
        self.of, self.then, self.times = of, then, 0

    def __call__(self) -> None:
        self.times += 1
        self.of.told(self.then)


async def test_answers_are_read_together_once_the_last_is_there() -> None:
    first, second, third = Prompt(), Waiting(), Prompt()
    fan, kept = fan_of([first, second, third])
    answered = asyncio.ensure_future(fan.answered())
    await asyncio.sleep(0)
    first.told(Read(first))
    third.told(Read(third, asyncio.sleep(0, NONE)))
    assert kept == [[], [], []]
    second.answer.set_result(NONE)
    assert await answered == 0
    assert kept == [[NONE], [NONE], [NONE]]


async def test_no_answer_waits_long_for_a_slow_department() -> None:
    quick, slow = Prompt(), Prompt()
    fan, kept = fan_of([quick, slow])
    answered = asyncio.ensure_future(fan.answered())
    await asyncio.sleep(0)
    quick.told(Read(quick))
    assert kept == [[], []]
    await until_async("the quick one to be read", lambda: kept[0] == [NONE])
    assert not answered.done()
    slow.told(Read(slow))
    assert kept[1] == [NONE]
    assert await answered == 0


async def test_what_came_in_time_is_no_late_answer() -> None:
    quick, slow = Prompt(0.01), Prompt()
    fan, kept = fan_of([quick, slow], 0.01)
    answered = asyncio.ensure_future(fan.answered())
    await asyncio.sleep(0)
    quick.told(Read(quick))
    assert await answered == 1
    assert kept == [[NONE], [LATE]]


async def test_what_nobody_waits_for_is_not_read() -> None:
    quick, slow = Prompt(), Prompt()
    fan, kept = fan_of([quick, slow])
    answered = asyncio.ensure_future(fan.answered())
    await asyncio.sleep(0)
    read = Read(quick)
    quick.told(read)
    answered.cancel()
    await asyncio.wait([answered])
    assert kept == [[LATE], [LATE]]
    assert (quick.abandoned, slow.abandoned, read.times) == (1, 1, 0)


async def test_where_each_is_timed_each_is_read_as_it_comes() -> None:
    fan = Fan(asyncio.get_running_loop().time() + 60.0, apart=True)
    first, second = Prompt(), Prompt()
    kept: list[Any] = []
    for each in (first, second):
        fan.ask(each, REQUEST, kept.append)
    first.told(Read(first))
    assert kept == [NONE]
    second.told(NONE)
    assert await fan.answered() == 0


async def test_an_inquiry_that_is_abandoned_gives_all_up() -> None:
    first, second = Prompt(), Waiting()
    fan, kept = fan_of([first, second])
    answered = asyncio.ensure_future(fan.answered())
    await asyncio.sleep(0)
    answered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answered
    await asyncio.sleep(0)
    assert kept == [[LATE], [LATE]]
    assert first.abandoned == 1
    assert second.answer.cancelled()


def fails(*_: Any) -> Any:
    raise ZeroDivisionError


async def test_a_defect_is_that_departments_own(monkeypatch: pytest.MonkeyPatch) -> None:
    unable, unready, sound = Prompt(), Waiting(), Prompt()
    monkeypatch.setattr(unable, "begin", fails)
    monkeypatch.setattr(unready, "fetch", fails)
    fan, kept = fan_of([unable, unready, sound])
    sound.told(NONE)
    assert await fan.answered() == 0
    assert [type(came[0]) for came in kept] == [ZeroDivisionError, ZeroDivisionError, dict]


async def test_whoever_answers_at_once_ends_nothing_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    unable, slow = Prompt(), Prompt()
    monkeypatch.setattr(unable, "begin", fails)
    fan, kept = fan_of([unable, slow])
    answered = asyncio.ensure_future(fan.answered())
    await asyncio.sleep(0)
    assert not answered.done()
    slow.told(NONE)
    assert await answered == 0
    assert kept[1] == [NONE]


async def test_one_connector_alone() -> None:
    waiting, prompt = Waiting(), Prompt()
    waiting.answer.set_result(NONE)
    assert await asked(waiting, REQUEST) is NONE
    for told in (NONE, asyncio.sleep(0, NONE), Read(prompt)):
        alone = asyncio.ensure_future(asked(prompt, REQUEST))
        await asyncio.sleep(0)
        prompt.told(told)
        assert await alone is NONE
    assert await asked(Prompt(0.05), REQUEST) is EXPIRED
    alone = asyncio.ensure_future(asked(prompt, REQUEST))
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.wait([alone])
    assert prompt.abandoned == 1
    alone = asyncio.ensure_future(asked(prompt, REQUEST))
    await asyncio.sleep(0)
    prompt.told(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await alone
