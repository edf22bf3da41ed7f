"""What people do, one act at a time, and pages of a history of 100,000 looks. CPU of the whole process.

Each is a whole question, from the bytes of its request to those of its answer, with its own durable entry; without
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

import msgspec

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

LOOKS, PAGE, TURNS, ACTS = 100_000, 50, 21, 41
SECRET = 100
"""Of so many one is kept from its subject for two days."""
MOST_MS, MOST_ACT_MS = 20.0, 5.0
_TOGETHER = 500
_OBJECT = """mutation($reason: String!) {
  fileObjection(record: {dataset: "tax-arrears", record: "R-1"}, reason: $reason) { id due } }"""
_DECIDE = """mutation($id: ID!, $reason: String!) {
  decideObjection(id: $id, outcome: REFUSED, reason: $reason) { id state } }"""
_OPT_OUT = """mutation { setOptOut(dataset: "tax-awards", optedOut: true) { optedOut } }"""
_GRANT = """mutation($until: Date!) { grantConsent(
  requester: {issuer: "https://login.example", client: "labour-office"}, purpose: SUBSIDY_ASSESSMENT,
  fields: [{dataset: "income-statements", fields: ["taxableIncome", "year"]}], until: $until) { id } }"""
_REVOKE = "mutation($id: ID!) { revokeConsent(id: $id) { revoked } }"
_REPORT = """mutation($subject: IdentifierInput!, $reason: String!) { reportChange(subject: $subject,
  record: {dataset: "tax-arrears", record: "R-1"}, event: WITHDRAWN, reason: $reason) { id state } }"""
_REASON = "The amount was paid before the notice was sent; the bank confirms it. "


def run(_folder: Path, _cores: Cores, say: Callable[[str], None]) -> list[Measured]:
    with opened() as world:
        looking, subject = Looking(world), new_subject()
        say(f"{ACTS} acts of each kind")
        rows = _acts(looking)
        say(f"entering {LOOKS:,} looks at one subject")
        begun = world.now
        world.run(_fill(world, subject))
        looking.project()
        world.now = begun + datetime.timedelta(seconds=LOOKS + 3600)
        world.entries()
        for name, place in (("first", 0.0), ("middle", 0.5), ("last", 0.999)):
            after = Cursor(Row(micros(begun + datetime.timedelta(seconds=place * LOOKS)) - 1, 0)).text
            took = [_page(looking, subject, after) for _ in range(TURNS)]
            rows.append({"bench": "acts", "name": f"accessHistory, {name} page of {PAGE} among {LOOKS:,} looks",
                         "cpu_ms": round(statistics.median(took), 2)})  # fmt: skip
        return rows


def budget(rows: list[Measured]) -> list[Line]:
    """An act of whatever kind, and a page of the history at whatever depth."""
    pages = [row["cpu_ms"] for row in rows if "page" in row["name"]]
    acts = [row["cpu_ms"] for row in rows if "page" not in row["name"]]
    return [
        Line("an act", max(acts), "ms", MOST_ACT_MS, MOST_ACT_MS / 2),
        Line("a page of a subject's history", max(pages), "ms", MOST_MS, MOST_MS / 2),
    ]


def _acts(looking: Looking) -> list[Measured]:
    """Each kind of act, about a new subject each time."""
    took: dict[str, list[float]] = {}
    until = (looking.world.now.date() + datetime.timedelta(days=90)).isoformat()

    def act(name: str, who: Any, query: str, **variables: Any) -> Any:
        begun = time.process_time()
        reply = looking.ask(who, query, variables)
        took.setdefault(name, []).append(time.process_time() - begun)
        assert not reply.errors, reply.errors
        (done,) = reply.data.values()
        return done

    for _ in range(ACTS):
        stewards = looking.world.requester("tax-stewards", official="t.weber", scopes=("steward",))
        subject = new_subject()
        at = looking.world.now.timestamp()
        who = msgspec.structs.replace(looking.who(subject), person="p-1", auth_time=at)
        matter = act("file an objection", who, _OBJECT, reason=_REASON)
        act("decide an objection", stewards, _DECIDE, id=matter["id"], reason=_REASON)
        act("opt out", who, _OPT_OUT)
        person = new_subject("person")
        who = msgspec.structs.replace(looking.who(person), person="p-1", auth_time=at)
        consent = act("grant a consent", who, _GRANT, until=until)
        act("revoke a consent", who, _REVOKE, id=consent["id"])
        named = {"scheme": subject.scheme, "value": subject.value}
        act("report a change", stewards, _REPORT, subject=named, reason=_REASON)
        looking.later(minutes=1)
    return [
        {"bench": "acts", "name": each, "cpu_ms": round(statistics.median(of) * 1e3, 2)} for each, of in took.items()
    ]


async def _fill(world: World, subject: Subject) -> None:
    """An inquiry per second, by several requesters."""
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
