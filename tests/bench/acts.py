"""What a subject asks: pages of its history, where 100,000 looks at it are in the ledger. CPU of the whole process.

Each page is a whole question, from the bytes of its request to those of its answer, with its own durable entry; without
HTTP. The documents were compiled before.
"""

from __future__ import annotations

import asyncio
import datetime
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.base import Subject
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.projections.visible import Cursor, Row
from gateway.storage.tables import micros
from tests.acts.looking import HISTORY, Looking
from tests.bench.processes import Cores
from tests.bench.report import Line
from tests.bench.report import Row as Measured
from tests.world import World, new_subject, opened

LOOKS, PAGE, TURNS = 100_000, 50, 21
SECRET = 100
"""Of so many one is kept from its subject for two days."""
MOST_MS = 20.0
_TOGETHER = 500


def run(_folder: Path, _cores: Cores, say: Callable[[str], None]) -> list[Measured]:
    with opened() as world:
        looking, subject = Looking(world), new_subject()
        say(f"entering {LOOKS:,} looks at one subject")
        begun = world.now
        world.run(_fill(world, subject))
        looking.project()
        world.now = begun + datetime.timedelta(seconds=LOOKS + 3600)
        world.entries()
        rows = []
        for name, place in (("first", 0.0), ("middle", 0.5), ("last", 0.999)):
            after = Cursor(Row(micros(begun + datetime.timedelta(seconds=place * LOOKS)) - 1, 0)).text
            took = [_page(looking, subject, after) for _ in range(TURNS)]
            rows.append({"bench": "acts", "name": f"accessHistory, {name} page of {PAGE} among {LOOKS:,} looks",
                         "cpu_ms": round(statistics.median(took), 2)})  # fmt: skip
        return rows


def budget(rows: list[Measured]) -> list[Line]:
    """A page of the history, at whatever depth."""
    return [Line("a page of a subject's history", max(row["cpu_ms"] for row in rows), "ms", MOST_MS, MOST_MS / 2)]


async def _fill(world: World, subject: Subject) -> None:
    """An inquiry a second, by several requesters."""
    for start in range(0, LOOKS, _TOGETHER):
        await asyncio.gather(*[_look(world, subject, number) for number in range(start, start + _TOGETHER)])


async def _look(world: World, subject: Subject, number: int) -> None:
    at = world.now + datetime.timedelta(seconds=number)
    who = entries.Who("https://login.example", ("market-regulator", "civil-court")[number % 2], "market")
    given = [entries.Dataset("tax-arrears", ("amount", "period"), [f"tax-arrears/R-{number % 9}@1"])]
    told = entries.Inquiry(
        entries.VERSION, f"{number:032x}", at, who, None, entries.Declared("LICENCE_RENEWAL", f"case-{number}"), "",
        [], [entries.Disclosed(*subject, given)], entries.Data(bytes(32), bytes(32)),
    )  # fmt: skip
    ends = at + datetime.timedelta(days=2) if number % SECRET == 0 else None
    parts = split(told, entries.Oversight(entries.VERSION, "an official", 1, secret_until=ends))
    await world.ledger.append(parts.told, parts.oversight, at, (who.issuer, who.client), (), parts.subjects)


def _page(looking: Looking, subject: Subject, after: str) -> float:
    variables: dict[str, Any] = {"first": PAGE, "after": after}
    begun = time.process_time()
    reply = looking.ask(subject, HISTORY, variables)
    took = time.process_time() - begun
    assert len(reply.data["me"]["accessHistory"]["items"]) == PAGE
    return took * 1e3
