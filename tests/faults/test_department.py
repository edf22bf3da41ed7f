"""A department that misbehaves costs its own datasets and nothing else, with its code (invariants 5, 8, 9)."""

from __future__ import annotations

import json
import re

import pytest

from gateway.ledger.entry import entries
from tests.faults.conftest import Bad
from tests.faults.moods import SECRET
from tests.faults.table import FAULTS, codes

ALL = """{ name businessLicences { number validUntil } taxArrears { amount }
  wageArrears { period workersAffected amount record { id document } } }"""


@pytest.mark.parametrize("mood", [mood for mood in FAULTS["rest"] if codes("rest", mood)])
def test_one_departments_failure_is_its_own(bad: Bad, mood: str) -> None:
    before = bad.entries()
    bad.mood("wage-arrears", mood)
    try:
        reply = bad.ask(ALL)
    finally:
        bad.mood("wage-arrears")
    assert reply.status == 200
    assert bad.entries() == before + 1
    found = reply.data["organisation"]
    assert found == {
        "name": "text",
        "businessLicences": [{"number": "text", "validUntil": "2026-01-02"}],
        "taxArrears": [{"amount": "12.5"}],
        "wageArrears": None,
    }
    (error,) = reply.errors
    assert error["path"] == ["organisation", "wageArrears"]
    assert error["extensions"]["code"] in codes("rest", mood)
    assert error["extensions"]["department"] == "labour"
    assert isinstance(error["extensions"]["retryable"], bool)
    assert SECRET not in json.dumps(reply.body)
    told = bad.entered()[reply.inquiry["id"]]
    assert isinstance(told, entries.Inquiry)
    (disclosed,) = told.disclosed
    assert {d.dataset: len(d.records) for d in disclosed.datasets}["wage-arrears"] == 0


def test_after_the_failure_the_records_are_back(bad: Bad) -> None:
    reply = bad.ask(ALL)
    assert not reply.errors
    (record,) = reply.data["organisation"]["wageArrears"]
    document = record["record"].pop("document")
    assert re.fullmatch(r"D-[A-Z0-9]{20}", document)
    assert record == {"period": "text", "workersAffected": 7, "amount": "12.5", "record": {"id": "R-1"}}


def test_who_is_not_found_has_no_records(bad: Bad) -> None:
    """Invariant 5: a register answers 404 for a subject that it does not know."""
    bad.mood("wage-arrears", "404")
    try:
        reply = bad.ask(ALL)
    finally:
        bad.mood("wage-arrears")
    assert not reply.errors
    assert reply.data["organisation"]["wageArrears"] == []


@pytest.mark.parametrize("mood", ["NaN", "over 32 bits", "a word as decimal"])
def test_what_is_not_asked_for_cannot_be_wrong(bad: Bad, mood: str) -> None:
    """A field that no one selected is not decoded: only JSON itself has to be JSON."""
    bad.mood("wage-arrears", mood)
    try:
        reply = bad.ask("{ wageArrears { period } }")
    finally:
        bad.mood("wage-arrears")
    assert reply.codes in ([], ["SOURCE_INVALID"])
    assert (reply.data["organisation"]["wageArrears"] is None) == bool(reply.codes)


def test_every_department_failing_is_an_answer_too(bad: Bad) -> None:
    for dataset in ("organisation-register", "business-licences", "tax-arrears", "wage-arrears"):
        bad.mood(dataset, "hangs up")
    try:
        reply = bad.ask(ALL)
    finally:
        for dataset in ("organisation-register", "business-licences", "tax-arrears", "wage-arrears"):
            bad.mood(dataset)
    assert reply.status == 200
    assert set(reply.data["organisation"].values()) == {None}
    assert reply.codes == ["SOURCE_UNAVAILABLE"] * 4
    assert [error["path"][1] for error in reply.errors] == ["name", "businessLicences", "taxArrears", "wageArrears"]


def test_nothing_of_a_source_is_in_the_log(bad: Bad) -> None:
    for mood in ("garbage", "500", "a word as decimal"):
        bad.mood("wage-arrears", mood)
        bad.ask(ALL)
    bad.mood("wage-arrears")
    log = bad.gateway.log.read_text()
    assert SECRET not in log
    assert "Traceback" not in log
    assert "9DBX00" not in log
