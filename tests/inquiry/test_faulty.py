"""A value that cannot be used counts only where its record is not withheld: from the department's bytes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import DatasetShape, Failure, Fault, FieldType, Record
from connectors.mapping.decoding import Decoder
from gateway.inquiry.disclose import answer_parts
from gateway.inquiry.restrain import restrain
from gateway.inquiry.types import Released, Withheld
from gateway.ledger.entry.parts import EntryParts
from gateway.storage.subjects.kinds import SubjectFacts
from tests import world as worlds
from tests.connectors.test_mapping import mapping
from tests.ledger.support import SUBJECT, an_entry
from tests.world import NOON

TODAY = NOON.date()
YEARS_AGO = TODAY.replace(year=TODAY.year - 20).isoformat()
POLICIES = worlds.rule_set().policies
ARREARS = POLICIES.catalogue.datasets["tax-arrears"]
PURPOSE = POLICIES.purposes["TENDER_QUALIFICATION"]
WHO = worlds.new_subject()
SOUND = {"id": "N-1", "rev": "1", "doc": "D-1", "on": TODAY.isoformat(), "idType": WHO.scheme, "idNo": WHO.value,
         "period": "2026", "amount": "1.00", "currency": "EUR"}  # fmt: skip
MAPPED = {
    "record": {"id": "id", "version": "rev", "document": "doc", "effective": "on",
               "subject": {"scheme": "idType", "value": "idNo"}},
    "fields": {"period": "period", "amount": "amount", "currency": "currency"},
}  # fmt: skip
SHAPE = DatasetShape(
    "tax-arrears", {"period": FieldType.STRING, "amount": FieldType.DECIMAL, "currency": FieldType.STRING}
)
DECODER = Decoder(mapping(MAPPED, SHAPE), ("amount", "currency", "period"))
FAULTS: list[dict[str, Any]] = [{"amount": "ten"}, {"amount": "NaN"}, {"period": 7}, {"currency": ["EUR"]}]
WITHHELD: list[dict[str, Any]] = [{"on": YEARS_AGO}, {"on": None}, {"doc": None}, {"doc": " "}]


def outcome(*rows: dict[str, Any], facts: SubjectFacts | None = None) -> Released | Failure:
    records = DECODER.one(json.dumps(list(rows)).encode(), WHO)
    assert not isinstance(records, str), records
    made: list[Record] = records
    return restrain(ARREARS, PURPOSE, WHO, made, facts or SubjectFacts(), TODAY)[0]


def ids(found: Released | Failure) -> list[str]:
    assert isinstance(found, Released), found
    return [record.m_id for record in found.records]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("why", WITHHELD)
def test_a_faulty_record_that_is_withheld_leaves_no_trace(why: dict[str, Any], fault: dict[str, Any]) -> None:
    assert ids(outcome({**SOUND, **why, **fault})) == []
    assert ids(outcome(SOUND, {**SOUND, "id": "N-2", **why, **fault})) == ["N-1"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("why", WITHHELD)
def test_oversight_is_told_that_a_withheld_record_is_faulty(why: dict[str, Any], fault: dict[str, Any]) -> None:
    rows = [{**SOUND, **why}, {**SOUND, "id": "N-2", **why, **fault}, {**SOUND, "id": "N-3"}]
    records = DECODER.one(json.dumps(rows).encode(), WHO)
    assert not isinstance(records, str), records
    _, withheld, _ = restrain(ARREARS, PURPOSE, WHO, records, SubjectFacts(), TODAY)
    assert [(each.record, each.faulty) for each in withheld] == [("N-1", False), ("N-2", True)]


def test_that_it_is_faulty_is_in_oversights_part_of_the_entry_and_nowhere_else() -> None:
    def made(*faulty: bool) -> EntryParts:
        entry = an_entry(1)
        entry.withheld = [
            Withheld(SUBJECT, "tax-arrears", f"N-{at}", "1", "display-ended", each) for at, each in enumerate(faulty)
        ]
        got = {(SUBJECT, "tax-arrears"): Released([], [], [])}
        return answer_parts(entry, got, b"{}", (), bytes(32), NOON)

    sound, both = made(False, False), made(False, True)
    assert (both.told, [each.told for each in both.subjects]) == (sound.told, [each.told for each in sound.subjects])
    [of] = [each.oversight for each in both.subjects]
    assert [(each["record"], each.get("faulty")) for each in json.loads(of)["withheld"]] == [
        ("tax-arrears/N-0@1", None), ("tax-arrears/N-1@1", True),
    ]  # fmt: skip
    assert b"faulty" not in sound.subjects[0].oversight, "what was written before stays as it is"


@pytest.mark.parametrize("fault", FAULTS)
def test_so_does_one_that_a_fact_withholds(fault: dict[str, Any]) -> None:
    facts = SubjectFacts(withdrawn=frozenset(["tax-arrears/N-1"]))
    assert ids(outcome({**SOUND, **fault}, facts=facts)) == []


@pytest.mark.parametrize("fault", [*FAULTS, {"id": ""}, {"rev": None}, {"on": "soon"}, {"doc": []}])
def test_a_faulty_record_that_is_not_withheld_fails_its_dataset(fault: dict[str, Any]) -> None:
    """Also where a date or a document cannot be read: what a record does not show withholds nothing."""
    found = outcome(SOUND, {**SOUND, "id": "N-2", **fault})
    assert isinstance(found, Failure)
    assert (found.fault, found.retryable) == (Fault.INVALID, False)


@pytest.mark.parametrize("why", [{"on": YEARS_AGO}, {}])
def test_a_record_about_another_is_nobodys_whether_withheld_or_not(why: dict[str, Any]) -> None:
    other = {**SOUND, **why, "amount": "ten", "idNo": worlds.new_subject().value}
    assert isinstance(DECODER.one(json.dumps([other]).encode(), WHO), str)
