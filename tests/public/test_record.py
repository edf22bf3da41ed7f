"""The open record: what is in it, how it is told, and what it leaves in the ledger."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.ledger.entry import entries
from gateway.public import record_page
from gateway.public.gate import AT_ONCE
from gateway.public.record import PUBLIC, OpenRecords
from tests.outside import Held, values
from tests.properties.scenes import put
from tests.public.desk import Desk
from tests.world import World, new_subject


def held(world: World, subject: Subject, dataset: str, id: str = "r-1", **more: Any) -> Held:
    made = Held(id, values(world.catalogue.datasets[dataset]), **more)
    world.held.setdefault((subject, dataset), []).append(made)
    return made


def test_everybody_is_shown_what_is_open_and_nothing_else(desk: Desk) -> None:
    subject = new_subject()
    for dataset in desk.world.catalogue.datasets.values():
        if "organisation" in dataset.subjects:
            held(desk.world, subject, dataset.id)
    assert desk.shown(subject) == {
        "organisation-register": ["r-1"], "business-licences": ["r-1"], "emission-permits": ["r-1"],
        "tax-awards": ["r-1"],
    }  # fmt: skip
    answer = desk.record(subject)
    register = answer.json()["datasets"][0]
    assert [each["name"] for each in register["fields"]] == ["name", "legalForm", "registeredOn"]
    assert "tax-arrears" not in answer.text
    asked = {one.dataset for each in desk.world.departments.values() for ask in each.asked for one in ask.datasets}
    assert "tax-arrears" not in asked


def test_each_look_leaves_one_entry_that_commits_to_what_was_shown(desk: Desk) -> None:
    subject = new_subject()
    held(desk.world, subject, "business-licences")
    answer = desk.record(subject)
    (entry,) = desk.world.entries()
    assert isinstance(entry.told, entries.Inquiry)
    assert (entry.told.requester.issuer, entry.told.requester.client) == ("public", "open-record")
    assert entry.told.declaration.purpose == "OPEN_RECORD"
    assert entry.told.data.sha256
    assert not entry.told.counted
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-robots-tag"] == "noindex"


@pytest.mark.parametrize("change", ["no client", "no grant"])
def test_where_nothing_is_open_to_everybody_that_is_said_of_nobody(desk: Desk, change: str) -> None:
    """A refusal was entered for each look, and its subject read that the operator had asked."""
    subject, serving = new_subject(), desk.journey.serving()
    held(desk.world, subject, "business-licences")
    closed = copy.copy(serving.rules)
    everybody = msgspec.structs.replace(closed.policies.requesters[PUBLIC], grants=())
    requesters = {**closed.policies.requesters, PUBLIC: everybody}
    if change == "no client":
        del requesters[PUBLIC]
    closed.policies = msgspec.structs.replace(closed.policies, requesters=requesters)
    less = msgspec.structs.replace(serving, rules=closed)
    desk.journey = msgspec.structs.replace(desk.journey, serving=lambda: less)
    answers = [desk.record(subject), desk.get(f"{record_page.PATH}/LEI/no-such")]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert "no open record" in answers[0].json()["error"]
    form = desk.get(f"{record_page.PATH}?scheme=LEI&value=x", accept="text/html")
    assert (form.status_code, "<form" in form.text) == (404, False)
    assert desk.world.entries() == []


def test_what_the_client_has_already_is_entered_all_the_same(desk: Desk) -> None:
    subject = new_subject()
    held(desk.world, subject, "business-licences")
    first = desk.record(subject)
    again = desk.record(subject, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert len(desk.world.entries()) == 2


def test_a_withdrawn_record_is_not_confirmed_by_its_tag(desk: Desk) -> None:
    subject = new_subject()
    held(desk.world, subject, "business-licences")
    first = desk.record(subject)
    put(desk.world, "withdrawal", subject, "business-licences", "r-1")
    again = desk.record(subject, **{"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert "r-1" not in again.text


def test_unknown_no_records_and_all_withheld_read_alike(desk: Desk) -> None:
    unknown, withheld = new_subject(), new_subject()
    held(desk.world, withheld, "tax-awards")
    put(desk.world, "overdue", withheld, "tax-awards", "r-1")
    one, other = desk.record(unknown), desk.record(withheld)
    assert one.text.replace(unknown.value, "-") == other.text.replace(withheld.value, "-")


def test_a_disputed_record_says_so_on_the_page(desk: Desk) -> None:
    subject = new_subject()
    held(desk.world, subject, "business-licences", mitigation="Flood of 2025")
    put(desk.world, "objection", subject, "business-licences", "r-1")
    page = desk.record(subject, accept="text/html")
    assert "objects to this record" in page.text
    assert "Flood of 2025" in page.text


def test_whatever_names_no_organisation_is_refused_in_the_same_bytes(desk: Desk) -> None:
    person = new_subject("person")
    addresses = [
        f"{record_page.PATH}/PIN/{person.value}",
        f"{record_page.PATH}/LEI/{person.value}",
        f"{record_page.PATH}/LEI/529900T8BM49AURSDO56",
        f"{record_page.PATH}/NONE/1",
        f"{record_page.PATH}/LEI/{'9' * 5000}",
    ]
    for accept in ("application/json", "text/html"):
        answers = [desk.get(address, accept) for address in addresses]
        assert {each.status_code for each in answers} == {404}
        assert len({each.content for each in answers}) == 1
        assert len({tuple(sorted(each.headers.items())) for each in answers}) == 1
    assert desk.world.entries() == []


def test_a_department_out_of_reach_takes_nothing_of_the_others(desk: Desk) -> None:
    subject = new_subject()
    held(desk.world, subject, "emission-permits")
    held(desk.world, subject, "business-licences")
    desk.world.departments["market"].mood = "down"
    found = {each["id"]: each for each in desk.record(subject).json()["datasets"]}
    assert not found["business-licences"]["available"]
    assert [each["id"] for each in found["emission-permits"]["records"]] == ["r-1"]
    assert "cannot be reached" in desk.record(subject, accept="text/html").text


def test_without_an_entry_nothing_is_shown(desk: Desk) -> None:
    class Full:
        async def append(self, *given: Any) -> Any:
            from gateway.errors import LedgerUnavailable

            raise LedgerUnavailable("full")

    subject = new_subject()
    held(desk.world, subject, "business-licences")
    desk.routes._records = OpenRecords(Full())
    answer = desk.record(subject)
    assert answer.status_code == 503
    assert "r-1" not in answer.text
    assert "held-" not in answer.text


def test_one_address_is_held_back_before_anything_is_done(desk: Desk) -> None:
    subject = new_subject()
    address = f"{record_page.PATH}/{subject.scheme}/{subject.value}"
    statuses = []
    for _ in range(int(AT_ONCE) + 3):
        statuses.append(desk.get(address).status_code)
        desk.ticks -= 1.0
    assert statuses == [200] * int(AT_ONCE) + [429] * 3
    assert len(desk.world.entries()) == AT_ONCE
    desk.ticks += 2.0
    assert desk.get(address).status_code == 200


def test_a_record_is_asked_for_more_often_than_any_frequency_would_let(desk: Desk) -> None:
    assert desk.world.policies.purposes["OPEN_RECORD"].frequency.unlimited
    subject = new_subject()
    for _ in range(30):
        assert desk.record(subject).status_code == 200


def test_the_form_leads_to_a_record_s_address_and_nowhere_else(desk: Desk) -> None:
    to = desk.get(f"{record_page.PATH}?scheme=LEI&value=529900T8BM49AURSDO55")
    assert (to.status_code, to.headers["location"]) == (303, f"{record_page.PATH}/LEI/529900T8BM49AURSDO55")
    away = desk.get(f"{record_page.PATH}?scheme=LEI&value=//evil.example/")
    assert away.headers["location"] == f"{record_page.PATH}/LEI/%2F%2Fevil.example%2F"
    assert desk.get(f"{record_page.PATH}?scheme=//evil.example&value=1").status_code == 200


def test_values_of_records_are_text_on_the_page(desk: Desk) -> None:
    subject = new_subject()
    fields = values(desk.world.catalogue.datasets["organisation-register"]) | {"name": "<script>alert(1)</script>"}
    desk.world.held[subject, "organisation-register"] = [Held("r-1", fields)]
    page = desk.record(subject, accept="text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "script-src 'none'" in page.headers["content-security-policy"]


def test_json_is_had_by_its_ending_too(desk: Desk) -> None:
    subject = new_subject()
    answer = desk.get(f"{record_page.PATH}/LEI/{subject.value}.json", "text/html")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.text)["value"] == subject.value


def test_what_ended_is_not_shown(desk: Desk) -> None:
    subject = new_subject()
    held(desk.world, subject, "tax-awards", effective=datetime.date(2000, 1, 1))
    awards = desk.world.catalogue.datasets["tax-awards"]
    assert (awards.display is None or awards.display.max is None) == (desk.shown(subject)["tax-awards"] == ["r-1"])
