"""Shares of CPU time: what is measured, who is refused, and when no more."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.bounds import shares as module
from gateway.bounds.shares import Shares
from gateway.errors import Code, Refusal
from tests.waiting import until_async


class Clock:
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def __call__(self) -> datetime.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shares(clock: Clock) -> Iterator[Shares]:
    made = Shares(clock, share=0.25, saved=0.05)
    yield made
    made.close()


def burn() -> str:
    """Use a tenth of a second of this thread's CPU time."""
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
    return threading.current_thread().name


async def test_a_share_that_is_spent_refuses_until_there_is_some_again(shares: Shares, clock: Clock) -> None:
    assert await shares.do("much", burn) != threading.current_thread().name
    with pytest.raises(Refusal) as refused:
        await shares.do("much", burn)
    assert (refused.value.code, refused.value.status) == (Code.QUOTA_EXCEEDED, 429)
    assert int(refused.value.headers["Retry-After"]) >= 1
    assert refused.value.extensions["quota"] == "documents"
    assert datetime.datetime.fromisoformat(refused.value.extensions["resetsAt"]) > clock.now
    assert await shares.do("other", lambda: "done") == "done"
    clock.now += datetime.timedelta(seconds=int(refused.value.headers["Retry-After"]))
    assert await shares.do("much", lambda: "done") == "done"


async def test_what_waits_is_done_in_turn_and_bounded(shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    hold, done = threading.Event(), list[str]()
    monkeypatch.setattr(shares, "_check", lambda account: None)
    held = [asyncio.create_task(shares.do(key, hold.wait)) for key in ("much", "held")]
    await until_async("both threads to be held", lambda: len(shares._turns._taken) == 2)
    tasks = [asyncio.create_task(shares.do("much", lambda: done.append("much"))) for _ in range(module.WAITING)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(shares.do("little", lambda: done.append("little"))))
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await shares.do("much", burn)
    assert refused.value.headers["Retry-After"] == "1"
    hold.set()
    await asyncio.gather(*held, *tasks)
    assert done.index("little") < module.WAITING // 3  # the third, but for threads that the machine keeps waiting


async def test_a_turn_ends_with_its_work_also_where_that_fails_or_nobody_waits(shares: Shares) -> None:
    with pytest.raises(ZeroDivisionError):
        await shares.do("a", lambda: 1 // 0)
    hold = threading.Event()
    task = asyncio.create_task(shares.do("a", hold.wait))
    await until_async("it to have begun", lambda: shares._turns._taken)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shares._turns._taken == {"a": 1}
    hold.set()
    await until_async("the turn to end", lambda: not shares._turns._taken)


async def test_a_burst_of_one_document_is_one_piece_of_work() -> None:
    """A client that sends its document a thousand times at once after a start has not a thousand pieces waiting."""
    shares, worked = Shares(lambda: datetime.datetime.now(datetime.UTC)), list[int]()

    def work() -> str:
        worked.append(1)
        return "compiled"

    async with asyncio.timeout(30):
        assert await asyncio.gather(*(shares.once("a", "document", work) for _ in range(1000))) == ["compiled"] * 1000
        assert len(worked) == 1
        assert await shares.once("b", "document", work) == "compiled"
        assert len(worked) == 2

        def fails() -> str:
            raise ValueError("not a document")

        told = await asyncio.gather(*(shares.once("a", "other", fails) for _ in range(100)), return_exceptions=True)
    assert [type(each) for each in told] == [ValueError] * 100
    shares.close()
