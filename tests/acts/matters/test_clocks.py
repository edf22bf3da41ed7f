"""The clocks: each reminder and escalation once, by whichever process; and deadlines that are counted again."""

from __future__ import annotations

import asyncio
import copy
import datetime

import msgspec
import pytest
from sqlalchemy import select

from gateway.acts.matters import clocks
from gateway.acts.matters.clocks import Clocks
from gateway.acts.matters.listing import is_overdue
from gateway.rules.files.calendar import Calendar, Terms
from gateway.rules.ruleset import RuleSet
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.subjects.acts import matter
from tests.acts.desk import Desk, days, desk_on, organisation
from tests.acts.matters.cases import ARREARS, applied, decided, facts_of, objected, row
from tests.ledger.support import AT
from tests.storage.conftest import Place
from tests.waiting import until_async

KEY = "tax-arrears/N-1"


class Clock:
    """The clocks of a desk, and what they told."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.heard: list[str | None] = []
        self._clocks = Clocks(desk.office, lambda *told: self.told.append(told), lambda _, why: self.heard.append(why))
        self.run = self._clocks.run

    async def turn(self) -> list[tuple[str, str, str]]:
        """What it told now."""
        before = len(self.told)
        await self._clocks.turn()
        return self.told[before:]


def at(desk: Desk, day: str) -> None:
    """Move on to the morning of a day."""
    desk.now = datetime.datetime.combine(datetime.date.fromisoformat(day), AT.timetz())


async def test_an_objection_is_reminded_of_twice_and_then_oversights(desk: Desk) -> None:
    clock = Clock(desk)
    filed = await objected(desk, desk.subject(organisation()))  # due on Thursday, 3 December
    id_ = filed["id"]
    for day, what in {
        "2026-11-25": [], "2026-11-30": [], "2026-12-01": ["reminded"], "2026-12-02": [], "2026-12-03": ["reminded"],
        "2026-12-04": ["objection-overdue"], "2026-12-05": [], "2027-01-05": [],
    }.items():  # fmt: skip
        at(desk, day)
        for expected in (what, []):
            assert await clock.turn() == [("tax", id_, each) for each in expected], day
    acts = desk.acts()[1:]
    assert [(each.what, each.matter, each.requester.client) for each in acts] == [
        ("reminded", id_, "ledger"), ("reminded", id_, "ledger"), ("objection-overdue", id_, "ledger"),
    ]  # fmt: skip
    assert {(each.due, each.by, each.recipient.department) for each in acts if each.recipient} == {
        (datetime.date(2026, 12, 3), "", "tax")
    }
    assert [each.to and each.to.department for each in acts] == [None, None, "tax"], "what stays after an erasure"


async def test_what_was_slept_through_is_told_once(desk: Desk) -> None:
    clock, mine = Clock(desk), desk.subject(organisation())
    objection, application = await objected(desk, mine), await applied(desk, mine)
    at(desk, "2026-12-22")
    assert sorted(await clock.turn()) == sorted(
        [("tax", objection["id"], "objection-overdue"), ("tax", application["id"], "reminded")]
    )
    at(desk, "2026-12-23")
    assert await clock.turn() == [("tax", application["id"], "restoration-overdue")]


async def test_a_correction_has_a_clock_of_its_own(desk: Desk) -> None:
    clock = Clock(desk)
    filed = await objected(desk, desk.subject(organisation()))
    at(desk, "2026-12-04")
    await clock.turn()
    await decided(desk, filed["id"], "UPHELD")  # to be corrected by Friday, 11 December
    told = []
    for day in range(5, 20):
        at(desk, f"2026-12-{day:02}")
        told += [(day, what) for _, _, what in await clock.turn()]
    assert told == [(9, "reminded"), (11, "reminded"), (12, "correction-overdue")]


async def test_what_is_over_has_no_clock(desk: Desk) -> None:
    clock, mine = Clock(desk), desk.subject(organisation())
    refused, taken = await objected(desk, mine), await applied(desk, mine)
    await decided(desk, refused["id"], "REFUSED")
    await desk.ask(mine, "withdrawMatter", id=taken["id"])
    missing = await desk.ask(mine, "fileObjection", dataset="tax-arrears", reason="No.")
    await decided(desk, missing["id"], "UPHELD")
    at(desk, "2027-02-01")
    assert await clock.turn() == []


async def test_many_processes_tell_it_once(place: Place) -> None:
    async with desk_on(place.open()) as one, desk_on(place.open()) as other:
        mine = one.subject(organisation())
        for number in range(5):
            await objected(one, mine, record=ARREARS | {"record": f"N-{number}"})
        one.now = other.now = AT + days(30)
        clocks = [Clock(one), Clock(other), Clock(one)]
        told = await asyncio.gather(*(clock.turn() for clock in clocks))
        each_told = [each for several in told for each in several]
        assert len(each_told) == len(set(each_told)) == 5
        assert sum(each.what == "objection-overdue" for each in one.acts()) == 5
        assert await Clock(other).turn() == []  # as after a restart


async def test_it_goes_on_by_itself_and_says_why_it_does_not(desk: Desk) -> None:
    clock = Clock(desk)
    await objected(desk, desk.subject(organisation()))
    desk.now += days(30)
    running = asyncio.create_task(clock.run(every=0.01))
    await until_async("the clocks to tell", lambda: bool(clock.told))
    assert clock.heard == []
    await desk.ledger.close()
    to_be_told_again(desk)
    await until_async("the clocks to say that they stand still", lambda: bool(clock.heard))
    await desk.ledger.start()
    await until_async("the clocks to go on", lambda: clock.heard[-1] is None)
    assert len(clock.told) == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def to_be_told_again(desk: Desk) -> None:
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE matter SET told = 0")


def listed(desk: Desk, *holidays: str) -> None:
    """Serve with a calendar that lists these holidays, and no others of 2028."""
    calendar = desk.rules.calendar
    days_off = frozenset(map(datetime.date.fromisoformat, holidays))
    desk.rules = copied(desk, msgspec.structs.replace(calendar, holidays=days_off))


def copied(desk: Desk, calendar: Calendar) -> RuleSet:
    rules = copy.copy(desk.rules)
    rules.calendar = calendar
    return rules


async def test_a_provisional_deadline_is_counted_again_once_its_year_is_listed(desk: Desk) -> None:
    listed(desk, "2027-12-24", "2027-12-27")
    who = organisation()
    desk.now = datetime.datetime(2027, 12, 22, 9, tzinfo=datetime.UTC)  # a Wednesday
    filed = await objected(desk, desk.subject(who))
    other = await objected(desk, desk.subject(organisation()), record=ARREARS | {"record": "N-2"})
    assert (filed["due"], filed["provisional"]) == (datetime.date(2028, 1, 4), True)
    clock = Clock(desk)
    assert await clock.turn() == []
    listed(desk, "2027-12-24", "2027-12-27", "2028-01-03")
    await decided(desk, other["id"], "REFUSED")
    clock = Clock(desk)  # as a start
    assert await clock.turn() == [("tax", filed["id"], "deadline-counted")]
    assert await clock.turn() == []
    now = row(desk, filed["id"])
    assert (now.due, now.provisional, now.calendar) == ("2028-01-05", 0, desk.rules.calendar.digest)
    told = desk.acts()[-1]
    assert (told.due, told.provisional, told.changes) == (datetime.date(2028, 1, 5), False, (4, 5))
    assert (await facts_of(desk, who)).disputed == {KEY}
    desk.now = datetime.datetime(2028, 1, 5, 9, tzinfo=datetime.UTC)
    assert (await facts_of(desk, who)).overdue == frozenset()
    desk.now += days(1)
    assert (await facts_of(desk, who)).overdue == {KEY}
    assert (await decided(desk, filed["id"], "REFUSED"))["outcome"] == "REFUSED"
    assert (await facts_of(desk, who)).disputed == frozenset()


async def test_what_is_over_is_not_counted_again(desk: Desk) -> None:
    listed(desk, "2027-12-24")
    desk.now = datetime.datetime(2027, 12, 22, 9, tzinfo=datetime.UTC)
    filed = await objected(desk, desk.subject(organisation()))
    desk.now += days(30)
    listed(desk, "2027-12-24", "2028-01-03")
    assert await Clock(desk).turn() == [("tax", filed["id"], "objection-overdue")]


@pytest.mark.parametrize("term", [1, 2, 3])
async def test_a_short_term_is_reminded_of_at_once(desk: Desk, term: int) -> None:
    calendar = msgspec.structs.replace(desk.rules.calendar, terms=Terms(objection=term))
    desk.rules = copied(desk, calendar)
    clock = Clock(desk)
    await objected(desk, desk.subject(organisation()))
    assert [what for _, _, what in await clock.turn()] == (["reminded"] if term < 3 else [])


async def test_a_look_reads_no_more_than_what_runs(desk: Desk) -> None:
    """Every process looks each second: by the indexes of days, however many matters are over."""
    if not isinstance(desk.store, SqliteStore):
        pytest.skip("PostgreSQL knows the values when it plans")
    for condition in (clocks._behind(desk.office), clocks._uncounted(desk.office), is_overdue(desk.office.today())):
        query = select(matter).where(condition).compile(desk.store.engine, compile_kwargs={"render_postcompile": True})
        with desk.store.engine.connect() as connection:
            values = tuple(query.params[each] for each in query.positiontup or ())
            steps = " ".join(str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values))
        assert "matter_due" in steps, steps
        assert "matter_second_due" in steps, steps
        assert "SCAN" not in steps, steps
