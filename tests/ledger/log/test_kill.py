"""A process killed while it appends: whatever it answered is in the store, and the next process goes on from there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from pathlib import Path

import pytest

from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from tests.ledger.support import VERIFIERS, disclosed, opened, receipt_of, store_in


async def appended_until_killed(folder: Path, at_once: int, lines: int) -> list[tuple[int, bytes]]:
    """Run the appender, kill it after it printed so many lines, and give all that it printed whole."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ledger.log.appender", str(folder), str(at_once), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    printed = []
    try:
        for _ in range(lines):
            printed.append(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    printed += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -9
    whole = [json.loads(line) for line in printed if line.endswith(b"\n")]
    return [(number, answer.encode()) for number, answer in whole]


@pytest.mark.parametrize("at_once", [1, 40])
async def test_every_answer_has_its_entry_after_kill_9(tmp_path: Path, at_once: int) -> None:
    chance, answers = random.Random(at_once), []
    for _ in range(3):
        answers += await appended_until_killed(tmp_path, at_once, chance.randrange(20, 200))
    store = store_in(tmp_path)
    (shard,) = verify_store(store, VERIFIERS)
    assert shard.size >= len(answers) >= 60
    connection = store.reader()
    stored = {entry.index: entry for entry in read.read_entries(connection, 1, 0, shard.size)}
    connection.close()
    for number, answer in answers:
        proved = verify_receipt(receipt_of(answer), VERIFIERS)
        assert proved.told.id == f"inquiry-{number}"
        entry = stored[proved.index]
        assert entry.leaf == proved.leaf
        assert entry.told is not None
        assert entry.read_told() == proved.told
    async with opened(store) as ledger:
        assert ledger.shard == "1"
        assert verify_receipt(receipt_of(await disclosed(ledger)), VERIFIERS).index == shard.size
