"""A process killed (`kill -9`) while it acts: each act that was told stands, with its entry; none stands in part."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from gateway.storage.subjects.facts import fact
from tests.acts.whole.judging import whole
from tests.storage.conftest import Place


async def told_until_killed(url: str, seed: int, acts: int) -> list[str]:
    """Have a process act, kill it as soon as it told of so many acts, and give the ids that it told whole."""
    command = (sys.executable, "-m", "tests.acts.whole.acting", url, str(seed))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    lines = []
    try:
        for _ in range(acts):
            lines.append(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -9
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


async def test_each_act_has_its_entry_and_each_entry_its_act_after_kill_9(place: Place) -> None:
    told: list[str] = []
    for seed in range(2):
        told += await told_until_killed(place.url, seed, 50 + 20 * seed)
        store = place.open()
        ledgers = whole(store)
        acts = {each.id for each in ledgers.acts}
        assert set(told) <= acts
        assert len(acts) - len(told) <= 6 * (seed + 1), "more acts than were under way are known to nobody"
        with store.engine.connect() as connection:
            assert connection.execute(fact.select()).first() is not None
        store.close()
    assert len(set(told)) == len(told) >= 120
    assert {each.what for each in ledgers.acts} >= {
        "consent-granted", "consent-revoked", "objection-filed", "objection-decided", "matter-withdrawn", "opt-out-set",
        "opt-out-lifted", "change-reported", "change-confirmed", "restoration-filed", "restoration-decided",
        "restoration-confirmed", "change-declined", "restoration-confirmation-declined",
    }  # fmt: skip
