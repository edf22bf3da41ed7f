"""What tests of matters share: records to object to, and stewards who decide."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from connectors.base import Subject
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Requester
from gateway.storage.subjects.acts import Matter, matter
from gateway.storage.subjects.kinds import SubjectFacts
from tests.acts.desk import Desk

ARREARS = {"dataset": "tax-arrears", "record": "N-1", "version": "1"}
WHY = "The amount was paid in March."
PAPER = {"issuer": "Tax Service", "number": "R 17/2026"}


async def objected(desk: Desk, who: Requester, **more: Any) -> Any:
    given = {"record": ARREARS, "reason": WHY} | more
    return await desk.ask(who, "fileObjection", **given)


async def applied(desk: Desk, who: Requester, **more: Any) -> Any:
    given = {"record": ARREARS, "reason": "All is paid."} | more
    return await desk.ask(who, "applyForRestoration", **given)


def steward(desk: Desk, name: str = "s.one", department: str = "tax") -> Requester:
    return desk.official(department, name)


async def decided(desk: Desk, id_: str, outcome: str, by: str = "s.one", *, of: str = "Objection") -> Any:
    return await desk.ask(steward(desk, by), f"decide{of}", id=id_, outcome=outcome, reason="It is so.")


async def facts_of(desk: Desk, subject: Subject) -> SubjectFacts:
    source = desk.store.facts()
    try:
        found = await FactsReader(source, desk.office.zone).read([subject], desk.now, ("", ""))
    finally:
        source.close()
    return found.subjects[subject]


def row(desk: Desk, id_: str) -> Matter:
    with desk.store.engine.connect() as connection:
        return Matter._make(connection.execute(select(matter).where(matter.c.id == id_)).one())
