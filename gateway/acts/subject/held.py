"""What is held about a subject, as `me` shows it: records with their values, and what became of each.

Every published dataset that covers its kind is told. One whose department is out of reach, or gives what cannot be
used, is not `available`, and takes nothing of the others with it. A record that others are not shown is shown, with the
restraints that keep it from them (Art. 42).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.base import Record, Subject, SubjectKind
from gateway.catalogue.graphql.schema import catalogue_rows
from gateway.catalogue.model import Catalogue, Dataset
from gateway.inquiry.journey import Got
from gateway.inquiry.types import Released, Selected, Wanted

Changes = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""What became of records: `Change` by dataset and record."""

FROM_OTHERS: Mapping[str, str] = {
    "display-ended": "its time of display is over",
    "no-source-document": "it does not name the document that it rests on",
    "withdrawn": "its department has withdrawn it",
    "restored": "you have made good, and it was restored",
    "opted-out": "you keep this favourable information back",
    "objection-overdue": "your objection to it was not decided in time",
}
"""Each restraint, in the subject's words; one that has none is told by its name."""


def selected(catalogue: Catalogue, kind: SubjectKind) -> Selected:
    """What a look selects of a subject of a kind: every field of every published dataset that covers it."""
    covering = [each for each in catalogue.published.values() if kind in each.subjects]
    return Selected({kind: {each.id: Wanted(frozenset(each.fields), bare=True) for each in covering}})


def datasets(catalogue: Catalogue, subject: Subject, got: Got, changes: Changes) -> list[dict[str, Any]]:
    """`[HeldDataset!]!`, in the order of the catalogue."""
    found = []
    for row in catalogue_rows(catalogue):
        dataset = catalogue.published[row["id"]]
        if subject.kind in dataset.subjects:
            outcome = got.get((subject, dataset.id))
            records = _records(dataset, outcome, changes) if isinstance(outcome, Released) else None
            found.append({"dataset": row, "available": records is not None, "records": records})
    return found


def _records(dataset: Dataset, released: Released, changes: Changes) -> list[dict[str, Any]]:
    every = zip(released.records, released.display_until, released.disputed, released.from_others, strict=True)
    return [
        {
            "record": {
                "id": record.m_id,
                "version": record.m_version,
                "dataset": dataset.id,
                "source": dataset.department,
                "document": record.m_document,
                "effective": record.m_effective,
                "displayUntil": until,
                "disputed": disputed,
                "mitigation": record.m_mitigation,
            },
            "values": _values(dataset, record),
            "withheldFromOthers": [FROM_OTHERS.get(name, name) for name in names],
            "changes": changes.get((dataset.id, record.m_id), []),
            "restorableFrom": restorable_from(dataset, record.m_effective, names),
        }
        for record, until, disputed, names in every
    ]


def _values(dataset: Dataset, record: Record) -> list[dict[str, Any]]:
    """The values that were asked for, in the order of the catalogue."""
    return [
        {"field": name, "title": dataset.fields[name].title, "value": as_text(getattr(record, f"f_{name}"))}
        for name in dataset.fields
        if hasattr(record, f"f_{name}")
    ]


def as_text(value: Any) -> str | None:
    """A value, written as an inquiry's answer writes it."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode().strip('"')


def restorable_from(dataset: Dataset, effective: datetime.date | None, names: Iterable[str]) -> datetime.date | None:
    """The day from which a record's restoration can be asked for (Art. 46): its shortest display is over by then.

    None where a law excludes it, no display is set or no date begins it, and where the record is restored.
    """
    if not dataset.restorable or dataset.display is None or effective is None or "restored" in names:
        return None
    return effective if dataset.display.min is None else dataset.display.min.after(effective)
