"""Filing: an objection disputes its record from the next inquiry on, and filing proves nothing about what is held."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import Code
from gateway.ledger.entry import entries
from gateway.ledger.verify.store import verify_store
from gateway.storage.subjects.facts import fact
from tests.acts.desk import Desk, days, organisation, person
from tests.acts.matters.cases import ARREARS, PAPER, WHY, applied, decided, facts_of, objected
from tests.ledger.support import SUBJECT as LOOKED_AT
from tests.ledger.support import VERIFIERS, disclosed

DUE = datetime.date(2026, 12, 3)
KEY = "tax-arrears/N-1"


async def test_an_objection_disputes_its_record_until_it_is_withdrawn(desk: Desk) -> None:
    who = organisation()
    mine = desk.subject(who)
    filed = await objected(desk, mine, papers=[PAPER])
    assert filed == {
        "id": filed["id"], "kind": "OBJECTION", "state": "OPEN", "scheme": who.scheme, "value": who.value,
        "dataset": "tax-arrears", "record": "N-1", "version": "1", "access": None, "filed": desk.now, "filedBy": "p-1",
        "papers": [{**PAPER, "date": None}], "due": DUE, "provisional": False, "overdue": False, "reason": WHY,
        "outcome": None, "decided": None, "because": None, "remedy": None, "correctBy": None, "look": None,
    }  # fmt: skip
    found = await facts_of(desk, who)
    assert (set(found.disputed), set(found.overdue)) == ({KEY}, set())
    desk.now += days(10)
    found = await facts_of(desk, who)
    assert (set(found.disputed), set(found.overdue)) == ({KEY}, {KEY})
    taken_back = await desk.ask(mine, "withdrawMatter", id=filed["id"])
    assert taken_back == filed | {"state": "WITHDRAWN"}
    assert (await facts_of(desk, who)).disputed == frozenset()
    assert await desk.refused(mine, "withdrawMatter", id=filed["id"]) == "STATE"
    first, second = desk.acts()
    assert (first.what, first.by, first.due, first.calendar) == (
        "objection-filed", "p-1", DUE, desk.rules.calendar.digest,
    )  # fmt: skip
    paper = entries.Paper(PAPER["issuer"], PAPER["number"])
    assert (first.matter, first.record, first.papers) == (filed["id"], "N-1", (paper,))
    assert (second.what, second.matter) == ("matter-withdrawn", filed["id"])
    assert (first.changes, second.changes) == ((1,), (2,))
    verify_store(desk.store, VERIFIERS)


async def test_the_subjects_receipt_proves_the_day_alone(desk: Desk) -> None:
    await objected(desk, desk.subject(organisation()))
    told = desk.proved().told
    assert (told.what, told.due, told.value, told.record, told.reason) == ("objection-filed", DUE, None, "", "")


WILL_NOT_DO = [
    {"record": None},
    {"dataset": "tax-arrears"},
    {"access": "a"},
    {"record": {"dataset": "no-such", "record": "N-1"}},
    {"record": {"dataset": "person-register", "record": "N-1"}},
    {"record": {"dataset": "tax-arrears", "record": " "}},
    {"record": {"dataset": "tax-arrears", "record": "N\n1"}},
    {"record": {"dataset": "tax-arrears", "record": "n" * 257}},
    {"record": ARREARS | {"version": ""}},
    {"reason": " "},
    {"reason": "x" * 4_001},
    {"reason": "a\x00b"},
    {"papers": [PAPER] * 21},
    {"papers": [{"issuer": "", "number": "1"}]},
    {"reference": "a\tb"},
]


async def test_what_will_not_do_is_refused(desk: Desk) -> None:
    for given in WILL_NOT_DO:
        asked = {"record": ARREARS, "reason": WHY} | given
        assert await desk.refused(desk.subject(organisation()), "fileObjection", **asked) == "ARGUMENT", given
        assert desk.entered() == [], given


@pytest.mark.parametrize("kind", ["fileObjection", "applyForRestoration"])
@pytest.mark.parametrize("record", ["N-1", "<b>no such</b>", "another's"])
async def test_what_is_not_there_or_not_restorable_is_filed_alike(desk: Desk, kind: str, record: str) -> None:
    """Nothing is asked of a department: what is held shows in no answer."""
    given: dict[str, Any] = {"record": {"dataset": "business-licences", "record": record}, "reason": WHY}
    filed = await desk.ask(desk.subject(organisation()), kind, **given)
    assert (filed["state"], filed["record"], filed["version"]) == ("OPEN", record, None)


async def test_an_application_has_its_own_term_and_disputes_nothing(desk: Desk) -> None:
    who = organisation()
    filed = await applied(desk, desk.subject(who))
    assert (filed["kind"], filed["due"]) == ("RESTORATION", datetime.date(2026, 12, 22))
    assert (await facts_of(desk, who)).disputed == frozenset()
    assert await desk.refused(desk.subject(who), "applyForRestoration", record=ARREARS, reason=WHY) == "LIMIT"
    await desk.ask(desk.subject(who), "withdrawMatter", id=filed["id"])
    assert (await applied(desk, desk.subject(who)))["state"] == "OPEN"


async def test_an_objection_to_what_is_missing_is_the_datasets_departments(desk: Desk) -> None:
    who = organisation()
    filed = await desk.ask(desk.subject(who), "fileObjection", dataset="tax-registrations", reason="I am registered.")
    assert (filed["dataset"], filed["record"], filed["access"]) == ("tax-registrations", None, None)
    assert (await facts_of(desk, who)).disputed == frozenset()
    again = {"dataset": "tax-registrations", "reason": WHY}
    assert await desk.refused(desk.subject(who), "fileObjection", **again) == "LIMIT"
    done = await decided(desk, filed["id"], "UPHELD")
    assert (done["state"], done["outcome"]) == ("DECIDED", "UPHELD")


async def test_a_look_that_the_subject_sees_is_the_department_s_that_looked(desk: Desk) -> None:
    await disclosed(desk.ledger, 1)
    mine = desk.subject(LOOKED_AT)
    filed = await desk.ask(mine, "fileObjection", access="inquiry-1", reason="They had no case.")
    assert (filed["access"], filed["dataset"]) == ("inquiry-1", None)
    inquiry = next(each for each in desk.entered() if isinstance(each, entries.Inquiry))
    department = inquiry.requester.department
    assert (filed["look"]["what"], filed["look"]["department"]) == ("INQUIRY", department)
    assert (filed["look"]["at"], filed["look"]["purpose"]) == (inquiry.at, inquiry.declaration.purpose)
    decided_by = desk.official("market", "m.one")
    if department == "market":
        done = await desk.ask(decided_by, "decideObjection", id=filed["id"], outcome="REFUSED", reason="They had.")
        assert done["because"] == "They had."
    for access in ("inquiry-2", "x" * 32):
        assert await desk.refused(mine, "fileObjection", access=access, reason=WHY) == Code.MATTER_NOT_FOUND
    other = desk.subject(organisation())
    assert await desk.refused(other, "fileObjection", access="inquiry-1", reason=WHY) == Code.MATTER_NOT_FOUND


async def test_one_is_open_at_a_time_and_after_a_refusal_it_takes_something_new(desk: Desk) -> None:
    who = desk.subject(organisation())
    filed = await objected(desk, who, papers=[PAPER])
    assert await desk.refused(who, "fileObjection", record=ARREARS | {"version": "9"}, reason=WHY) == "LIMIT"
    assert (await objected(desk, who, record=ARREARS | {"record": "N-2"}))["state"] == "OPEN"
    await decided(desk, filed["id"], "REFUSED")
    alike = PAPER | {"number": "r17/2026", "issuer": "tax  service"}
    for papers in (None, [], [PAPER], [alike]):
        given = {"record": ARREARS, "reason": WHY, "papers": papers}
        assert await desk.refused(who, "fileObjection", **given) == "LIMIT"
    versionless = {"dataset": "tax-arrears", "record": "N-1"}
    assert await desk.refused(who, "fileObjection", record=versionless, reason=WHY) == "LIMIT"
    second = await objected(desk, who, papers=[PAPER, PAPER | {"number": "R 18/2026"}])
    await decided(desk, second["id"], "PARTLY")
    assert await desk.refused(who, "fileObjection", record=ARREARS, reason=WHY) == "LIMIT"
    third = await objected(desk, who, record=ARREARS | {"version": "2"})
    await decided(desk, third["id"], "UPHELD")
    given = {"record": ARREARS | {"version": "3"}, "reason": WHY}
    assert await desk.refused(who, "fileObjection", **given) == "LIMIT"


async def test_a_day_has_ten_objections_of_a_person_and_twenty_acts_of_a_subject(desk: Desk) -> None:
    who = organisation()
    first, second = desk.subject(who), desk.subject(who, "p-2")
    for number in range(10):
        await objected(desk, first, record=ARREARS | {"record": f"N-{number}"})
    given = {"record": ARREARS | {"record": "N-10"}, "reason": WHY}
    assert await desk.refused(first, "fileObjection", **given) == Code.QUOTA_EXCEEDED
    await applied(desk, first)
    for number in range(10, 19):
        await objected(desk, second, record=ARREARS | {"record": f"N-{number}"})
    for field in ("fileObjection", "applyForRestoration"):
        assert await desk.refused(second, field, **given) == Code.QUOTA_EXCEEDED
    assert len(desk.acts()) == 20
    desk.now += days(1)
    await objected(desk, first, record=ARREARS | {"record": "N-20"})


async def test_a_repeat_is_the_same_matter(desk: Desk) -> None:
    who = desk.subject(organisation())
    one = await objected(desk, who, reference="r-1")
    other = await objected(desk, who, reference="r-1")
    assert one == other
    assert desk.done[0]["id"] == desk.done[1]["id"]
    assert desk.done[0]["receipt"] == desk.done[1]["receipt"]
    assert await desk.refused(who, "fileObjection", record=ARREARS, reason="Else.", reference="r-1") == "REFERENCE"
    assert len(desk.acts()) == 1


async def test_a_counter_files_for_whoever_came(desk: Desk) -> None:
    who = person()
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "identity card 1234"}
    clerk = desk.official("labour", "c.lerk", "counter")
    record = {"dataset": "income-statements", "record": "I-1"}
    given: dict[str, Any] = {"record": record, "reason": WHY, "onBehalf": behalf}
    filed = await desk.ask(clerk, "fileObjection", **given)
    assert filed["filedBy"] == "labour"
    (told,) = desk.acts()
    assert (told.proof, told.by, told.value) == ("identity card 1234", "", who.value)
    assert await desk.refused(desk.official("labour", "s.one"), "fileObjection", **given) == "ARGUMENT"
    assert await desk.refused(clerk, "fileObjection", **(given | {"onBehalf": None})) == "ARGUMENT"
    assert (await desk.ask(desk.subject(who), "withdrawMatter", id=filed["id"]))["state"] == "WITHDRAWN"


async def test_anothers_matter_is_as_one_that_is_not_there(desk: Desk) -> None:
    filed = await objected(desk, desk.subject(organisation()))
    other = desk.subject(organisation())
    for id_ in (filed["id"], "0" * 32, "x"):
        assert await desk.refused(other, "withdrawMatter", id=id_) == Code.MATTER_NOT_FOUND


async def test_no_table_has_what_was_written(desk: Desk) -> None:
    await objected(desk, desk.subject(organisation()), papers=[PAPER])
    with desk.store.engine.connect() as connection:
        assert connection.execute(select(fact.c.reason)).scalars().all() == [None]
