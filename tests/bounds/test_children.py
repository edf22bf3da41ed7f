"""Work in a process of its own: one piece at a time, few that wait, and told why where it cannot be done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from gateway.bounds.children import OneAtATime
from gateway.errors import Code, CommandRefused, Refusal


async def test_one_is_done_at_a_time_and_who_is_too_many_is_told() -> None:
    free, on, most = threading.Event(), [0], [0]

    def do(asked: int) -> int:
        on[0] += 1
        most[0] = max(most[0], on[0])
        free.wait()
        on[0] -= 1
        return 2 * asked

    process = OneAtATime(do, 3, "others are looked at now")
    waiting = [asyncio.create_task(process.ask(each)) for each in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="others are looked at now") as refused:
        await process.ask(3)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == (Code.DECISION_UNAVAILABLE, "5")
    free.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4]
    assert most == [1]
    assert await process.ask(4) == 8


async def test_what_cannot_be_done_is_refused_and_holds_up_nobody() -> None:
    def do(asked: int) -> int:
        if asked:
            raise CommandRefused("it takes too long")
        return asked

    process = OneAtATime(do, 1, "busy")
    for _ in range(3):
        with pytest.raises(Refusal, match="takes too long") as refused:
            await process.ask(1)
        assert (refused.value.code, refused.value.extensions["reason"]) == (Code.MATTER_INVALID, "LIMIT")
    assert await process.ask(0) == 0


@pytest.mark.parametrize("work", ["bytearray(2**30)", "[0 for _ in iter(int, 1)]"])
def test_a_process_that_takes_more_than_it_may_ends(work: str) -> None:
    program = f"from gateway.bounds.children import bound; bound(2**29, 1); {work}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
