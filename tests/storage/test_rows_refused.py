"""Rows that PostgreSQL takes for no reason of its own state: they end the projecting of their shard, and of no other.

Entries like these were written before tokens were bounded (`gateway.inquiry.beside.claims`).
"""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import random
import string

import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.commands import rebuild
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.worker import run
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.projections.tables import NAMES
from gateway.telemetry.log import Log
from tests.ledger.projecting import CLIENTS, Asked, enter, enter_all, reached, rows, whole
from tests.ledger.support import AT, VERIFIERS, opened
from tests.waiting import until_async

LONG = "".join(random.Random(9).choices(string.ascii_letters, k=4_500))  # it does not compress
NO_NAMES = [LONG, "a\x00b", " "]
MANY = [Asked()] * 9


async def refused(ledger: Ledger, purpose: str = "P", official: str | None = None) -> None:
    """An entry that names them."""
    who = entries.Who("https://login.example", CLIENTS[0], "")
    declared = entries.Declared(purpose)
    told = entries.Refused(entries.VERSION, "x", AT, who, "5ec0de", "INQUIRY_INVALID", "no", None, declared)
    parts = split(told, entries.Oversight(entries.VERSION, official, 0))
    await ledger.append(parts.told, parts.oversight, AT, (who.issuer, who.client), (), parts.subjects)


def turns(projector: Projector) -> None:
    assert next(count for count in range(1_000) if not projector.turn()) < 100


@pytest.mark.parametrize("official", NO_NAMES, ids=["long", "NUL", "blank"])
async def test_an_official_whom_no_token_can_name_any_more_holds_nobody_up(store: Store, official: str) -> None:
    async with opened(store) as ledger:
        await enter(ledger, Asked(), 1)
        await refused(ledger, official=official)
        await enter_all(ledger, MANY)
        projector = Projector(store)
        turns(projector)
        assert whole(store)
        assert not projector.stopped
        assert {row[1] for row in rows(store)["acted"]} == {"m.ivanova"}
        assert len(rows(store)["asked"]) == len(MANY) + 2
    assert [shard.size for shard in verify_store(store, VERIFIERS)] == [len(MANY) + 2]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize("purpose", [LONG, "a\x00b"], ids=["long", "NUL"])
async def test_a_row_that_the_store_refuses_stops_its_shard_there_and_no_other(store: Store, purpose: str) -> None:
    async with opened(store) as ledger, opened(store) as other:
        for number in range(3):
            await enter(ledger, Asked(), number)
        await refused(ledger, purpose)
        await enter_all(ledger, MANY)
        await enter_all(other, MANY[:3])
        stream, stopping = io.StringIO(), asyncio.Event()
        working = asyncio.create_task(run(store, Log(stream), stopping, rest=0))
        there = {((name, shard), at) for name in NAMES for shard, at in ((1, 3), (2, 3))}
        await until_async("all that can be projected to be", lambda: set(reached(store).items()) == there)
        await enter(other, Asked(), 9, AT + datetime.timedelta(hours=1))
        await until_async("the other shard to go on", lambda: {4} <= set(reached(store).values()))
        stopping.set()
        await working
        assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
            {"event": "projection_stopped", "level": "error", "shard": "1", "entry": 3}
        ]
        rebuild.begin(store, ("asked",))
        with pytest.raises(VerificationFailed, match="shard `1`: entry 3: the store refuses what is built from it"):
            await rebuild.build(store, ("asked",), lambda *_: None)
