"""A request, an approval, and what keeps a subject from being erased."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Sequence

from sqlalchemy import insert

from connectors.base import Subject
from gateway.ledger.entry import entries
from gateway.ledger.erasure import erase, hold
from gateway.ledger.erasure.blockers import BLOCKERS, Blocker
from gateway.ledger.log.operator import CLIENT, enter
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.stored import read
from gateway.storage.port import Store
from gateway.storage.subjects import acts, facts
from gateway.storage.tables import micros
from gateway.storage.watch import findings as watch
from tests.ledger.support import AT, BY, KEY, ORIGIN, SUBJECT, opened

NAME = (SUBJECT.scheme, SUBJECT.value)
VERIFIERS = verifiers(KEY, ORIGIN, map(str, range(1, 7)))
DAYS = datetime.timedelta(days=35)


async def requested(store: Store) -> str:
    async with opened(store) as ledger:
        return (await erase.request(ledger, NAME, "A. Clerk", "court order 7", "clerk")).id


async def approved(store: Store, id_: str, blockers: Sequence[Blocker] = BLOCKERS) -> erase.Done:
    async with opened(store) as ledger:
        return await erase.approve(ledger, id_, "B. Judge", "judge", blockers, DAYS)


async def erased(store: Store) -> erase.Done:
    return await approved(store, await requested(store))


def entered(store: Store) -> list[read.StoredEntry]:
    with contextlib.closing(store.reader()) as reader:
        return [each for head in read.heads(reader) for each in read.read_entries(reader, head.id, 0, head.size)]


def objected(store: Store) -> None:
    facts.open_objection(store.engine, Subject("organisation", *NAME), "tax-arrears", "N-1", AT.date(), AT)


def filed(store: Store, **columns: str) -> None:
    row = {"id": "0" * 32, "kind": "restoration", "state": "open", "scheme": NAME[0], "value": NAME[1], "filed": 1}
    with store.engine.begin() as connection:
        connection.execute(insert(acts.matter).values(row | {"filed_in": 1} | columns))


async def held(store: Store) -> None:
    async with opened(store) as ledger:
        await hold.place(ledger, NAME, "C. Auditor", "audit 9", "auditor")


def found(store: Store, behind: Sequence[int]) -> None:
    cursors = {each >> 40: (each & (1 << 40) - 1) + 1 for each in behind}
    kept = watch.Found("p-1", "ramp", "28(1)", 1, *BY, "m.ivanova", "TENDER_QUALIFICATION", "asked", tuple(behind))
    assert watch.advance(store.engine, watch.read_cursors(store.engine)[0], cursors, [kept])


async def open_matters(store: Store, what: str) -> None:
    if what == "hold":
        await held(store)
    elif what == "objection":
        objected(store)
    elif what == "matter":
        filed(store)
    else:
        found(store, [each.shard << 40 | each.index for each in entered(store)][:1])


async def reviewed(store: Store, finding: str) -> None:
    """End a review, as oversight does."""
    found, behind = watch.one_finding(store.engine, finding)
    async with opened(store) as ledger:
        named = tuple(f"{each >> 40}-{each & (1 << 40) - 1}" for each in behind)
        said = ("R. Reviewer", finding, found.detector, "proper", "a duty")
        told = entries.Reviewed(entries.VERSION, "review-1", AT, CLIENT, *said, named)
        at = micros(AT)
        await enter(ledger, told, "reviewer", [watch.deciding(finding, "R. Reviewer", "proper", "a duty", at)])
