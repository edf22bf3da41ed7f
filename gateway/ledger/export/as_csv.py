"""Entries as CSV (RFC 4180, UTF-8): a row for each dataset of each subject, or one where there is none.

A cell that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.ledger.entry import describe, entries
from gateway.ledger.export.select import Chosen
from gateway.texts.sheet import cell, csv_line

COLUMNS = (
    *("shard", "entry", "kind", "id", "at", "issuer", "client", "department", "official", "purpose", "case"),
    *("document", "grant", "rule_set", "subject_kind", "scheme", "value", "dataset", "fields", "records", "withheld"),
    *("denied", "outcome"),
)


def as_csv(chosen: Iterable[Chosen], *, oversight: bool = True) -> Iterator[str]:
    """The file, line by line; without `oversight` the columns that only it knows are empty."""
    yield _line(dict(zip(COLUMNS, COLUMNS, strict=True)))
    for each in chosen:
        for row in _rows(each, oversight=oversight):
            yield _line(row)


def _rows(each: Chosen, *, oversight: bool) -> Iterator[dict[str, str]]:
    told, seen = each.told, each.oversight if oversight else entries.Oversight(entries.VERSION)
    row = {
        "shard": each.head.origin,
        "entry": str(each.entry.index),
        "kind": describe.kind(told),
        "id": told.id,
        "at": told.at.isoformat(),
        "issuer": told.requester.issuer,
        "client": told.requester.client,
        "department": told.requester.department,
        "rule_set": told.rule_set,
    }
    if not isinstance(told, entries.Operation):
        said = describe.deed(told)
        where = {"case": said.case or "", "records": " ".join(said.records), "outcome": said.happened}
        if isinstance(told, entries.Unknown):
            where["official"] = seen.official or ""
        elif isinstance(told, entries.Done):
            where["official"] = said.by
        for named in describe.subjects(told) or [None]:
            scheme, value = named or ("", "")
            yield row | {"purpose": said.why, "scheme": scheme, "value": value} | where
        return
    declared = told.declaration
    row |= {"official": seen.official or "", "grant": told.grant or ""}
    if declared is not None:
        row |= {"purpose": declared.purpose, "case": declared.case or "", "document": declared.document or ""}
    if isinstance(told, entries.Refused):
        row["outcome"] = f"{told.code}: {told.message}"
        if not told.subjects:
            yield row
        for subject in told.subjects:
            yield row | _of(subject)
        return
    outcome = ", ".join(told.errors) or "answered"
    if not told.disclosed:
        yield row | {"outcome": outcome}
    for place, about in enumerate(told.disclosed):
        held = {
            "withheld": " ".join(f"{one.record} ({one.why})" for one in seen.withheld if one.subject == place),
            "denied": " ".join(
                f"{field.dataset}.{field.field} ({field.reason})"
                for denied in seen.denied
                if denied.subject == place
                for field in denied.fields
            ),
        }
        for dataset in about.datasets or [entries.Dataset("", ())]:
            yield (
                row
                | _of(about)
                | held
                | {
                    "dataset": dataset.dataset,
                    "fields": " ".join(dataset.fields),
                    "records": " ".join(dataset.records),
                    "outcome": dataset.failure or outcome,
                }
            )


def _of(subject: entries.Named | entries.Disclosed) -> dict[str, str]:
    return {"subject_kind": subject.kind or "erased", "scheme": subject.scheme, "value": subject.value}


def _line(row: dict[str, str]) -> str:
    return csv_line(cell(row.get(column, "")) for column in COLUMNS)
