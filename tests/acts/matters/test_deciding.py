"""Deciding: a department's own stewards, with reasons; a second one for what hides a record."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from sqlalchemy import Update, select

from gateway.acts.matters.upheld import ends_upheld, upheld_of
from gateway.errors import Code, Refusal
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.acting.planned import AtEntry, Seen
from gateway.ledger.verify.store import verify_store
from gateway.storage.subjects.facts import fact
from tests.acts.desk import Desk, days, organisation
from tests.acts.matters.cases import ARREARS, WHY, applied, decided, facts_of, objected, row, steward
from tests.ledger.support import VERIFIERS

KEY = "tax-arrears/N-1"


async def test_a_refused_objection_ends_with_reasons_and_a_remedy(desk: Desk) -> None:
    who = organisation()
    filed = await objected(desk, desk.subject(who))
    desk.now += days(1)
    done = await decided(desk, filed["id"], "REFUSED")
    remedy = desk.rules.policies.catalogue.remedies["tax"]
    assert done == filed | {
        "state": "DECIDED", "outcome": "REFUSED", "decided": desk.now, "because": "It is so.", "remedy": remedy,
    }  # fmt: skip
    assert (await facts_of(desk, who)).disputed == frozenset()
    told = desk.acts()[-1]
    assert (told.what, told.outcome, told.reason, told.remedy) == ("objection-decided", "refused", "It is so.", remedy)
    assert (told.by, told.changes, told.value) == ("", (2,), who.value)
    with desk.store.engine.connect() as connection:
        assert connection.execute(select(fact.c.outcome, fact.c.reason)).all() == [("refused", None)]
    verify_store(desk.store, VERIFIERS)


@pytest.mark.parametrize("outcome", ["UPHELD", "PARTLY"])
async def test_an_upheld_objection_goes_on_disputing_under_a_second_clock(desk: Desk, outcome: str) -> None:
    who = organisation()
    filed = await objected(desk, desk.subject(who))
    desk.now += days(3)
    done = await decided(desk, filed["id"], outcome)
    assert (done["outcome"], done["due"]) == (outcome, datetime.date(2026, 12, 4))
    assert done["correctBy"] == datetime.date(2026, 12, 4)
    assert (done["remedy"] is None) is (outcome == "UPHELD")
    found = await facts_of(desk, who)
    assert (set(found.disputed), set(found.overdue)) == ({KEY}, set())
    assert desk.acts()[-1].due == datetime.date(2026, 12, 4)
    assert desk.acts()[-1].changes == ()
    desk.now += days(9)
    assert (await facts_of(desk, who)).overdue == {KEY}
    assert await desk.refused(desk.subject(who), "withdrawMatter", id=filed["id"]) == "STATE"
    with desk.store.engine.connect() as connection:
        seen = Seen(connection, Keyed(b""), "0", 41, desk.now, desk.office.today(), {})
        assert upheld_of(seen, "tax-arrears", "N-2", who[1:]) == []
        assert upheld_of(seen, "tax-arrears", "N-1", organisation()[1:]) == []
        changes, numbers = ends_upheld(seen, upheld_of(seen, "tax-arrears", "N-1", who[1:]), "", 2)
    assert numbers == 1
    with desk.store.engine.begin() as connection:
        for change in changes:
            made = change.change(7) if isinstance(change, AtEntry) else change
            assert isinstance(made, Update)
            connection.execute(made)
        ended, outcome_of = connection.execute(select(fact.c.ended, fact.c.outcome)).one()
    assert (ended, outcome_of) == (43, outcome.lower())
    assert (await facts_of(desk, who)).disputed == frozenset()
    assert (row(desk, filed["id"]).second_due, row(desk, filed["id"]).moved_in) == (None, 7)


async def test_a_restoration_takes_two_humans(desk: Desk) -> None:
    who = organisation()
    filed = await applied(desk, desk.subject(who))
    assert await desk.refused(steward(desk), "confirm", id=filed["id"]) == "STATE"
    done = await decided(desk, filed["id"], "PARTLY", of="Restoration")
    assert (done["state"], done["outcome"]) == ("AWAITS_CONFIRMATION", "PARTLY")
    assert (await facts_of(desk, who)).restored == frozenset()
    assert await desk.refused(steward(desk), "confirm", id=filed["id"]) == "SECOND_PERSON"
    twice = {"id": filed["id"], "outcome": "REFUSED", "reason": "No."}
    assert await desk.refused(steward(desk, "s.two"), "decideRestoration", **twice) == "STATE"
    confirmed = await desk.ask(steward(desk, "s.two"), "confirm", id=filed["id"], reference="c-1")
    assert confirmed == done | {"__typename": "Matter", "state": "DECIDED"}
    assert await desk.ask(steward(desk, "s.two"), "confirm", id=filed["id"], reference="c-1") == confirmed
    assert (await facts_of(desk, who)).restored == {KEY}
    assert await desk.refused(steward(desk, "s.two"), "confirm", id=filed["id"]) == "STATE"
    assert [each.what for each in desk.acts()] == ["restoration-filed", "restoration-decided", "restoration-confirmed"]
    assert desk.acts()[-1].changes == (1,)
    again = await applied(desk, desk.subject(who))
    await decided(desk, again["id"], "UPHELD", of="Restoration")
    await desk.ask(steward(desk, "s.two"), "confirm", id=again["id"])
    assert desk.acts()[-1].changes == ()
    verify_store(desk.store, VERIFIERS)


async def test_one_that_is_not_upheld_needs_no_second_person(desk: Desk) -> None:
    filed = await applied(desk, desk.subject(organisation()))
    assert (await decided(desk, filed["id"], "REFUSED", of="Restoration"))["state"] == "DECIDED"
    other = await applied(desk, desk.subject(organisation()))
    await decided(desk, other["id"], "UPHELD", of="Restoration")
    # Until it is confirmed it can be taken back; then there is nothing to confirm.
    mine = desk.subject(organisation())
    third = await applied(desk, mine)
    await decided(desk, third["id"], "UPHELD", of="Restoration")
    taken = await desk.ask(mine, "withdrawMatter", id=third["id"])
    assert (taken["state"], taken["outcome"]) == ("WITHDRAWN", None)
    assert await desk.refused(steward(desk, "s.two"), "confirm", id=third["id"]) == "STATE"


async def test_the_subject_is_told_of_a_decision_once_it_stands(desk: Desk) -> None:
    mine = desk.subject(organisation())
    filed = await applied(desk, mine, reference="r-1")
    await decided(desk, filed["id"], "UPHELD", of="Restoration")
    seen = await applied(desk, mine, reference="r-1")
    assert (seen["state"], seen["outcome"], seen["because"]) == ("AWAITS_CONFIRMATION", None, None)
    await desk.ask(steward(desk, "s.two"), "confirm", id=filed["id"])
    seen = await applied(desk, mine, reference="r-1")
    assert (seen["state"], seen["outcome"], seen["because"]) == ("DECIDED", "UPHELD", "It is so.")


async def test_another_departments_are_as_those_that_are_not_there(desk: Desk) -> None:
    mine = desk.subject(organisation())
    objection, application = await objected(desk, mine), await applied(desk, mine)
    await decided(desk, application["id"], "UPHELD", of="Restoration")
    said = set()
    for id_ in (objection["id"], application["id"], "0" * 32, "x"):
        for field in ("decideObjection", "decideRestoration", "confirm"):
            more: dict[str, Any] = {} if field == "confirm" else {"outcome": "UPHELD", "reason": WHY}
            with pytest.raises(Refusal) as raised:
                await desk.ask(steward(desk, "l.one", "labour"), field, id=id_, **more)
            said.add((raised.value.code, raised.value.message, repr(raised.value.extensions)))
    assert len(said) == 1
    assert {code for code, _, _ in said} == {Code.MATTER_NOT_FOUND}
    assert len(desk.acts()) == 3


async def test_who_decides_is_a_steward_and_an_official(desk: Desk) -> None:
    filed = await objected(desk, desk.subject(organisation()))
    given = {"id": filed["id"], "outcome": "UPHELD", "reason": WHY}
    for who in (
        desk.who("tax-stewards", "steward"),
        desk.official("tax", "c.lerk", "counter"),
        desk.subject(organisation()),
    ):
        for field in ("decideObjection", "confirm"):
            assert await desk.refused(who, field, **given) == Code.FORBIDDEN
    oversight = desk.official("tax", "o.ne", "oversight")
    assert await desk.refused(oversight, "decideObjection", **given) == Code.FORBIDDEN
    assert await desk.refused(oversight, "confirm", **given) == Code.MATTER_NOT_FOUND, "it confirms what is its own"
    assert await desk.refused(steward(desk), "decideRestoration", **given) == "ARGUMENT"
    assert await desk.refused(steward(desk), "decideObjection", **(given | {"reason": "x" * 4_001})) == "ARGUMENT"
    await decided(desk, filed["id"], "UPHELD")
    assert await desk.refused(steward(desk, "s.two"), "decideObjection", **given) == "STATE"
    assert await desk.refused(steward(desk, "s.two"), "confirm", id=filed["id"]) == "STATE"


async def test_nobody_decides_what_they_filed_or_represent(desk: Desk) -> None:
    who = organisation()
    # One human, known to the issuer as an official, as a signed-in person, and by one name for both.
    mine = desk.who("citizen-portal", "self", identifier=who[1:], person="human-7", auth_time=0.0)
    filed = await objected(desk, mine)
    other = await objected(desk, desk.subject(who, "human-8"), record=ARREARS | {"record": "N-2"})
    steward_too = desk.who("tax-stewards", "steward", official="s.seven", person="human-7")
    for id_ in (filed["id"], other["id"]):
        given = {"id": id_, "outcome": "UPHELD", "reason": WHY}
        assert await desk.refused(steward_too, "decideObjection", **given) == "SECOND_PERSON"
    strangers = await objected(desk, desk.subject(organisation(), "human-9"))
    done = await desk.ask(steward_too, "decideObjection", id=strangers["id"], outcome="REFUSED", reason=WHY)
    assert done["outcome"] == "REFUSED"


async def test_a_counter_s_official_decides_the_rest_of_whom_they_filed_for(desk: Desk) -> None:
    who = organisation()
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "passport 640123"}
    clerk = desk.official("tax", "s.one", "counter")
    filed = await objected(desk, clerk, onBehalf=behalf)
    other = await objected(desk, desk.subject(who), record=ARREARS | {"record": "N-2"})
    given = {"id": filed["id"], "outcome": "UPHELD", "reason": WHY}
    assert await desk.refused(steward(desk), "decideObjection", **given) == "SECOND_PERSON"
    assert (await decided(desk, other["id"], "UPHELD"))["outcome"] == "UPHELD"
    assert (await decided(desk, filed["id"], "UPHELD", "s.two"))["outcome"] == "UPHELD"


async def test_one_name_for_two_accounts_is_one_human(desk: Desk) -> None:
    filed = await applied(desk, desk.subject(organisation()))
    first = desk.who("tax-stewards", "steward", official="s.one", person="human-1")
    again = desk.who("tax-stewards", "steward", official="s.one.admin", person="human-1")
    given = {"id": filed["id"], "outcome": "UPHELD", "reason": WHY}
    await desk.ask(first, "decideRestoration", **given)
    assert await desk.refused(again, "confirm", id=filed["id"]) == "SECOND_PERSON"


async def test_a_remedy_is_the_departments(desk: Desk) -> None:
    assert set(desk.rules.policies.catalogue.remedies) == set(desk.rules.policies.catalogue.departments)
    assert desk.office.remedy("portal") == ""


@pytest.mark.parametrize("event", ["CORRECTED", "WITHDRAWN"])
@pytest.mark.parametrize("first", ["decided", "changed"])
async def test_a_confirmed_change_ends_what_was_upheld(desk: Desk, event: str, first: str) -> None:
    who = organisation()
    filed = await objected(desk, desk.subject(who))

    async def changed() -> None:
        given: dict[str, Any] = {"record": ARREARS, "event": event, "reason": WHY}
        given |= {"newVersion": "2"} if event == "CORRECTED" else {}
        subject = {"scheme": who.scheme, "value": who.value}
        reported = await desk.ask(steward(desk), "reportChange", subject=subject, **given)
        assert (await facts_of(desk, who)).disputed == {KEY}
        await desk.ask(steward(desk, "s.two"), "confirm", id=reported["id"])

    if first == "changed":
        await changed()
        assert (await facts_of(desk, who)).disputed == {KEY}  # it is open, whatever became of the record
    await decided(desk, filed["id"], "UPHELD")
    if first == "decided":
        await changed()
    found = await facts_of(desk, who)
    assert found.disputed == frozenset()
    assert found.withdrawn == ({KEY} if event == "WITHDRAWN" else frozenset())
    assert (row(desk, filed["id"]).second_due, row(desk, filed["id"]).outcome) == (None, "upheld")
    verify_store(desk.store, VERIFIERS)
