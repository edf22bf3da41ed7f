"""Invariant 3 as a property: whatever fails, whenever, no receipt is given for what a fresh reader does not find.

A shard that answers before its commit is planted last: the same property must catch it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import LedgerUnavailable, Refusal
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.log import taking
from gateway.ledger.log.batch import Batch
from gateway.ledger.log.shard import Shard
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from tests.drawn import examples
from tests.ledger.support import VERIFIERS, disclosed, faulty_store_in, opened, receipt_of

STEPS = ["BEGIN IMMEDIATE", "INSERT INTO entry ", "INSERT INTO entry_req", "UPDATE shard", "COMMIT", "AFTER COMMIT"]

steps = st.none() | st.sampled_from(STEPS)
groups = st.lists(st.tuples(st.integers(1, 9), steps, st.sampled_from([9.0, -1.0])), min_size=1, max_size=6)


async def hold_to_it(folder: Path, plan: list[tuple[int, str | None, float]]) -> int:
    """Append group after group, failing where the plan says; gives how many receipts were given.

    Raises `AssertionError` where a receipt was given for what is not in the store.
    """
    store, given_out, answered = faulty_store_in(folder), 0, []
    for size, step, limit in plan:
        async with opened(store, inline_limit=limit) as ledger:
            await disclosed(ledger)  # so that day and requester are known, and the fault meets the group itself
            given_out += 1

            def fault(statement: str, step: str | None = step) -> None:
                if step is not None and statement.startswith(step):
                    store.fault = None
                    raise sqlite3.OperationalError("disk I/O error")

            store.fault = fault
            found = await asyncio.gather(*(disclosed(ledger, n) for n in range(size)), return_exceptions=True)
            store.fault = None
        for outcome in found:
            if isinstance(outcome, bytes):
                answered.append(receipt_of(outcome))
            else:
                assert isinstance(outcome, Refusal)
        if step is None:
            assert all(isinstance(outcome, bytes) for outcome in found)
    connection = store.reader()
    leaves = {entry.leaf for entry in read.read_entries(connection, 1, 0, 1 << 40)}
    connection.close()
    for text in answered:
        assert verify_receipt(text, VERIFIERS).leaf in leaves, "a receipt was given for what is not stored"
    verify_store(store, VERIFIERS)
    return given_out + len(answered)


@settings(max_examples=examples(20, 40), deadline=None)
@given(plan=groups)
def test_a_receipt_is_never_given_for_what_is_not_stored(plan: list[tuple[int, str | None, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(hold_to_it(Path(folder), plan)) >= len(plan)


class Hasty(Shard):
    """The planted fault: answers whatever the commit did."""

    def write(self, batch: Batch) -> asyncio.Future[None] | None:
        try:
            return super().write(batch)
        except LedgerUnavailable:
            return None


@pytest.mark.parametrize("step", ["INSERT INTO entry ", "UPDATE shard", "COMMIT"])
async def test_the_property_catches_a_shard_that_answers_too_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(taking, "Shard", Hasty)
    with pytest.raises(AssertionError, match="not stored"):
        await hold_to_it(tmp_path, [(3, step, 9.0)])
