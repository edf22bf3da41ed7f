"""What is not answered is overdue at its term, then a suspension, from any gateway's next inquiry on, until it ends."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, update

from connectors.base import Subject
from gateway.catalogue.model import Basis
from gateway.errors import VerificationFailed
from gateway.inquiry import facts
from gateway.ledger.verify.store import verify_store
from gateway.recall.enforcing import suspending
from gateway.storage.recall.recalls import recall
from gateway.storage.subjects.acts import matter
from gateway.storage.tables import micros
from tests.acts.whole.replicas import Said
from tests.ledger.support import VERIFIERS
from tests.recall.telling import DATASET, DAY, ENVIRONMENT, LICENCES, MARKET, PERMITS, RENEWAL, Telling

HOUR = datetime.timedelta(hours=1)
BOTH = f"{LICENCES} {PERMITS}"
SUSPENSIONS = ("suspended", "suspension-held", "suspension-goes-on", "suspension-end-asked", "suspension-ended")


def denied(said: Said) -> dict[str, str]:
    """The advice of each dataset whose grant is inactive."""
    found = {}
    for error in said.said.get("errors", ()):
        if error["extensions"].get("reason") == "GRANT_INACTIVE":
            found[error["path"][1]] = error["extensions"]["advice"]
    return found


async def holds(region: Telling, subject: Subject, id_: str) -> None:
    """The licences are denied by either gateway, and nothing else is, to nobody else."""
    for region.at in (0, 1):
        said = await region.look(subject, BOTH)
        assert id_ in denied(said).get("businessLicences", ""), said.said
        assert said.said["data"]["organisation"]["businessLicences"] is None
        assert said.said["data"]["organisation"]["emissionPermits"] != []
        assert set(denied(said)) == {"businessLicences"}
        assert not denied(await region.look(subject, BOTH, ENVIRONMENT))


async def free(region: Telling, subject: Subject) -> None:
    for region.at in (0, 1):
        said = await region.look(subject, BOTH)
        assert said.code == "OK", said.said


def test_overdue_is_told_at_the_term_and_suspended_after_as_long_again(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        one = await region.told(await region.received(subject), term=HOUR)
        await region.later(HOUR - datetime.timedelta(seconds=1))
        assert region.row(one).state == "open"
        await region.later(datetime.timedelta(seconds=1))
        assert region.row(one).state == "overdue"
        (late,) = region.entered("recall-overdue")
        assert (late.recall, late.value, late.to.client if late.to else "") == (one, subject.value, MARKET)
        assert [each["state"] for each in await region.inbox()] == ["OVERDUE"]
        await free(region, subject)
        await region.later(HOUR - datetime.timedelta(seconds=1))
        await free(region, subject)
        await region.later(datetime.timedelta(seconds=1))
        await holds(region, subject, one)
        (begun,) = region.entered("suspended")
        assert (begun.recall, begun.purpose, begun.dataset, begun.value) == (one, RENEWAL, DATASET, None)
        await region.later(30 * DAY)
        assert len(region.entered("recall-overdue", "suspended")) == 2
        await holds(region, subject, one)
        for which, killed in ((0, True), (1, False)):
            await region.both.again(which, killed=killed)
        await holds(region, subject, one)
        assert (await region.answered(one)).code == "OK"
        await free(region, subject)
        for which, killed in ((0, False), (1, True)):
            await region.both.again(which, killed=killed)
        await free(region, subject)
        (ended,) = region.entered("suspension-ended")
        assert (ended.outcome, ended.matter, ended.requester.client) == ("acknowledged", begun.matter, MARKET)

    region.world.run(go())


def test_permissions_say_so(region: Telling) -> None:
    query = f"{{ permissions(purpose: {RENEWAL}) {{ dataset permitted reason advice }} }}"

    async def told() -> dict[str, set[tuple[bool, str | None]]]:
        found: dict[str, set[tuple[bool, str | None]]] = {}
        for region.at in (0, 1):
            for row in (await region.replica.ask(region.asker(), query, {})).said["data"]["permissions"]:
                found.setdefault(row["dataset"], set()).add((row["permitted"], row["reason"]))
                if row["reason"] == "GRANT_INACTIVE":
                    assert one in row["advice"]
        return found

    async def go() -> None:
        nonlocal one
        one = await region.recalled(term=HOUR)
        before = await told()
        assert (True, None) in before[DATASET]
        await region.later(HOUR)
        await region.later(HOUR)
        assert await told() == {**before, DATASET: {(False, "GRANT_INACTIVE")}}
        await region.answered(one)
        assert await told() == before

    one = ""
    region.world.run(go())


def test_a_long_term_leaves_one_more_working_day(region: Telling) -> None:
    async def go() -> None:
        region.world.now = datetime.datetime(2026, 11, 27, 9, tzinfo=datetime.UTC)  # a Friday
        one = await region.recalled(term=7 * DAY)
        region.world.now = datetime.datetime(2026, 12, 4, 9, tzinfo=datetime.UTC)
        await region.later(datetime.timedelta())
        assert region.row(one).state == "overdue"
        end = datetime.datetime(2026, 12, 7, 22, tzinfo=datetime.UTC)  # midnight in Sofia, behind Monday
        assert region.row(one).later == micros(end)

    region.world.run(go())


def test_a_refusal_stops_nothing(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        one = await region.told(await region.received(subject), term=HOUR)
        await region.answered(one, "REFUSED", reason="Archives Act, Art. 3")
        await region.later(HOUR)
        assert [(each["state"], each["outcome"]) for each in await region.inbox()] == [("OVERDUE", "REFUSED")]
        await region.later(HOUR)
        await holds(region, subject, one)
        again = await region.answered(one, "REFUSED", reason="Archives Act, Art. 3")
        assert again.code == "OK"
        await holds(region, subject, one)
        await region.answered(one)
        await free(region, subject)

    region.world.run(go())


def test_it_rests_on_every_recall_that_is_overdue(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        of = await region.received(subject)
        one, two = [await region.told(of, term=HOUR) for _ in range(2)]
        await region.later(HOUR)
        await region.later(HOUR)
        other = await region.told(of, term=HOUR)
        assert [each.state for each in region.suspensions()] == ["open"]
        first = region.suspensions()[0].record
        last = ({one, two} - {first}).pop()
        await region.answered(str(first))
        await holds(region, subject, last)
        await region.answered(last, "PASSED_ON", passedOnTo=["The Bank"])
        await free(region, subject)
        await region.later(HOUR)
        await region.later(HOUR)
        await holds(region, subject, other)
        assert [each.state for each in region.suspensions()] == ["decided", "open"]
        told = region.entered(*SUSPENSIONS)
        assert sorted(each.what for each in told) == [
            "suspended", "suspended", "suspension-ended", "suspension-goes-on", "suspension-held"]  # fmt: skip

    region.world.run(go())


def test_a_list_ends_all_that_it_answers(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        of = await region.received(subject, BOTH)
        ids = [await region.told(of, dataset=each, term=HOUR) for each in (DATASET, DATASET, "emission-permits")]
        await region.later(HOUR)
        await region.later(HOUR)
        assert set(denied(await region.look(subject, BOTH))) == {"businessLicences", "emissionPermits"}
        assert (await region.act(region.system(), "acknowledgeRecalls", ids=ids, outcome="APPLIED")).code == "OK"
        await free(region, subject)
        numbers = sorted(number for each in region.entered(*SUSPENSIONS) for number in each.changes)
        assert numbers == [1, 2, 3, 4]

    region.world.run(go())


def test_two_people_of_oversight_end_it(region: Telling) -> None:
    async def go() -> None:
        subject = region.firm()
        one = await region.told(await region.received(subject), term=HOUR)
        await region.later(HOUR)
        await region.later(HOUR)
        first, second = (region.both.who("oversight", "oversight", official=name) for name in ("o.one", "o.two"))
        (shown,) = (await region.act(first, "suspensions")).value["items"]
        assert (shown["recall"], shown["purpose"], shown["dataset"], shown["ended"]) == (one, RENEWAL, DATASET, None)
        assert shown["requester"]["client"] == MARKET
        id_ = shown["id"]
        assert (await region.act(second, "confirm", id=id_)).code == "STATE"
        asked = await region.act(first, "endSuspension", id=id_, reason="The office moved.", reference="e")
        assert asked.value["ended"] is None
        (waits,) = (await region.act(second, "suspensions")).value["items"]
        assert (waits["state"], waits["because"]) == ("AWAITS_CONFIRMATION", "The office moved.")
        (own,) = (await region.act(region.system(), "suspensions")).value["items"]
        assert (own["state"], own["because"]) == ("AWAITS_CONFIRMATION", None)
        assert (await region.act(second, "endSuspension", id=id_, reason="So it is.")).code == "STATE"
        await holds(region, subject, one)
        assert (await region.act(first, "confirm", id=id_)).code == "SECOND_PERSON"
        steward = region.both.steward("market", "m.two")
        assert (await region.act(steward, "confirm", id=id_)).code == "MATTER_NOT_FOUND"
        done = await region.act(second, "confirm", id=id_, reference="c")
        assert (done.value["__typename"], done.value["Suspension_id"]) == ("Suspension", id_)
        assert done.value["Suspension_ended"] is not None
        (ended,) = (await region.act(first, "suspensions")).value["items"]
        assert (ended["state"], ended["because"]) == ("DECIDED", None)
        assert (await region.act(second, "confirm", id=id_, reference="c")).act == done.act
        await free(region, subject)
        assert region.row(one).state == "overdue"
        await region.later(30 * DAY)
        await free(region, subject)
        (ended,) = region.entered("suspension-ended")
        assert (ended.outcome, ended.id) == ("oversight", done.act)
        first = region.both.who("oversight", "oversight", official="o.one")
        assert (await region.act(first, "endSuspension", id=id_, reason="So it is.")).code == "STATE"

    region.world.run(go())


def test_who_sees_suspensions(region: Telling) -> None:
    async def go() -> None:
        await region.suspended()
        await region.suspended(ENVIRONMENT)
        every = await region.act(region.both.who("oversight", "oversight", official="o.one"), "suspensions", first=1)
        more = await region.act(
            region.both.who("oversight", "oversight", official="o.one"), "suspensions", after=every.value["next"]
        )
        clients = [each["requester"]["client"] for each in (*every.value["items"], *more.value["items"])]
        assert clients == [ENVIRONMENT, MARKET]
        own = await region.act(region.system(), "suspensions")
        assert [each["requester"]["client"] for each in own.value["items"]] == [MARKET]
        for who in (region.both.steward("tax", "s.one"), region.both.who("oversight", "oversight")):
            assert (await region.act(who, "suspensions")).code == "FORBIDDEN"
        official = region.system(MARKET, "recalls", official="m.ivanova")
        id_ = own.value["items"][0]["id"]
        assert (await region.act(official, "endSuspension", id=id_, reason="So it is.")).code == "FORBIDDEN"
        assert len([each for each in region.views() if each.format == "suspensions"]) == 3

    region.world.run(go())


def test_a_law_may_keep_a_purpose_from_it(region: Telling) -> None:
    purpose = region.world.policies.purposes[RENEWAL]
    exempt = msgspec.structs.replace(purpose, suspension_exempt=Basis("Courts Act", "9"))
    purposes = region.world.policies.purposes
    assert isinstance(purposes, dict)
    purposes[RENEWAL] = exempt

    async def go() -> None:
        subject = region.firm()
        one = await region.told(await region.received(subject), term=HOUR)
        await region.later(HOUR)
        await region.later(HOUR)
        await region.later(30 * DAY)
        await free(region, subject)
        (flagged,) = region.entered("suspension-exempt")
        assert (flagged.recall, flagged.words, flagged.outcome) == (one, "Courts Act 9", "exempt")
        assert region.entered("suspended") == []

    try:
        region.world.run(go())
    finally:
        purposes[RENEWAL] = purpose


@pytest.mark.parametrize("altered", [{"state": "decided"}, {"state": "awaits-confirmation"}, None])
def test_a_suspension_is_held_to_its_entries(region: Telling, altered: dict[str, str] | None) -> None:
    async def go() -> None:
        one, two = await region.suspended(), await region.suspended(ENVIRONMENT)
        await region.answered(one)
        first, second = (region.both.who("oversight", "oversight", official=name) for name in ("o.one", "o.two"))
        id_ = region.suspensions()[-1].id
        await region.act(first, "endSuspension", id=id_, reason="So it is.")
        await region.act(second, "decline", id=id_, reason="It is not.")
        assert (region.row(two).state, region.suspensions()[-1].state) == ("overdue", "open")
        newest, _ = (await region.act(second, "suspensions")).value["items"]
        assert (newest["id"], newest["state"], newest["because"]) == (id_, "OPEN", None)
        store = region.replica.store
        verify_store(store, VERIFIERS)
        with store.engine.begin() as connection:
            mine = matter.c.id == id_
            changed = update(matter).where(mine)
            connection.execute(delete(matter).where(mine) if altered is None else changed.values(altered))
        with pytest.raises(VerificationFailed, match="matter"):
            verify_store(store, VERIFIERS)

    region.world.run(go())


def test_many_are_due_at_once(region: Telling) -> None:
    async def go() -> None:
        of = await region.received(region.firm())
        for _ in range(70):
            await region.told(of, term=HOUR)
        region.world.now += HOUR
        turns = 0
        while await region.replica.overdue.turn():
            turns += 1
        assert turns == 1
        assert len(region.entered("recall-overdue")) == 70

    region.world.run(go())


def _reads_nothing_of_the_requester(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_suspended", lambda rows: {})


def _suspends_by_no_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspending, "Row", lambda *_: update(recall).where(recall.c.id == "").values(later=None))


@pytest.mark.parametrize("forgets", [_reads_nothing_of_the_requester, _suspends_by_no_fact])
def test_a_suspension_that_does_not_hold_is_found(
    region: Telling, forgets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        subject = region.firm()
        one = await region.told(await region.received(subject), term=HOUR)
        await region.later(HOUR)
        await region.later(HOUR)
        await holds(region, subject, one)

    forgets(monkeypatch)
    with pytest.raises(AssertionError):
        region.world.run(go())
