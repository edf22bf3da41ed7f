"""Entries exported as CSV and as FHIR AuditEvents."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from tests.ledger.conftest import Run
from tests.ledger.exporting import LEI, Export
from tests.ledger.support import ORIGIN, SUBJECT


def test_csv_has_a_row_for_each_dataset(folder: Path, export: Export) -> None:
    assert export("--subject", LEI, "--format", "csv", "--out", folder / "entries.csv") == 0
    rows = list(csv.DictReader(io.StringIO((folder / "entries.csv").read_text(), newline="")))
    kinds = [(row["kind"], row["official"], row["dataset"], row["records"]) for row in rows]
    assert kinds == [
        ("a view of the ledger", "A. Auditor", "", ""),
        ("inquiry", "m.ivanova", "tax-arrears", "tax-arrears/N-1@3"),
        ("refused inquiry", "m.ivanova", "", ""),
        ("inquiry", "m.ivanova", "tax-arrears", "tax-arrears/N-1@3"),
    ]
    assert rows[1]["fields"] == "amount period"
    assert rows[1]["withheld"] == "tax-arrears/N-9@2 (display-ended)"
    assert rows[2]["outcome"] == "QUOTA_EXCEEDED: enough today"
    assert export("--subject", LEI, "--format", "csv", "--told-only", "--out", folder / "told.csv") == 0
    assert "m.ivanova" not in (folder / "told.csv").read_text()


def test_a_cell_is_never_a_formula(folder: Path, run: Run) -> None:
    command = (
        "ledger",
        "export",
        "--config",
        folder / "gateway.yaml",
        "--by",
        "=1+1",
        "--reason",
        "@x",
        "--case",
        "+1",
    )
    assert run(*command, "--anyway", "--format", "csv", "--out", folder / "entries.csv") == 0
    [row] = csv.DictReader(io.StringIO((folder / "entries.csv").read_text(), newline=""))
    assert (row["official"], row["purpose"], row["case"]) == ("'=1+1", "'@x", "'+1")


def test_fhir_says_who_asked_about_whom_and_why(folder: Path, export: Export) -> None:
    assert export("--subject", LEI, "--format", "fhir", "--out", folder / "entries.ndjson") == 0
    view, inquiry, refusal, _ = map(json.loads, (folder / "entries.ndjson").read_text().splitlines())
    assert {event["resourceType"] for event in (view, inquiry, refusal)} == {"AuditEvent"}
    assert inquiry["purposeOfEvent"] == [{"text": "TENDER_QUALIFICATION"}]
    assert [agent["who"]["identifier"]["value"] for agent in inquiry["agent"]] == ["market-regulator", "m.ivanova"]
    assert [agent["requestor"] for agent in inquiry["agent"]] == [False, True]
    subject, case, entry = inquiry["entity"]
    assert subject["what"]["identifier"] == {"type": {"text": "LEI"}, "value": SUBJECT.value}
    assert {"type": "tax-arrears: record", "valueString": "tax-arrears/N-1@3"} in subject["detail"]
    assert {"type": "withheld", "valueString": "tax-arrears/N-9@2 (display-ended)"} in subject["detail"]
    assert case["what"]["identifier"]["value"] == "MR-2026-17"
    assert entry["what"]["identifier"]["value"] == f"{ORIGIN}/1/0"
    assert (refusal["outcome"], refusal["outcomeDesc"]) == ("4", "QUOTA_EXCEEDED: enough today")
    assert view["agent"][1]["who"]["identifier"]["value"] == "A. Auditor"
    assert export("--subject", LEI, "--format", "fhir", "--told-only", "--out", folder / "told.ndjson") == 0
    told = (folder / "told.ndjson").read_text()
    assert "m.ivanova" not in told
    assert "display-ended" not in told
