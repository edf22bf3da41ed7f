"""Every kind of entry in words, in every format; found by its subject; and on the map."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.ledger.entry import describe, description, entries, parts
from gateway.ledger.entry.describe_acts import WORDS
from gateway.ledger.entry.parts import OF_SUBJECT
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.export import as_csv, as_fhir, sheet, summary
from gateway.ledger.export.select import Chosen, fits
from gateway.ledger.proof.key_files import read_verifiers
from gateway.ledger.proof.leaf import Part, Side
from gateway.ledger.stored.read import Head, StoredEntry
from tests.docs.reading import ROOT, code, section, table
from tests.docs.test_articles import articles, named, occurs
from tests.ledger.conftest import Run
from tests.ledger.said import HEAD, LEI, SAID
from tests.ledger.support import AT, ORIGIN, SUBJECT
from tests.ledger.values import KINDS, at

ENTERED = table(section(ROOT / "gateway" / "README.md", "What is entered"))
VECTORS = ROOT / "tests" / "vectors" / "v2"
TOLD = [told for told, _, _ in SAID]
NAMING = [told for told in TOLD if OF_SUBJECT[type(told)] and describe.deed(told).subject]

of_every = pytest.mark.parametrize("told", TOLD, ids=lambda told: getattr(told, "what", type(told).__name__))
of_naming = pytest.mark.parametrize("told", NAMING, ids=lambda told: getattr(told, "what", type(told).__name__))


def chosen(told: entries.Told) -> Chosen:
    side = Side(Part(bytes(32), b"{}"), ())
    head = Head(1, "1", f"{ORIGIN}/1", "k", 0, 1, bytes(32), 0, "")
    return Chosen(head, StoredEntry(1, 0, AT, bytes(32), side, side, "2026-11-24"), told, entries.NOTHING, "receipt")


def erased(told: entries.Told) -> entries.Told:
    """The entry as it reads once its subject was erased."""
    made = parts.split(told)
    return parts.read_told(Side(Part(bytes(32), made.told), (bytes(32),)))


def shown(told: entries.Told) -> dict[str, str]:
    """An entry in every format."""
    each = chosen(told)
    view = TOLD[0]
    assert isinstance(view, entries.View)
    page = summary.Pages(msgspec.structs.replace(view, looked=entries.Looked(), reason=""))
    page.add(each, "entries/1-0", with_oversight=True)
    return {
        "sheet": "".join(map(sheet.table, sheet.told_sections(told))),
        "page": page.finish([], None, []).decode(),
        "fhir": "".join(as_fhir.as_ndjson([each])),
        "csv": "".join(as_csv.as_csv([each])),
    }


def test_every_kind_is_here() -> None:
    assert {type(told) for told in TOLD} | {entries.Inquiry, entries.Refused} == set(KINDS)


def test_every_kind_has_a_name_and_a_tag_of_its_own() -> None:
    assert len({describe.kind(told) for told in TOLD}) == len(KINDS) - 2
    assert {told.what for told in TOLD if isinstance(told, entries.Acted)} > set(WORDS)
    assert len({str(kind.__struct_config__.tag) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(("told", "by", "happened"), SAID, ids=lambda each: type(each).__name__)
def test_what_happened_is_one_sentence(told: entries.Done | entries.OfLedger, by: str, happened: str) -> None:
    said = describe.deed(told)
    assert (said.by, said.happened) == (by, happened)
    assert all(label and any(lines) for label, lines in said.rows)


@of_every
def test_every_format_says_it(told: entries.Done | entries.OfLedger) -> None:
    said = describe.deed(told)
    for name, text in shown(told).items():
        assert said.happened in text, name
        assert said.why in text, name
    made = as_fhir.audit_event(chosen(told))
    assert made["subtype"][0]["code"] == describe.tag(told)
    assert made["type"]
    assert any(agent["requestor"] for agent in made["agent"])


@of_naming
def test_it_is_found_by_its_subject_and_case_and_by_no_other(told: entries.Done) -> None:
    assert fits(told, entries.Looked(*LEI))
    assert not fits(told, entries.Looked("LEI", "529900T8BM49AURSDO55"))
    assert fits(told, entries.Looked(case="MR-1")) is isinstance(told, entries.View)
    assert not fits(erased(told), entries.Looked(*LEI))


@of_naming
def test_what_was_erased_is_in_no_format(told: entries.Done) -> None:
    members = {said for member in OF_SUBJECT[type(told)] if isinstance(said := at(told, member), str) and len(said) > 1}
    assert SUBJECT.value in members
    for name, text in shown(erased(told)).items():
        assert not [each for each in members - {"LEI"} if each in text], name
    if not isinstance(told, entries.View):
        assert "was erased" in shown(erased(told))["sheet"]


def test_records_stand_in_columns_and_details_of_their_own() -> None:
    told = next(told for told in TOLD if isinstance(told, entries.Acted) and told.what == "change-reported")
    assert describe.deed(told).records == ("tax-arrears/N-1@4",)
    (row,) = csv.DictReader(io.StringIO(shown(told)["csv"], newline=""))
    assert (row["kind"], row["records"], row["value"]) == ("an act", "tax-arrears/N-1@4", SUBJECT.value)
    (subject, _) = as_fhir.audit_event(chosen(told))["entity"]
    assert subject["detail"] == [{"type": "record", "valueString": "tax-arrears/N-1@4"}]


def test_where_a_person_is_not_known_the_client_is_the_requestor() -> None:
    told = entries.Acted(*HEAD, "opt-out-set", scheme="LEI", value=SUBJECT.value)
    assert describe.deed(told).by == "portal of market"
    (client,) = as_fhir.audit_event(chosen(told))["agent"]
    assert (client["who"]["identifier"]["value"], client["requestor"]) == ("portal", True)


def test_the_official_who_acted_is_the_requestor() -> None:
    told = entries.Acted(*HEAD, "change-reported", outcome="corrected", scheme="LEI", value=SUBJECT.value)
    each = chosen(told)._replace(oversight=entries.Oversight(entries.VERSION, "s.steward"))
    client, official = as_fhir.audit_event(each)["agent"]
    assert (client["requestor"], official["who"]["identifier"]["value"]) == (False, "s.steward")
    assert len(as_fhir.audit_event(each, oversight=False)["agent"]) == 1


def test_a_name_of_nobody_is_said_to_be_erased() -> None:
    assert description.name_of(description.subject_of(None, None)) == "a subject that was erased"
    assert description.name_of(description.subject_of("LEI", "X")) == "LEI X"


# The map


def test_the_map_has_every_kind_and_its_subjects_part() -> None:
    told: dict[str, Any] = {code(row[0])[0]: row for row in ENTERED}
    assert list(told) == [code(row[0])[0] for row in ENTERED]
    assert set(told) == {str(kind.__struct_config__.tag) for kind in KINDS}
    for kind in KINDS:
        _, what, members, said = told[str(kind.__struct_config__.tag)]
        assert what
        assert tuple(code(members)) == OF_SUBJECT[kind]
        assert all(occurs(article, named()) for article in articles(said))


# On the command line

NEVER_WRITTEN = {
    *("activation", "change", "recall", "acknowledgement", "objection"),
    *("restoration", "decision", "consent", "opt-out"),
}
"""Kinds that vectors of version 2 have, and no gateway ever wrote: by now they are not known."""


@pytest.mark.parametrize("path", sorted((VECTORS / "receipts").glob("act-*.txt")), ids=lambda path: path.stem)
def test_a_receipt_of_an_act_is_told_and_shown(path: Path, run: Run) -> None:
    assert run("ledger", "verify-receipt", "--key", VECTORS / "ledger.pub", path) == 0
    told = verify_receipt(path.read_text(), read_verifiers(VECTORS / "ledger.pub")).told
    assert isinstance(told, entries.Done | entries.Unknown)
    said = describe.deed(told)
    line = f"{describe.tag(told)} {told.id}: {said.by} {said.happened}, {told.at.isoformat()}"
    if isinstance(told, entries.Unknown):
        assert path.stem.removeprefix("act-") in NEVER_WRITTEN
        line = f"{describe.kind(told)}, {told.at.isoformat()}: {said.happened}"
    assert run.out.splitlines()[1:] == [f"{line}: {said.why}" if said.why else line]
    assert run("ledger", "show", "--key", VECTORS / "ledger.pub", path) == 0
    assert f"Receipt of {describe.kind(told)} {told.id}" in run.out
    assert all(f"{label}:" in run.out for label, _ in said.rows)


@pytest.mark.parametrize("name", ["erased", "one-of-two-erased"])
def test_a_receipt_of_an_entry_with_an_erased_subject_is_told_and_shown(name: str, run: Run) -> None:
    path = VECTORS / "receipts" / f"{name}.txt"
    assert run("ledger", "verify-receipt", "--key", VECTORS / "ledger.pub", path) == 0
    assert run("ledger", "show", "--key", VECTORS / "ledger.pub", path) == 0
    assert "erased" in run.out
    assert run("ledger", "show", "--html", "--key", VECTORS / "ledger.pub", path) == 0
    assert "erased" in run.out
