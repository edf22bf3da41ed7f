"""Who is told of what changed: every recipient of it, and nobody else (Art. 47)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import msgspec

from gateway.ledger.entry import entries
from gateway.recall.selecting.select import LAGS_FOR, RACES_FOR
from gateway.rules import deadlines
from gateway.rules.model import RequesterEntry
from gateway.rules.ruleset import RuleSet
from gateway.storage.recall.work import lane_of
from gateway.storage.tables import micros
from tests.acts.desk import ISSUER, organisation, person
from tests.acts.matters.cases import decided, objected
from tests.acts.test_changes import corrected, report, stewards, system
from tests.acts.test_consents import wanted
from tests.recall.room import Room, named, records_of

COURT = {"client": "civil-court", "purpose": "COURT_ENFORCEMENT"}


async def test_a_correction_is_told_to_those_who_received_another_version(room: Room) -> None:
    desk, who, other = room.desk, organisation(), organisation()
    old = await room.answer(who, "N-1@1", "N-2@1")
    again = await room.answer(who, "N-1@1", **COURT)
    await room.answer(who, "N-1@2")  # its source was ahead of the report
    await room.answer(who, "N-2@1", client="environment-agency")
    await room.answer(other, "N-1@1")
    await desk.ask(system(desk), "reportChange", **corrected(who))
    await room.answer(who, "N-1@2")
    first, second = await room.select()
    assert sorted(named([first, second])) == sorted(
        [(old, "market-regulator", "update", ["N-1@1"]), (again, "civil-court", "update", ["N-1@1"])]
    )
    assert [row.found for row in room.jobs()] == [2]
    assert {row.state for row in room.jobs()} == {"selected"}
    assert await room.select() == [first, second], "once"


async def test_a_recall_is_entered_numbered_and_due(room: Room) -> None:
    desk, who = room.desk, organisation()
    secret = desk.now + datetime.timedelta(days=10)
    inquiry = await room.answer(who, "N-1@1", secret_until=secret)
    await room.answer(who, "N-1@1")
    await desk.ask(system(desk), "reportChange", **report(who))
    rows = await room.select()
    assert [row.sequence for row in rows] == [1, 2]
    (row,) = [each for each in rows if each.inquiry == inquiry]
    (told,) = [each for each in desk.acts() if each.recall == row.id]
    last = deadlines.deadline(desk.office.calendar, desk.now, desk.office.calendar.terms.recall)
    assert (told.what, told.requester, told.action, told.sequence) == ("recalled", entries.OWN, "delete", row.sequence)
    assert (told.due, told.term, told.calendar) == (
        last.due,
        deadlines.end(desk.office.calendar, last.due),
        last.calendar,
    )
    assert told.term is not None
    assert (row.due, row.state, row.scheme, row.value) == (micros(told.term), "open", who.scheme, who.value)
    assert told.to == entries.Who(ISSUER, "market-regulator", "market")
    assert (told.inquiry, told.records, told.dataset) == (inquiry, ("N-1@1",), "tax-arrears")
    assert (told.fields, told.purpose) == ({"tax-arrears": ("amount", "period")}, "TENDER_QUALIFICATION")
    assert records_of(row) == [{"record": "N-1", "version": "1", "fields": ["amount", "period"]}]
    assert room.works() == [], "nobody said where to tell it"


async def test_what_is_not_projected_yet_is_waited_for(room: Room) -> None:
    desk, who = room.desk, organisation()
    inquiry = await room.answer(who, "N-1@1")
    await desk.ask(system(desk), "reportChange", **report(who))
    assert not await room.selecting.turn()
    (job,) = room.jobs()
    assert (job.state, job.sizes) == ("waits", '{"1":2}')
    await room.answer(who, "N-1@1", known=0, client="civil-court")
    assert {each[0] for each in named(await room.select())} >= {inquiry}


async def test_what_becomes_durable_after_its_selection_is_recalled_too(room: Room) -> None:
    desk, who = room.desk, organisation()
    await desk.ask(system(desk), "reportChange", **report(who))
    await room.select()
    assert room.jobs()[0].state == "selected"
    late = await room.answer(who, "N-1@1", known=0)
    await room.answer(who, "N-2@1", known=0)
    await room.answer(who, "N-1@1")
    assert named(await room.select()) == [(late, "market-regulator", "delete", ["N-1@1"])]
    assert room.jobs()[0].found == 1
    assert len(await room.select()) == 1, "once"


async def test_a_source_that_gives_a_corrected_version_again_is_recalled_too(room: Room) -> None:
    desk, who = room.desk, organisation()
    first = await room.answer(who, "N-1@1")
    await desk.ask(system(desk), "reportChange", **corrected(who))
    assert len(await room.select()) == 1
    await room.answer(who, "N-1@2")
    await room.answer(who, "N-1@3")  # newer than what was reported: nobody said that it is wrong
    lagging = await room.answer(who, "N-1@1", **COURT)
    assert {(each[0], each[2]) for each in named(await room.select())} == {(first, "update"), (lagging, "update")}
    assert len(await room.select()) == 2, "once"
    desk.now += LAGS_FOR
    assert len(await room.select()) == 2, "the last look"
    await room.answer(who, "N-1@1")
    assert len(await room.select()) == 2, "no longer than that"


async def test_a_deletion_leaves_nothing_more_to_ask_for(room: Room) -> None:
    desk, who = room.desk, organisation()
    await room.answer(who, "N-1@1", "N-2@1")
    await desk.ask(system(desk), "reportChange", **report(who))
    assert len(await room.select()) == 1
    filed = await objected(desk, desk.subject(who))
    await decided(desk, filed["id"], "REFUSED")
    assert len(await room.select()) == 1, "it is deleted already"
    second = report(who) | {"record": {"dataset": "tax-arrears", "record": "N-2", "version": "1"}}
    await desk.ask(system(desk), "reportChange", **second)
    assert [each[3] for each in named(await room.select())] == [["N-1@1"], ["N-2@1"]]


async def test_marks_and_their_end_go_to_recipients_of_the_record(room: Room) -> None:
    desk, who = room.desk, organisation()
    plain = await room.answer(who, "N-1@1")
    await room.answer(who, "N-2@1")
    filed = await objected(desk, desk.subject(who))
    warned = await room.answer(who, "N-1@1", disputed=["N-1"], **COURT)
    await decided(desk, filed["id"], "REFUSED")
    rows = await room.select()
    assert [each[:3] for each in named([row for row in rows if row.client == "market-regulator"])] == [
        (plain, "market-regulator", "mark-disputed"), (plain, "market-regulator", "clear-disputed"),
    ]  # fmt: skip
    assert [each[:3] for each in named([row for row in rows if row.client == "civil-court"])] == [
        (warned, "civil-court", "clear-disputed")
    ]


async def test_a_revoked_consent_is_told_to_those_who_rested_on_it(room: Room) -> None:
    desk, who = room.desk, person()
    mine = desk.subject(who)
    given = await desk.ask(mine, "grantConsent", **wanted())
    of = {"client": "labour-office", "purpose": "SUBSIDY_ASSESSMENT", "dataset": "income-statements"}
    fields = ("currency", "taxableIncome", "year")
    rested = await room.answer(who, "S-1@1", fields=fields, consents=[given["id"]], **of)
    await room.answer(who, "S-1@1", fields=fields, **of)
    await room.answer(who, "S-1@1", fields=fields, consents=[given["id"]], **of | {"client": "tax-service"})
    await desk.ask(mine, "revokeConsent", id=given["id"])
    (row,) = await room.select()
    assert named([row]) == [(rested, "labour-office", "delete", ["S-1@1"])]
    assert records_of(row)[0]["fields"] == ["taxableIncome", "year"]


async def test_what_was_to_be_deleted_is_not_to_be_updated(room: Room) -> None:
    desk, who = room.desk, person()
    given = await desk.ask(desk.subject(who), "grantConsent", **wanted())
    of = {"client": "labour-office", "purpose": "SUBSIDY_ASSESSMENT", "dataset": "income-statements"}
    fields = ("currency", "taxableIncome", "year")
    await room.answer(who, "S-1@1", fields=fields, consents=[given["id"]], **of)
    await desk.ask(desk.subject(who), "revokeConsent", id=given["id"])
    about = {"record": {"dataset": "income-statements", "record": "S-1", "version": "1"}, "newVersion": "2"}
    await desk.ask(system(desk), "reportChange", **report(who, "CORRECTED", **about))
    assert [(row.action, records_of(row)[0]["fields"]) for row in await room.select()] == [
        ("delete", ["taxableIncome", "year"]), ("update", ["currency"])]  # fmt: skip


async def test_of_two_consents_each_takes_back_what_it_gave(room: Room) -> None:
    desk, who = room.desk, person()
    mine = desk.subject(who)

    async def consented(*fields: str) -> str:
        asked = wanted(fields=[{"dataset": "income-statements", "fields": list(fields)}])
        return str((await desk.ask(mine, "grantConsent", **asked))["id"])

    one, other = await consented("year"), await consented("currency")
    of = {"client": "labour-office", "purpose": "SUBSIDY_ASSESSMENT", "dataset": "income-statements"}
    inquiry = await room.answer(who, "S-1@1", fields=("currency",), consents=[one, other], **of)
    await desk.ask(mine, "revokeConsent", id=one)
    assert await room.select() == [], "it gave nothing of this answer"
    await desk.ask(mine, "revokeConsent", id=other)
    (row,) = await room.select()
    assert named([row]) == [(inquiry, "labour-office", "delete", ["S-1@1"])]
    assert records_of(row)[0]["fields"] == ["currency"]


async def test_an_opt_out_is_told_to_all_who_have_the_dataset(room: Room) -> None:
    desk, who = room.desk, organisation()
    inquiry = await room.answer(who, "A-1@1", "A-2@4", dataset="tax-awards")
    await room.answer(who, "N-1@1")
    await desk.ask(desk.subject(who), "setOptOut", dataset="tax-awards", optedOut=True)
    assert named(await room.select()) == [(inquiry, "market-regulator", "delete", ["A-1@1", "A-2@4"])]


async def test_nobody_is_told_who_has_nothing_any_more_or_is_the_subject(room: Room) -> None:
    desk, who = room.desk, organisation()
    await room.answer(who, "N-1@1", client="citizen-portal", purpose="SUBJECT_ACCESS", own=True)
    await room.answer(who, "N-1@1", client="open-record", issuer="public", purpose="OPEN_RECORD")
    await room.answer(who, "N-1@1", delete_by=desk.office.today() - datetime.timedelta(days=1))
    kept = await room.answer(who, "N-1@1", delete_by=desk.office.today())
    await desk.ask(system(desk), "reportChange", **report(who))
    assert [each[0] for each in named(await room.select())] == [kept]


async def test_after_a_grants_end_there_is_only_deleting(room: Room) -> None:
    desk, who = room.desk, organisation()
    of = {"client": "labour-office", "purpose": "TENDER_QUALIFICATION"}  # a grant that ended
    inquiry = await room.answer(who, "N-1@1", **of)
    filed = await objected(desk, desk.subject(who))
    assert await room.select() == []
    await decided(desk, filed["id"], "REFUSED")
    one, other = stewards(desk)
    made = await desk.ask(one, "reportChange", **corrected(who))
    await desk.ask(other, "confirm", id=made["id"])
    assert named(await room.select()) == [(inquiry, "labour-office", "delete", ["N-1@1"])]


async def test_who_follows_a_client_that_is_gone_answers_for_it(room: Room) -> None:
    desk, who = room.desk, organisation()
    registered = dict(desk.rules.policies.requesters)
    mine = registered[ISSUER, "environment-agency"]
    recalls = msgspec.structs.replace(mine.recalls, url="https://e.example", term=datetime.timedelta(days=3))
    registered[ISSUER, "environment-agency"] = msgspec.structs.replace(
        mine, succeeds=frozenset([(ISSUER, "permits-office")]), recalls=recalls
    )
    desk.rules = _with(desk.rules, registered)
    followed = await room.answer(who, "N-1@1", client="permits-office")
    lost = await room.answer(who, "N-1@1", client="nobody-knows")
    await desk.ask(system(desk), "reportChange", **report(who))
    rows = {row.inquiry: row for row in await room.select()}
    assert (rows[followed].client, rows[followed].received_by) == (
        "environment-agency",
        f'["{ISSUER}","permits-office"]',
    )
    assert rows[followed].due - rows[followed].at == 3 * 86_400_000_000
    (work,) = room.works()
    assert (work.kind, work.what, work.lane) == ("deliver", rows[followed].id, lane_of(ISSUER, "environment-agency"))
    assert (rows[lost].client, rows[lost].received_by) == ("nobody-knows", None)
    outcomes = {each.inquiry: each.outcome for each in desk.acts() if each.what == "recalled"}
    assert outcomes == {followed: "", lost: "nobody-answers"}


def _with(rules: RuleSet, entries: Mapping[tuple[str, str], RequesterEntry]) -> RuleSet:
    requesters = msgspec.structs.replace(rules.requesters, entries=entries)
    of = rules.policies
    return RuleSet(of.catalogue, of.purposes, requesters, list(rules.rules.values()), rules.calendar)


async def test_what_raced_is_recalled_where_it_is_projected_hours_later(room: Room) -> None:
    desk, who = room.desk, organisation()
    first = await room.answer(who, "N-1@1")
    await desk.ask(system(desk), "reportChange", **report(who))
    assert [row.inquiry for row in await room.select()] == [first]
    late = await room.answer(who, "N-1@1", known=0, **COURT)
    for _ in range(3):
        desk.now += RACES_FOR
        room.selecting._races_at = float("-inf")
        assert not await room.selecting.turn()
    assert [row.inquiry for row in await room.select()] == [first, late]
