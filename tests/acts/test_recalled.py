"""What an act changes of what may be used is noted in its own transaction, for whoever received it (Art. 47)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from gateway.storage.recall.recalls import CAUSES, Job, recall_job
from gateway.storage.subjects.facts import fact
from tests.acts.desk import Desk, organisation, person
from tests.acts.matters.cases import applied, decided, objected
from tests.acts.test_changes import corrected, report, stewards, system
from tests.acts.test_consents import wanted


def jobs(desk: Desk) -> list[Job]:
    with desk.store.engine.connect() as connection:
        query = select(recall_job).order_by(recall_job.c.filed_in, recall_job.c.cause)
        return [Job._make(row) for row in connection.execute(query)]


def of(row: Job) -> dict[str, Any]:
    """What a job names, beside its subject."""
    names = ("dataset", "record", "new_version", "consent", "client", "purpose")
    return {name: getattr(row, name) for name in names if getattr(row, name) is not None}


async def test_what_a_system_reports_is_to_be_recalled_at_once(desk: Desk) -> None:
    who = organisation()
    await desk.ask(system(desk), "reportChange", **corrected(who))
    await desk.ask(system(desk), "reportChange", **report(who))
    first, second = jobs(desk)
    assert (first.cause, first.action, first.state) == ("corrected", "update", "waits")
    assert of(first) == {"dataset": "tax-arrears", "record": "N-1", "new_version": "2"}
    assert (second.cause, second.action) == ("withdrawn", "delete")
    assert of(second) == {"dataset": "tax-arrears", "record": "N-1"}
    assert {(each.scheme, each.value) for each in (first, second)} == {who[1:]}
    with desk.store.engine.connect() as connection:
        begun = connection.execute(select(fact.c.change).order_by(fact.c.change)).scalars().all()
    assert [first.change, second.change] == begun
    assert first.filed_in < second.filed_in


async def test_what_waits_for_a_second_person_recalls_nothing_before(desk: Desk) -> None:
    one, other = stewards(desk)
    made = await desk.ask(one, "reportChange", **report(organisation()))
    assert jobs(desk) == []
    await desk.ask(other, "confirm", id=made["id"])
    assert [each.cause for each in jobs(desk)] == ["withdrawn"]
    filed = await applied(desk, desk.subject(organisation()))
    await decided(desk, filed["id"], "UPHELD", of="Restoration")
    assert len(jobs(desk)) == 1
    await desk.ask(other, "confirm", id=filed["id"])
    assert jobs(desk)[-1].cause == "restored"


async def test_a_dispute_is_told_and_so_is_its_end(desk: Desk) -> None:
    who = organisation()
    filed = await objected(desk, desk.subject(who))
    assert [each.cause for each in jobs(desk)] == ["disputed"]
    await decided(desk, filed["id"], "REFUSED")
    assert [each.action for each in jobs(desk)] == ["mark-disputed", "clear-disputed"]
    other = organisation()
    taken = await objected(desk, desk.subject(other))
    await desk.ask(desk.subject(other), "withdrawMatter", id=taken["id"])
    assert [each.cause for each in jobs(desk)[2:]] == ["disputed", "cleared"]


async def test_a_correction_of_what_was_upheld_recalls_and_clears(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    filed = await objected(desk, desk.subject(who))
    await decided(desk, filed["id"], "UPHELD")
    assert [each.cause for each in jobs(desk)] == ["disputed"], "an upheld objection goes on disputing"
    made = await desk.ask(one, "reportChange", **corrected(who, None))
    await desk.ask(other, "confirm", id=made["id"])
    assert [each.cause for each in jobs(desk)[1:]] == ["cleared", "corrected"]
    last = organisation()
    filed = await objected(desk, desk.subject(last))
    await decided(desk, filed["id"], "UPHELD")
    made = await desk.ask(one, "reportChange", **report(last))
    await desk.ask(other, "confirm", id=made["id"])
    assert [each.cause for each in jobs(desk)[4:]] == ["withdrawn"], "what is deleted needs no mark taken off"


async def test_a_revoked_consent_and_an_opt_out_are_to_be_recalled(desk: Desk) -> None:
    mine = desk.subject(person())
    given = await desk.ask(mine, "grantConsent", **wanted())
    assert jobs(desk) == []
    await desk.ask(mine, "revokeConsent", id=given["id"])
    (job,) = jobs(desk)
    assert of(job) == {"consent": given["id"], "client": "labour-office", "purpose": "SUBSIDY_ASSESSMENT"}
    assert job.fields == '{"income-statements":["taxableIncome","year"]}'
    mine = desk.subject(organisation())
    await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=True)
    await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=False)
    (_, job) = jobs(desk)
    assert (job.cause, of(job)) == ("opted-out", {"dataset": "tax-awards"})


def test_every_cause_says_what_is_to_be_done() -> None:
    assert set(CAUSES.values()) == {"delete", "update", "mark-disputed", "clear-disputed"}
