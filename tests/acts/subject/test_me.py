"""`me`: what is held about a subject, by the road of every inquiry, with nothing withheld from itself."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.errors import LedgerUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.proof.leaf import data_digest
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.storage.subjects import facts
from tests.acts.looking import HELD, HISTORY, REST, Looking
from tests.world import Held, new_subject, opened, values


@pytest.fixture(scope="module")
def looking() -> Iterator[Looking]:
    with opened() as world:
        yield Looking(world)


@pytest.fixture(autouse=True)
def calm(looking: Looking) -> None:
    looking.world.calm()
    looking.counting_anew()


def holding(looking: Looking, *held: Held, dataset: str = "market-penalties") -> Subject:
    subject = new_subject()
    world = looking.world
    known = world.catalogue.datasets[dataset]
    world.held[subject, dataset] = [each._replace(fields=values(known, n)) for n, each in enumerate(held)]
    return subject


def of(name: str, **more: object) -> Held:
    return Held(name, {}, **more)  # type: ignore[arg-type]


def test_every_published_dataset_that_covers_it_is_told_with_its_law(looking: Looking) -> None:
    subject = holding(looking, of("P-1", mitigation="flood"))
    found = looking.held(subject)
    covering = [each for each in looking.world.catalogue.published.values() if "organisation" in each.subjects]
    assert list(found) == [each.id for each in covering]
    assert all(each["available"] and each["records"] is not None for each in found.values())
    told = found["market-penalties"]
    known = looking.world.catalogue.datasets["market-penalties"]
    assert told["dataset"]["basis"] == [{"law": each.law, "article": each.article} for each in known.basis]
    (record,) = told["records"]
    assert known.display is not None
    assert known.display.max is not None
    until = known.display.max.after(looking.world.today())
    assert record["record"] == {
        "id": "P-1", "version": "1", "dataset": "market-penalties", "source": "market", "document": "D-1",
        "effective": looking.world.today().isoformat(), "displayUntil": until.isoformat(), "disputed": False,
        "mitigation": "flood",
    }  # fmt: skip
    assert [each["field"] for each in record["values"]] == list(known.fields)
    assert [each["title"] for each in record["values"]] == [each.title for each in known.fields.values()]
    assert record["withheldFromOthers"] == []
    assert known.display.min is not None
    assert record["restorableFrom"] == known.display.min.after(looking.world.today()).isoformat()


def test_a_value_is_written_as_an_answer_writes_it(looking: Looking) -> None:
    subject = holding(looking, of("P-1"))
    query = """query($id: IdentifierInput!) @inquiry(purpose: SUBJECT_ACCESS) {
      organisation(id: $id) { marketPenalties { decisionNumber conduct amount currency decidedOn } } }"""
    answered = looking.ask(subject, query, {"id": {"scheme": subject.scheme, "value": subject.value}})
    (record,) = looking.held(subject)["market-penalties"]["records"]
    (said,) = answered.data["organisation"]["marketPenalties"]
    assert {each["field"]: each["value"] for each in record["values"]} == {
        name: str(each) for name, each in said.items()
    }


def test_one_entry_commits_to_the_data_and_has_no_receipt(looking: Looking) -> None:
    subject = holding(looking, of("P-1"), of("P-2", document=None))
    reply = looking.ask(subject, HELD)
    (entered,) = reply.entries
    assert isinstance(entered.told, entries.Inquiry)
    assert entered.oversight.by_subject
    assert entered.told.declaration.purpose == "SUBJECT_ACCESS"
    assert entered.told.data.sha256 == data_digest(entered.told.data.salt, reply.data_bytes)
    (disclosed,) = entered.told.disclosed
    given = {each.dataset: each.records for each in disclosed.datasets}
    assert given["market-penalties"] == ["market-penalties/P-1@1", "market-penalties/P-2@1"]
    held_back = [(each.record, each.restraint) for each in entered.oversight.withheld]
    assert held_back == [("market-penalties/P-2@1", "no-source-document")]
    assert set(reply.inquiry) == {"id", "obligations", "cautions", "ruleSet"}
    assert b"c2sp.org" not in reply.answer.body


@pytest.mark.parametrize("query", [HISTORY, REST, "{ me { value } }"])
def test_a_look_that_reads_no_record_is_entered_and_counts_nothing(looking: Looking, query: str) -> None:
    subject = holding(looking, of("P-1"))
    for _ in range(120):  # the purpose allows 100 per day
        reply = looking.ask(subject, query)
        assert reply.answer.status == 200
        (entered,) = reply.entries
        assert isinstance(entered.told, entries.Inquiry)
        assert not entered.told.counted
        assert reply.asked == {}


def test_reading_records_counts(looking: Looking) -> None:
    subject = holding(looking, of("P-1"))
    for _ in range(100):
        assert looking.ask(subject, "{ me { datasets { available } } }").answer.status == 200
    refused = looking.ask(subject, HELD)
    assert refused.answer.status == 429
    (entered,) = refused.entries
    assert isinstance(entered.told, entries.Refused)
    assert [each.value for each in entered.told.subjects] == [subject.value]
    assert looking.ask(subject, HISTORY).answer.status == 200


def test_a_department_that_is_down_hides_nothing_else(looking: Looking) -> None:
    subject = holding(looking, of("P-1"))
    whole = looking.held(subject)
    looking.world.departments["tax"].mood = "down"
    reply = looking.ask(subject, HELD)
    assert reply.errors == []
    found = {each["dataset"]["id"]: each for each in reply.data["me"]["datasets"]}
    of_tax = {each.id for each in looking.world.catalogue.published.values() if each.department == "tax"}
    for name, told in found.items():
        if name in of_tax:
            assert (told["available"], told["records"]) == (False, None)
        else:
            assert told == whole[name]


def test_a_faulty_record_makes_its_dataset_unavailable_and_no_other(looking: Looking) -> None:
    subject = holding(looking, of("P-1"), of("P-2", faulty=True, document=None))
    found = looking.held(subject)
    assert not found["market-penalties"]["available"]
    assert all(each["available"] for name, each in found.items() if name != "market-penalties")


def test_what_others_are_not_shown_is_shown_and_says_why(looking: Looking) -> None:
    world = looking.world
    old = datetime.date(2001, 1, 1)
    subject = holding(looking, *(of(f"P-{n}") for n in range(6)), of("P-6", effective=old, document=None))
    engine, now = world.store.engine, world.now
    facts.withdraw(engine, subject, "market-penalties", "P-1", now, "a court annulled it")
    facts.restore(engine, subject, "market-penalties", "P-2", now)
    facts.open_objection(engine, subject, "market-penalties", "P-3", world.today() - datetime.timedelta(days=1), now)
    facts.open_objection(engine, subject, "market-penalties", "P-4", world.today(), now)
    facts.withdraw(engine, subject, "market-penalties", "P-5", now)
    facts.restore(engine, subject, "market-penalties", "P-5", now)
    found = {each["record"]["id"]: each for each in looking.held(subject)["market-penalties"]["records"]}
    assert {name: len(each["withheldFromOthers"]) for name, each in found.items()} == {
        "P-0": 0, "P-1": 1, "P-2": 1, "P-3": 1, "P-4": 0, "P-5": 2, "P-6": 2,
    }  # fmt: skip
    assert {name for name, each in found.items() if each["record"]["disputed"]} == {"P-3", "P-4"}
    (change,) = found["P-1"]["changes"]
    assert (change["event"], change["reason"], change["state"]) == ("WITHDRAWN", "a court annulled it", "DECIDED")
    assert [each["event"] for each in found["P-5"]["changes"]] == ["WITHDRAWN", "RESTORED"]
    assert found["P-2"]["restorableFrom"] is None
    assert all(each["values"] for each in found.values())


def test_only_the_tokens_own_identifier_and_only_through_a_portal(looking: Looking) -> None:
    subject, other = holding(looking, of("P-1")), holding(looking, of("P-1"))
    assert looking.ask(subject, "{ me { value } }").data["me"]["value"] == subject.value
    nobody = looking.world.requester("citizen-portal", scopes=("self",))
    assert looking.ask(nobody, HELD).codes == ["FORBIDDEN"]
    elsewhere = looking.who(other, client="market-regulator")
    assert looking.ask(elsewhere, HELD).codes == ["FORBIDDEN"]
    wrong = looking.world.requester("citizen-portal", scopes=("self",), identifier=("LEI", "1"))
    assert looking.ask(wrong, HELD).codes == ["IDENTIFIER_INVALID"]


def test_a_store_that_cannot_be_read_is_told_and_entered(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = holding(looking, of("P-1"))

    def broken(*_: object) -> None:
        raise RuntimeError("of our own")

    monkeypatch.setattr("gateway.acts.subject.held.datasets", broken)
    reply = looking.ask(subject, HELD)
    assert reply.codes == ["INTERNAL"]
    assert "data" not in reply.said
    (entered,) = reply.entries
    assert isinstance(entered.told, entries.Refused)


def test_what_is_not_selected_is_not_read(looking: Looking) -> None:
    subject = holding(looking, of("P-1"))
    assert looking.ask(subject, "{ me { consents { id } } }").asked == {}
    asked = looking.ask(subject, "{ me { datasets { dataset { id } } } }").asked
    assert set(asked) == {each.department for each in looking.world.catalogue.published.values()}


class Failing:
    """A ledger that takes nothing, or that is killed once it took it."""

    def __init__(self, looking: Looking, *, after: bool) -> None:
        self._ledger, self._after = looking.world.ledger, after

    async def append(self, *entered: Any) -> Receipt:
        if self._after:
            await self._ledger.append(*entered)
        raise LedgerUnavailable("the process was killed")


@pytest.mark.parametrize("after", [False, True])
def test_nothing_leaves_where_it_ends_between(looking: Looking, after: bool) -> None:
    """Before its entry is durable, or after it and before the answer: then the entry stands, and says what it held."""
    subject = holding(looking, of("P-1"))
    reply = looking.ask(subject, HELD, ledger=Failing(looking, after=after))
    assert (reply.answer.status, reply.codes) == (503, ["LEDGER_UNAVAILABLE"])
    assert "data" not in reply.said
    assert b"held-" not in reply.answer.body
    assert len(reply.entries) == after
    assert looking.held(subject)["market-penalties"]["records"]


def test_a_token_that_ends_meanwhile_releases_nothing(looking: Looking) -> None:
    subject = holding(looking, of("P-1"))
    who = looking.world.requester(
        "citizen-portal", scopes=("self",), identifier=subject[1:], expires=looking.world.now.timestamp() + 1
    )

    class Slow(Failing):
        async def append(self, *entered: Any) -> Receipt:
            receipt = await self._ledger.append(*entered)
            looking.later(seconds=2)
            return receipt

    reply = looking.ask(who, HELD, ledger=Slow(looking, after=True))
    assert reply.codes == ["UNAUTHENTICATED"]
    assert [type(each.told) for each in reply.entries] == [entries.Inquiry, entries.NotReleased]


def test_a_change_is_told_once_with_its_reason(looking: Looking) -> None:
    """Reported by the department's own system, as they hold from then on."""
    subject = holding(looking, of("P-1"), of("P-2"), of("P-3"))
    world = looking.world
    looking.later(minutes=1)  # what is entered is never earlier than what was entered before
    system = msgspec.structs.replace(world.requester("market-regulator", scopes=("steward",)), reports_changes=True)
    report = """mutation($id: IdentifierInput!, $record: ID!, $event: ReportedEvent!, $version: String) {
      reportChange(subject: $id, record: {dataset: "market-penalties", record: $record, version: "1"}, event: $event,
        newVersion: $version, reason: "entered for the wrong firm") { id state } }"""
    given = {"id": {"scheme": subject.scheme, "value": subject.value}}
    done = []
    for record, event, version in (("P-1", "WITHDRAWN", None), ("P-2", "CORRECTED", "2")):
        reply = looking.ask(system, report, {**given, "record": record, "event": event, "version": version})
        assert reply.errors == []
        done.append(reply.data["reportChange"]["id"])
    found = {each["record"]["id"]: each["changes"] for each in looking.held(subject)["market-penalties"]["records"]}
    assert {record: [each["id"] for each in changes] for record, changes in found.items()} == {
        "P-1": [done[0]], "P-2": [done[1]], "P-3": [],
    }  # fmt: skip
    assert {each["reason"] for changes in found.values() for each in changes} == {"entered for the wrong firm"}
    rows = looking.ask(subject, HISTORY).data["me"]["accessHistory"]["items"]
    assert [(each["what"], each["department"]) for each in rows if each["what"] == "CHANGE"] == [
        ("CHANGE", "market")
    ] * 2
