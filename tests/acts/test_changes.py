"""Changes of records: a steward's counts once another confirms it, a system's at once but for what releases."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Requester
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import raced
from gateway.ledger.verify.store import verify_store
from gateway.recall.handlers import handlers
from gateway.sources import Changes as Reporting
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import matter
from gateway.storage.subjects.facts import enter, fact
from gateway.storage.subjects.kinds import SubjectFacts
from tests.acts.desk import Desk, organisation, person
from tests.ledger import projecting
from tests.ledger.support import VERIFIERS

RECORD = {"dataset": "tax-arrears", "record": "N-1", "version": "1"}
WHY = "the notice was sent to another company"


def report(of: Subject, event: str = "WITHDRAWN", **more: Any) -> dict[str, Any]:
    subject = {"scheme": of.scheme, "value": of.value}
    return {"subject": subject, "record": RECORD, "event": event, "reason": WHY} | more


def corrected(of: Subject, version: str | None = "1", new: str = "2", **more: Any) -> dict[str, Any]:
    record = {"dataset": "tax-arrears", "record": "N-1"} | ({} if version is None else {"version": version})
    return report(of, "CORRECTED", record=record, newVersion=new, **more)


def stewards(desk: Desk) -> tuple[Requester, Requester]:
    return desk.official("tax", "t.weber"), desk.official("tax", "t.nowak")


def system(desk: Desk, **members: Any) -> Requester:
    return desk.who("tax-service", "steward", reports_changes=True, **members)


async def facts_of(desk: Desk, subject: Subject) -> SubjectFacts:
    with contextlib.closing(desk.store.facts()) as source:
        return (await FactsReader(source, desk.office.zone).read([subject], desk.now, ("", ""))).subjects[subject]


def fact_rows(desk: Desk) -> list[Mapping[str, Any]]:
    with desk.store.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(fact).order_by(fact.c.change)).mappings()]


async def test_a_stewards_report_counts_once_another_confirms_it(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    made = await desk.ask(one, "reportChange", **report(who))
    assert made == {
        "__typename": "Change", "id": made["id"], "state": "AWAITS_CONFIRMATION", "event": "WITHDRAWN",
        "scheme": who.scheme, "value": who.value, "dataset": "tax-arrears", "record": "N-1", "version": "1",
        "at": desk.now, "reason": WHY, "because": None, "newVersion": None,
    }  # fmt: skip
    assert (await facts_of(desk, who)) == SubjectFacts()
    done = await desk.ask(other, "confirm", id=made["id"])
    assert done == made | {"state": "DECIDED"}
    assert (await facts_of(desk, who)).withdrawn == {"tax-arrears/N-1"}
    first, second = desk.acts()
    assert [first.what, first.outcome, first.changes] == ["change-reported", "withdrawn", ()]
    assert [second.what, second.outcome, second.changes] == ["change-confirmed", "withdrawn", (1,)]
    for told in (first, second):
        assert (told.scheme, told.value, told.matter, told.record) == (who.scheme, who.value, made["id"], "N-1")
        assert (told.dataset, told.version, told.requester.client) == ("tax-arrears", "1", "tax-stewards")
    assert first.reason == WHY
    verify_store(desk.store, VERIFIERS)


async def test_nobody_confirms_what_they_reported(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    made = await desk.ask(one, "reportChange", **report(who))
    assert await desk.refused(one, "confirm", id=made["id"]) == "SECOND_PERSON"
    assert (await facts_of(desk, who)) == SubjectFacts()
    # By another client of the same issuer they are still the same human.
    again = desk.who("tax-service", "steward", official="t.weber")
    assert await desk.refused(again, "confirm", id=made["id"]) == "SECOND_PERSON"
    await desk.ask(other, "confirm", id=made["id"])
    assert await desk.refused(other, "confirm", id=made["id"]) == "STATE"


async def test_another_departments_steward_finds_nothing(desk: Desk) -> None:
    who, (one, _) = organisation(), stewards(desk)
    made = await desk.ask(one, "reportChange", **report(who))
    others = desk.official("market", "m.petrov")
    assert await desk.refused(others, "confirm", id=made["id"]) == "MATTER_NOT_FOUND"
    assert await desk.refused(others, "confirm", id="0" * 32) == "MATTER_NOT_FOUND"
    assert (await desk.ask(others, "changes", first=10))["items"] == []
    for dataset in ("tax-arrears", "no-such-dataset", "market-inspections"):  # another's, none, and a draft
        given = report(who, record={"dataset": dataset, "record": "N-1"})
        assert await desk.refused(others, "reportChange", **given) == "ARGUMENT"
    assert len(desk.acts()) == 1


async def test_a_correction_restrains_nothing_and_is_there_for_who_asks_what_changed(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    made = await desk.ask(one, "reportChange", **corrected(who))
    assert fact_rows(desk) == []
    await desk.ask(other, "confirm", id=made["id"])
    (row,) = fact_rows(desk)
    assert (row["kind"], row["record"], row["change"], row["ended"]) == ("correction", "N-1", 1, 2)
    assert (await facts_of(desk, who)) == SubjectFacts()
    assert desk.acts()[-1].changes == (1, 2)
    assert desk.acts()[-1].new_version == "2"
    verify_store(desk.store, VERIFIERS)


async def test_what_is_withdrawn_is_shown_again_once_two_stewards_say_so(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    assert await desk.refused(one, "reportChange", **report(who, "REINSTATED")) == "STATE"
    await desk.ask(system(desk), "reportChange", **report(who))
    assert await desk.refused(one, "reportChange", **report(who)) == "STATE"
    made = await desk.ask(one, "reportChange", **report(who, "REINSTATED"))
    assert (await facts_of(desk, who)).withdrawn == {"tax-arrears/N-1"}
    await desk.ask(other, "confirm", id=made["id"])
    assert (await facts_of(desk, who)) == SubjectFacts()
    assert desk.acts()[-1].changes == (2,)
    assert await desk.refused(one, "reportChange", **report(who, "REINSTATED")) == "STATE"
    verify_store(desk.store, VERIFIERS)


async def test_a_systems_report_counts_at_once_but_for_what_releases(desk: Desk) -> None:
    who, (one, _) = organisation(), stewards(desk)
    done = await desk.ask(system(desk), "reportChange", **corrected(who))
    assert done["state"] == "DECIDED"
    done = await desk.ask(system(desk), "reportChange", **report(who))
    assert done["state"] == "DECIDED"
    assert (await facts_of(desk, who)).withdrawn == {"tax-arrears/N-1"}
    back = await desk.ask(system(desk), "reportChange", **report(who, "REINSTATED"))
    assert back["state"] == "AWAITS_CONFIRMATION"
    assert (await facts_of(desk, who)).withdrawn == {"tax-arrears/N-1"}
    await desk.ask(one, "confirm", id=back["id"])  # one steward is enough: no human reported it
    assert (await facts_of(desk, who)) == SubjectFacts()
    assert [each.changes for each in desk.acts()] == [(1, 2), (3,), (), (4,)]
    verify_store(desk.store, VERIFIERS)


async def test_an_official_behind_a_system_is_a_steward(desk: Desk) -> None:
    made = await desk.ask(system(desk, official="t.weber"), "reportChange", **report(organisation()))
    assert made["state"] == "AWAITS_CONFIRMATION"


async def test_who_is_neither_reports_nothing(desk: Desk) -> None:
    assert (
        await desk.refused(desk.who("tax-service", "steward"), "reportChange", **report(organisation())) == "FORBIDDEN"
    )
    assert desk.entered()[1:] == desk.acts() == []


async def test_withdrawals_past_so_many_an_hour_wait_for_a_steward(desk: Desk) -> None:
    desk.handlers = handlers(desk.office, reporting={"tax": Reporting((), 3)})
    subjects = [organisation() for _ in range(5)]
    states = [(await desk.ask(system(desk), "reportChange", **report(each)))["state"] for each in subjects]
    assert states == ["DECIDED"] * 3 + ["AWAITS_CONFIRMATION"] * 2
    assert (await desk.ask(system(desk), "reportChange", **corrected(subjects[4])))["state"] == "DECIDED"
    one, _ = stewards(desk)
    waiting = await desk.ask(one, "changes", state="AWAITS_CONFIRMATION", first=10)
    await desk.ask(one, "confirm", id=waiting["items"][0]["id"])  # a steward's word does not count among them
    desk.now += datetime.timedelta(minutes=59)
    assert (await desk.ask(system(desk), "reportChange", **report(organisation())))["state"] == "AWAITS_CONFIRMATION"
    desk.now += datetime.timedelta(minutes=2)
    states = [(await desk.ask(system(desk), "reportChange", **report(organisation())))["state"] for _ in range(4)]
    assert states == ["DECIDED"] * 3 + ["AWAITS_CONFIRMATION"]


async def test_what_waits_is_replaced_by_the_next_report_of_the_same(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    first = await desk.ask(one, "reportChange", **corrected(who, new="9"))
    second = await desk.ask(one, "reportChange", **corrected(who, new="2"))
    with pytest.raises(Refusal, match="another report about this record took the place of this one"):
        await desk.ask(other, "confirm", id=first["id"])
    await desk.ask(other, "confirm", id=second["id"])
    wrong = await desk.ask(one, "reportChange", **report(who))
    await desk.ask(system(desk), "reportChange", **report(who))
    assert await desk.refused(other, "confirm", id=wrong["id"]) == "STATE"
    found = (await desk.ask(one, "changes", first=10))["items"]
    assert sorted(each["state"] for each in found) == ["DECIDED", "DECIDED", "WITHDRAWN", "WITHDRAWN"]


async def test_a_version_that_was_corrected_before_is_stale(desk: Desk) -> None:
    who, tax = organisation(), system(desk)
    await desk.ask(tax, "reportChange", **corrected(who, "1", "2"))
    assert await desk.refused(tax, "reportChange", **corrected(who, "1", "3")) == "STATE"
    await desk.ask(tax, "reportChange", **corrected(who, "2", "3"))
    await desk.ask(tax, "reportChange", **corrected(who, "7", "8"))  # it moved on meanwhile, and nobody reported it
    await desk.ask(tax, "reportChange", **corrected(who, "8", "1"))  # a version may come back
    await desk.ask(tax, "reportChange", **corrected(who, "1", "9"))
    await desk.ask(tax, "reportChange", **corrected(who, None, "10"))
    assert await desk.refused(tax, "reportChange", **corrected(who, "8", "11")) == "STATE"
    await desk.ask(tax, "reportChange", **corrected(organisation(), "1", "2"))


BAD_INPUT = [
    {"newVersion": None, "event": "CORRECTED"},
    {"newVersion": "2"},
    {"newVersion": "1", "event": "CORRECTED"},
    {"newVersion": "two\nlines", "event": "CORRECTED"},
    {"reason": " "},
    {"reason": "x" * 4_001},
    {"reason": "a\x00b"},
    {"record": {"dataset": "income-statements", "record": "1"}},  # about persons only
    {"record": {"dataset": "tax-arrears", "record": ""}},
    {"record": {"dataset": "tax-arrears", "record": "x" * 257}},
    {"record": {"dataset": "tax-arrears", "record": "1", "version": "\u202e"}},
    {"reference": " "},
]


async def test_bad_input_is_refused_and_leaves_nothing(desk: Desk) -> None:
    for given in BAD_INPUT:
        one, _ = stewards(desk)
        assert await desk.refused(one, "reportChange", **(report(organisation()) | given)) == "ARGUMENT", given
        assert desk.acts() == [], given


async def test_an_identifier_that_is_none_is_told_so(desk: Desk) -> None:
    one, _ = stewards(desk)
    wrong = report(organisation(), subject={"scheme": "LEI", "value": "5493001KJTIIGC8Y1R13"})
    assert await desk.refused(one, "reportChange", **wrong) == "IDENTIFIER_INVALID"


async def test_html_and_letters_of_anywhere_are_kept_as_they_are(desk: Desk) -> None:
    one, _ = stewards(desk)
    words = "<script>alert(1)</script> Решение № 4"
    made = await desk.ask(one, "reportChange", **report(organisation(), reason=f"  {words}\n"))
    assert made["reason"] == words
    assert (await desk.ask(one, "changes", first=1))["items"] == [made]


async def test_a_record_that_is_not_there_is_reported_like_any_other(desk: Desk) -> None:
    who = person()
    given = report(who, record={"dataset": "income-statements", "record": "nowhere"})
    assert (await desk.ask(system(desk), "reportChange", **given))["state"] == "DECIDED"
    assert (await facts_of(desk, who)).withdrawn == {"income-statements/nowhere"}


async def test_a_reference_makes_a_report_and_a_confirmation_repeatable(desk: Desk) -> None:
    who, (one, other) = organisation(), stewards(desk)
    first = await desk.ask(one, "reportChange", **report(who, reference="r-1"))
    assert await desk.ask(one, "reportChange", **report(who, reference="r-1")) == first
    assert await desk.refused(one, "reportChange", **report(who, reference="r-1", reason="x")) == "REFERENCE"
    done = await desk.ask(other, "confirm", id=first["id"], reference="r-2")
    assert await desk.ask(other, "confirm", id=first["id"], reference="r-2") == done
    assert [each["id"] for each in desk.done] == [desk.done[0]["id"]] * 2 + [desk.done[2]["id"]] * 2
    assert len(desk.acts()) == 2


async def test_pages_have_what_waits_first_and_lose_nothing_between(desk: Desk) -> None:
    one, other = stewards(desk)
    ids = []
    for _ in range(5):
        ids.append((await desk.ask(one, "reportChange", **report(organisation())))["id"])
        desk.now += datetime.timedelta(seconds=1)
    done = []
    for _ in range(5):
        done.append((await desk.ask(system(desk), "reportChange", **report(organisation())))["id"])
    first = await desk.ask(one, "changes", first=3)
    assert [each["id"] for each in first["items"]] == ids[:3]
    await desk.ask(other, "confirm", id=ids[0])
    await desk.ask(other, "confirm", id=ids[3])  # not shown yet
    found, after = [], first["next"]
    while after is not None:
        following = await desk.ask(one, "changes", after=after, first=2)
        found += [each["id"] for each in following["items"]]
        after = following["next"]
    assert found[0] == ids[4]
    assert sorted(found[1:]) == sorted([*done, ids[0], ids[3]])
    views = [each for each in desk.entered() if isinstance(each, entries.View)]
    assert len(views) == 1 + (len(found) + 1) // 2
    assert {(each.format, each.by) for each in views} == {("changes", "t.weber")}
    for state, count in (("DECIDED", 7), ("AWAITS_CONFIRMATION", 3), ("OPEN", 0), ("WITHDRAWN", 0)):
        assert len((await desk.ask(one, "changes", state=state, first=100))["items"]) == count


NO_CURSORS = ["", "x", "w-", "w-1", "d-zz-" + "0" * 32, "w-" + "f" * 16 + "-" + "0" * 32, "1-2"]


async def test_a_cursor_that_is_none_is_refused_before_anything_is_entered(desk: Desk) -> None:
    for after in NO_CURSORS:
        one, _ = stewards(desk)
        assert await desk.refused(one, "changes", after=after, first=5) == "ARGUMENT", after
        assert not [each for each in desk.entered() if isinstance(each, entries.View)], after


async def test_no_row_has_what_people_wrote(desk: Desk) -> None:
    one, other = stewards(desk)
    made = await desk.ask(one, "reportChange", **report(organisation(), reason="SECRET-WORDS"))
    await desk.ask(other, "confirm", id=made["id"])
    with desk.store.engine.connect() as connection:
        for table in (matter, fact, rows.act):
            assert "SECRET-WORDS" not in str(connection.execute(select(table)).all())
            assert "t.weber" not in str(connection.execute(select(table)).all())


async def test_a_correction_or_withdrawal_ends_what_was_upheld_against_the_record(desk: Desk) -> None:
    (one, other), about = stewards(desk), {"dataset": "tax-arrears", "record": "N-1", "version": "1"}
    for event, by in (("CORRECTED", one), ("WITHDRAWN", system(desk))):
        who = organisation()
        filed = await desk.ask(desk.subject(who), "fileObjection", record=about, reason="it was paid")
        await desk.ask(one, "decideObjection", id=filed["id"], outcome="UPHELD", reason="so it was")
        assert (await facts_of(desk, who)).disputed == {"tax-arrears/N-1"}
        made = await desk.ask(by, "reportChange", **(corrected(who) if event == "CORRECTED" else report(who)))
        assert made["state"] == "AWAITS_CONFIRMATION", "also a system's: what answers an objection is no system's word"
        assert (await facts_of(desk, who)).disputed == {"tax-arrears/N-1"}, "deciding alone cleans nothing"
        await desk.ask(other, "confirm", id=made["id"])
        assert (await facts_of(desk, who)).disputed == frozenset()
    assert [each.changes for each in desk.acts() if each.changes] == [(1,), (2, 3, 4), (5,), (6, 7)]
    verify_store(desk.store, VERIFIERS)


async def test_who_represents_a_subject_neither_reports_nor_confirms_about_it(desk: Desk) -> None:
    (one, other), who = stewards(desk), organisation()
    about = {"dataset": "tax-arrears", "record": "N-2"}
    await desk.ask(desk.subject(who, "t.nowak"), "fileObjection", record=about, reason="not ours")
    waiting = await desk.ask(one, "reportChange", **report(who))
    assert await desk.refused(other, "confirm", id=waiting["id"]) == "SECOND_PERSON"
    assert await desk.refused(other, "reportChange", **corrected(who)) == "SECOND_PERSON"
    await desk.ask(desk.official("tax", "t.third"), "confirm", id=waiting["id"])


async def test_a_correction_of_another_version_answers_no_objection(desk: Desk) -> None:
    (one, other), who = stewards(desk), organisation()
    about = {"dataset": "tax-arrears", "record": "N-1", "version": "1"}
    filed = await desk.ask(desk.subject(who), "fileObjection", record=about, reason="it was paid")
    await desk.ask(one, "decideObjection", id=filed["id"], outcome="UPHELD", reason="so it was")
    for versions, still in ((("98", "99"), True), (("1", "2"), False)):
        made = await desk.ask(one, "reportChange", **corrected(who, *versions))
        await desk.ask(other, "confirm", id=made["id"])
        assert ("tax-arrears/N-1" in (await facts_of(desk, who)).disputed) is still


async def test_who_received_a_record_while_it_was_corrected_is_found(desk: Desk) -> None:
    who = organisation()
    await desk.ask(system(desk), "reportChange", **corrected(who, "0", "1"))
    for number, facts in enumerate((0, 1, 2)):  # entered only after the correction, whatever facts it rested on
        told, oversight = projecting.told(projecting.Asked(facts=facts), number, desk.now)
        assert isinstance(told, entries.Inquiry)
        shown = entries.Dataset("tax-arrears", ("amount",), ["tax-arrears/N-1@0"])
        disclosed = [entries.Disclosed(*who, [shown])]
        parts = split(msgspec.structs.replace(told, disclosed=disclosed), oversight)
        by = (told.requester.issuer, told.requester.client)
        await desk.ledger.append(parts.told, parts.oversight, told.at, by, (), parts.subjects)
    projector = Projector(desk.store)
    while await asyncio.to_thread(projector.turn):
        pass
    with contextlib.closing(desk.store.reader()) as reader:
        assert [len(raced(reader, change)) for change in (1, 2)] == [1, 2]


async def test_a_correction_that_somebody_put_in_force_stops_what_rests_on_it(desk: Desk) -> None:
    who = organisation()
    await asyncio.to_thread(enter, desk.store.engine, "correction", who, desk.now, dataset="tax-arrears", record="N-1")
    with pytest.raises(Refusal) as refused:
        await facts_of(desk, who)
    assert refused.value.code is Code.DECISION_UNAVAILABLE
