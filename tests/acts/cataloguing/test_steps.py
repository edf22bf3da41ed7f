"""What an activation asks of the catalogue's acts: what a set may publish, and what the first one brings along."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import func, select

from gateway.activation.activating import Wanted, by_command
from gateway.acts.cataloguing import steps
from gateway.catalogue import definitions
from gateway.errors import Refusal
from gateway.ledger.acting.commanded import done
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.log.operator import CLIENT
from gateway.ledger.verify.store import verify_store
from gateway.storage.rules.cataloguing import definition
from gateway.storage.subjects.acts import act, act_head
from gateway.web.open.opened import FIRST_SET
from tests.acts.cataloguing.bureau import Bureau, refused, text
from tests.acts.cataloguing.bureau import definition as read
from tests.ledger.support import VERIFIERS


def shipped(bureau: Bureau) -> list[bytes]:
    """The definitions that the shipped policies publish."""
    return [definitions.canonical(each) for each in bureau.desk.rules.policies.catalogue.published.values()]


async def activated(bureau: Bureau, bodies: list[bytes]) -> None:
    """An activation of the first set by a command, with what it brings along."""

    digest = bureau.desk.rules.digest

    def make(seen: Seen) -> Made:
        made = by_command(seen, Wanted(digest, b"", "bootstrap"))
        return made._replace(more=steps.first(seen, CLIENT, digest, made.oversight, bodies))

    await done(bureau.desk.ledger, make)


def uncovered(bureau: Bureau, bodies: list[bytes]) -> list[str]:
    with bureau.desk.store.engine.connect() as connection:
        return [each.dataset for each in steps.uncovered(connection, bodies)]


async def test_the_first_set_brings_its_datasets_along_and_no_other_does(bureau: Bureau) -> None:
    bodies = shipped(bureau)
    await bureau.published()
    before = len(bureau.supplements())
    assert len(uncovered(bureau, bodies)) == len(bodies)
    await activated(bureau, [*bodies, definitions.canonical(read(bureau.desk, text()))])
    assert uncovered(bureau, bodies) == []
    assert [each.state for each in bureau.supplements()] == ["published"] * (before + len(bodies))
    told = [each for each in bureau.desk.acts() if each.what == "catalogue-published" and each.department]
    assert {(each.dataset, each.department) for each in told} == {
        (each.id, each.department) for each in bureau.desk.rules.policies.catalogue.published.values()
    }
    assert {(each.outcome, each.rule_set) for each in told} == {(FIRST_SET, bureau.desk.rules.digest)}
    with bureau.desk.store.engine.connect() as connection:
        number = connection.execute(select(act_head.c.number)).scalar_one()
        numbers = connection.execute(select(func.count(), func.max(act.c.number)).select_from(act)).one()
    assert (number, number) == tuple(numbers)
    assert verify_store(bureau.desk.store, VERIFIERS)


async def test_one_that_is_being_consulted_on_goes_on(bureau: Bureau) -> None:
    """A department may consult on more while the first set brings along what there is."""
    wider = text("      floor: {type: String, title: Floor of the building}\n")
    await bureau.consult("t.weber", wider)
    await activated(bureau, [definitions.canonical(read(bureau.desk, text()))])
    assert bureau.states() == ["consultation", "published"]
    bureau.later()
    await bureau.move("approve", "t.weber", wider)
    await bureau.move("approve", "t.nowak", wider)
    assert uncovered(bureau, [definitions.canonical(read(bureau.desk, wider))]) == ["tax-offices"]
    await bureau.move("publish", "t.nowak", wider)
    assert uncovered(bureau, [definitions.canonical(read(bureau.desk, wider))]) == []
    assert verify_store(bureau.desk.store, VERIFIERS)


async def test_a_definition_that_is_there_already_stays_one(bureau: Bureau) -> None:
    """What was consulted on before, under another dataset's row order, is not inserted twice."""
    await bureau.consult("t.weber")
    bodies = [definitions.canonical(read(bureau.desk, text())), *shipped(bureau)[:2]]
    await activated(bureau, bodies)
    with bureau.desk.store.engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(definition)).scalar_one()
    assert count == 3
    assert await refused(bureau.consult("t.weber")) == "STATE"
    assert verify_store(bureau.desk.store, VERIFIERS)


async def test_a_narrower_set_may_follow_and_a_wider_one_may_not(bureau: Bureau) -> None:
    await activated(bureau, shipped(bureau))
    [arrears] = [each for each in bureau.desk.rules.policies.catalogue.published.values() if each.id == "tax-arrears"]
    fewer = msgspec.structs.replace(arrears, fields={"period": arrears.fields["period"]})
    other = msgspec.structs.replace(arrears, subjects=("organisation", "person"))
    assert uncovered(bureau, [definitions.canonical(fewer)]) == []
    assert uncovered(bureau, [definitions.canonical(other)]) == ["tax-arrears"]
    found = definitions.unapproved([other], {"tax-arrears": [arrears]})
    refusal = steps.refused(found)
    assert "it is also about persons" in refusal.message
    assert refusal.extensions["reason"] == "STATE"


async def test_more_than_one_act_can_enter_is_refused(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MOST_FIRST", 2)
    with pytest.raises(Refusal, match="begin with 2 of them"):
        await activated(bureau, shipped(bureau))
    assert bureau.supplements() == []
