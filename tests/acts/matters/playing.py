"""Two processes on one store play the steps of a history, each held against the model."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import Any

from sqlalchemy import select

from connectors.base import Record, Subject
from gateway.acts.matters.clocks import Clocks
from gateway.acts.matters.upheld import ends_upheld, upheld_of
from gateway.errors import Refusal
from gateway.inquiry.restrain import restrain
from gateway.inquiry.types import Released
from gateway.ledger.acting.planned import Actor, Made, Planned, Row, Seen, recalled
from gateway.ledger.entry import entries
from gateway.ledger.verify.store import verify_store
from gateway.storage.subjects.acts import act, act_head, matter
from gateway.storage.subjects.facts import fact, fact_head
from gateway.storage.tables import micros
from tests.acts.desk import Desk, days, desk_on, organisation
from tests.acts.matters.cases import PAPER, WHY, facts_of, steward
from tests.acts.matters.model import OK, RECORDS, TAKES_AWAY, Model, Step
from tests.ledger.support import AT, VERIFIERS
from tests.storage.conftest import Place


class Office:
    """Two processes on one store; each can be ended and begun anew."""

    def __init__(self, place: Place, subject: Subject) -> None:
        self._place, self.subject = place, subject
        self._stacks = [contextlib.AsyncExitStack(), contextlib.AsyncExitStack()]
        self.desks: list[Desk] = []
        self.clocks: list[Clocks] = []
        self.told: list[tuple[str, str]] = []

    async def begin(self, which: int, now: datetime.datetime) -> None:
        await self._stacks[which].aclose()
        desk = await self._stacks[which].enter_async_context(desk_on(self._place.open()))
        desk.now = now
        ticking = Clocks(desk.office, lambda _, id_, what: self.told.append((id_, what)), lambda *_: None)
        if which == len(self.desks):
            self.desks.append(desk)
            self.clocks.append(ticking)
        else:
            self.desks[which], self.clocks[which] = desk, ticking

    async def close(self) -> None:
        for each in self._stacks:
            await each.aclose()

    async def ask(self, which: int, step: Step, id_: str) -> tuple[str, Any]:
        """What comes of a step: OK, or how it is refused; and the value."""
        desk = self.desks[which]
        mine, other = desk.subject(self.subject), steward(desk, step.by)
        record = {"dataset": "tax-arrears", "record": step.record, "version": step.version}
        papers = [PAPER | {"number": each} for each in step.papers]
        try:
            match step.what:
                case "object":
                    value = await desk.ask(mine, "fileObjection", record=record, reason=WHY, papers=papers)
                case "apply":
                    value = await desk.ask(mine, "applyForRestoration", record=record, reason=WHY, papers=papers)
                case "withdraw":
                    value = await desk.ask(mine, "withdrawMatter", id=id_)
                case "confirm":
                    value = await desk.ask(other, "confirm", id=id_)
                case "decline":
                    value = await desk.ask(other, "decline", id=id_, reason=WHY)
                case kind:
                    field = "decideObjection" if kind == "object!" else "decideRestoration"
                    value = await desk.ask(other, field, id=id_, outcome=step.outcome, reason=WHY)
        except Refusal as refusal:
            return str(refusal.extensions.get("reason", refusal.code)), None
        return OK, value

    async def correct(self, which: int, record: str) -> None:
        """As a confirmed change does, in an act of its own."""
        desk, subject = self.desks[which], self.subject[1:]

        def make(seen: Seen) -> Made:
            changes, numbers = ends_upheld(seen, upheld_of(seen, "tax-arrears", record, subject), "", 1)
            row = {
                "id": seen.id, "kind": "change", "state": "decided", "event": "corrected", "scheme": subject[0],
                "value": subject[1], "dataset": "tax-arrears", "record": record, "filed": micros(seen.now),
                "decided": micros(seen.now), "provisional": 0, "told": 0,
            }  # fmt: skip
            changes.append(Row(matter, row, ("filed_in",)))
            if numbers:
                changes.append(recalled(seen, "corrected", subject, dataset="tax-arrears", record=record))
            taken = tuple(range(seen.change + 1, seen.change + 1 + numbers))
            told = entries.Acted(
                entries.VERSION, seen.id, seen.now, entries.OWN, "change-confirmed", outcome="corrected",
                scheme=subject[0], value=subject[1], matter=seen.id, dataset="tax-arrears", record=record,
                changes=taken,
            )  # fmt: skip
            oversight = entries.Oversight(entries.VERSION, facts=seen.change)
            return Made(told, oversight, changes, seen.id, None, facts=numbers)

        def never(*_: object) -> None:
            raise AssertionError

        await desk.writer.act(Planned(Actor("", "ledger", ""), frozenset([subject]), (), make, never))


def released(desk: Desk, facts: Any, day: datetime.date) -> set[str]:
    """Which of the records an inquiry would be given."""
    policies = desk.rules.policies
    given = [Record(m_id=each, m_version="1", m_document="D", m_effective=AT.date() - days(30)) for each in RECORDS]
    [purpose] = [each for each in policies.purposes.values() if each.name == "TENDER_QUALIFICATION"]
    subject = Subject("organisation", "LEI", "x")
    found, _, _ = restrain(policies.catalogue.datasets["tax-arrears"], purpose, subject, given, facts, day)
    assert isinstance(found, Released)
    return {each.m_id for each in found.records}


async def played(place: Place, steps: list[Step]) -> None:
    """Play the steps, and hold each against the model."""
    office = Office(place, organisation())
    try:
        for which in (0, 1):
            await office.begin(which, AT)
        model = Model(office.desks[0])
        for step in steps:
            before = await facts_of(office.desks[0], office.subject)
            had = released(office.desks[0], before, model.today)
            await _played(office, model, step)
            found = await facts_of(office.desks[step.desk], office.subject)
            assert set(found.disputed) == model.disputed, step
            assert set(found.overdue) == model.overdue, step
            assert set(found.restored) == {f"tax-arrears/{each}" for each in model.restored}, step
            if step.what in TAKES_AWAY and not (step.what == "decide" and step.outcome == "REFUSED"):
                cleaned = any(at <= model.now for _, at in model.corrected)
                now = released(office.desks[0], found, model.today)
                assert now <= had or (step.what == "decide" and cleaned), step
        _numbered(office, model)
        verify_store(office.desks[0].store, VERIFIERS)
    finally:
        await office.close()


async def _played(office: Office, model: Model, step: Step) -> None:
    match step.what:
        case "wait":
            model.now += days(step.days)
            for desk in office.desks:
                desk.now = model.now
            office.told.clear()
            await asyncio.gather(*(each.turn() for each in office.clocks))
            assert sorted(office.told) == model.clocks(), step
        case "restart":
            await office.begin(step.desk, model.now)
        case "correct":
            await office.correct(step.desk, step.record)
            model.correct(step.record)
        case _:
            await _asked(office, model, step)


async def _asked(office: Office, model: Model, step: Step) -> None:
    files = step.what in ("object", "apply")
    if not files and not model.filed:
        return
    one = None if files else model.filed[step.which % len(model.filed)]
    wanted = step._replace(what=f"{one.kind}!") if one is not None and step.what == "decide" else step

    def come(id_: str) -> str:
        if one is None:
            return model.file(step, id_)
        if step.what == "withdraw":
            return model.withdraw(one)
        if step.what == "decline":
            return model.decline(one)
        return model.confirm(one, step.by) if step.what == "confirm" else model.decide(one, step.outcome, step.by)

    asked = [office.ask(step.desk, wanted, one.id if one else "")]
    if step.both:
        asked.append(office.ask(1 - step.desk, wanted, one.id if one else ""))
    done = sorted(await asyncio.gather(*asked), key=lambda each: each[0] != OK)
    id_ = done[0][1]["id"] if done[0][0] == OK else ""
    assert [each for each, _ in done] == [come(id_) for _ in done], step


def _numbered(office: Office, model: Model) -> None:
    """Each act has its entry and its number; no change of facts has none, and none is used twice."""
    desk = office.desks[0]
    with desk.store.engine.connect() as connection:
        numbers = connection.execute(select(act.c.number).order_by(act.c.number)).scalars().all()
        assert list(numbers) == list(range(1, len(numbers) + 1))
        assert connection.execute(select(act_head.c.number)).scalar_one() == len(numbers)
        assert connection.execute(select(fact_head.c.change)).scalar_one() == model.numbers
        made = connection.execute(select(fact.c.change)).scalars().all()
        ended = connection.execute(select(fact.c.ended).where(fact.c.ended.is_not(None))).scalars().all()
        ids = connection.execute(select(act.c.id)).scalars().all()
    assert sorted([*made, *ended]) == list(range(1, model.numbers + 1))
    acts = desk.acts()
    assert sorted(each.id for each in acts) == sorted(ids)
    assert sorted(number for each in acts for number in each.changes) == list(range(1, model.numbers + 1))
