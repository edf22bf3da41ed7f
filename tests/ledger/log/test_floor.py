"""The highest time of any entry that a process knows of: shared by its ledgers, and never falling."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.log.floor import Floor
from gateway.storage.tables import moment
from tests.ledgers import ledger_on
from tests.stores import store_at

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LATER = datetime.datetime(2031, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


@given(st.lists(st.integers(0, 2**51)))
def test_it_is_the_highest_of_all(times: list[int]) -> None:
    floor = Floor()
    for micros in times:
        floor.rise(micros)
    assert floor.micros == max(times, default=0)
    assert floor.at == moment(floor.micros)


def test_it_rises_with_what_is_committed_and_with_a_shard_that_is_taken(tmp_path: Path) -> None:
    store = store_at(tmp_path / "store.db")

    async def entered() -> None:
        floor = Floor()
        ledger = ledger_on(store, PRIVATE, "gateway.example/ledger", floor=floor)
        await ledger.start()
        before = floor.at
        await ledger.append(b"{}", b"{}", LATER, ("https://login.example", "client"))
        assert before < floor.at == ledger.floor == LATER
        await ledger.close()

    async def taken_over() -> None:
        floor = Floor()
        ledger = ledger_on(store, PRIVATE, "gateway.example/ledger", floor=floor)
        assert floor.micros == 0
        await ledger.start()
        assert floor.at == LATER
        await ledger.close()

    asyncio.run(entered())
    asyncio.run(taken_over())
    store.close()
