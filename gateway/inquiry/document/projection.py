"""The compiled projection: Python generated once per selection and decision, which turns records into an answer. Pure.

Every record of a dataset has the same type and every subject of a kind the same selection, so what a GraphQL executor
decides again for each leaf is decided here once. The generated code holds only names that this module makes: response
names are GraphQL names, catalogue fields are prefixed, all else is passed in as constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from connectors.base import Failure, Subject
from gateway.inquiry.document.shapes import (
    DatasetSelection,
    Leaf,
    MetaSelection,
    RegisterLeaf,
    SubjectSelection,
    TypeName,
)
from gateway.inquiry.types import Denial, Outcome, Released, SubjectDecision
from gateway.rules.model import Cell

Got = Mapping[tuple[Subject, str], Outcome]
Project = Callable[[Released], list[Any]]

_META: Mapping[str, str] = {
    "id": "r.m_id",
    "version": "r.m_version",
    "document": "r.m_document",
    "effective": "r.m_effective",
    "displayUntil": "u",
    "disputed": "d",
    "mitigation": "r.m_mitigation",
}


def dataset_projection(selection: DatasetSelection, permitted: frozenset[str]) -> Project:
    """Compile one dataset's records -> response objects; a field that is not permitted is null."""
    values = []
    for item in selection.items:
        if isinstance(item, Leaf):
            values.append(f"r.f_{item.field}" if item.field in permitted else "None")
        else:
            values.append(_meta(item) if isinstance(item, MetaSelection) else "type_name")
    meta = any(isinstance(item, MetaSelection) for item in selection.items)
    rows = "r, u, d in zip(g.records, g.display_until, g.disputed)" if meta else "r in g.records"
    source = f"lambda g: [made({', '.join(values)}) for {rows}]"
    keys = tuple([item.key for item in selection.items])
    return _compiled(source, keys, selection.dataset.type_name, selection.dataset.id, selection.dataset.department)


@lru_cache(maxsize=256)
def _compiled(source: str, keys: tuple[str, ...], type_name: str, dataset: str, department: str) -> Project:
    """Kept, because documents that differ elsewhere often select the same of a dataset.

    An object is a struct with these `keys`: it is made and written for less than a dictionary.
    """
    names = [f"v{index}" for index in range(len(keys))]
    constants = {
        "made": msgspec.defstruct("Object", names, rename=dict(zip(names, keys, strict=True)), gc=False),
        "type_name": type_name,
        "dataset": dataset,
        "source": department,
        "zip": zip,
        "__builtins__": {},
    }
    return eval(source, constants)  # type: ignore[no-any-return]  # noqa: S307


def _meta(selection: MetaSelection) -> str:
    parts = []
    for item in selection.items:
        if isinstance(item, TypeName):
            parts.append(f"{item.key!r}: 'RecordMeta'")
        else:
            parts.append(f"{item.key!r}: {_META.get(item.field, item.field)}")
    return "{" + ", ".join(parts) + "}"


class Projection:
    """One root's selection of one kind of subject, under one decision.

    `denials` are the errors of denied selections, their paths below the root. `build` gives one subject's object and
    notes the selections whose dataset could not be had.
    """

    def __init__(self, selection: SubjectSelection, decision: SubjectDecision) -> None:
        self.denials: list[Denial] = []
        self._parts: list[tuple[str, Any]] = []
        for item in selection.items:
            if isinstance(item, TypeName):
                self._parts.append((item.key, selection.type_name))
            elif isinstance(item, Leaf):
                self._parts.append((item.key, _scheme if item.field == "scheme" else _value))
            elif isinstance(item, RegisterLeaf):
                self._parts.append((item.key, self._register(item, decision)))
            else:
                self._parts.append((item.key, self._dataset(item, decision)))

    def build(self, subject: Subject, got: Got, failed: list[tuple[str, Failure, str]]) -> dict[str, Any]:
        """One subject's object; `failed` gets (response name, failure, dataset) of what could not be had."""
        return {key: part(subject, got, failed) if callable(part) else part for key, part in self._parts}

    def _register(self, item: RegisterLeaf, decision: SubjectDecision) -> Any:
        if item.field not in decision.permitted[item.dataset]:
            self.denials.append(Denial((item.key,), decision.cells[item.dataset, item.field]))
            return None
        attribute, dataset, key = "f_" + item.field, item.dataset, item.key

        def read(subject: Subject, got: Got, failed: list[tuple[str, Failure, str]]) -> Any:
            outcome = got[subject, dataset]
            if isinstance(outcome, Released):
                return getattr(outcome.records[0], attribute) if outcome.records else None
            failed.append((key, outcome, dataset))
            return None

        return read

    def _dataset(self, item: DatasetSelection, decision: SubjectDecision) -> Any:
        dataset, key = item.dataset.id, item.key
        permitted = decision.permitted[dataset]
        if not permitted:
            self.denials.append(Denial((key,), _first_denial(item, decision)))
            return None
        for leaf in item.items:
            if isinstance(leaf, Leaf) and leaf.field not in permitted:
                self.denials.append(Denial((key, leaf.key), decision.cells[dataset, leaf.field]))
        if not item.bare and not item.fields & permitted:
            return None
        project = dataset_projection(item, permitted)

        def read(subject: Subject, got: Got, failed: list[tuple[str, Failure, str]]) -> Any:
            outcome = got[subject, dataset]
            if isinstance(outcome, Released):
                return project(outcome)
            failed.append((key, outcome, dataset))
            return None

        return read


def _first_denial(item: DatasetSelection, decision: SubjectDecision) -> Cell:
    names: Sequence[str] = [leaf.field for leaf in item.items if isinstance(leaf, Leaf)] or list(item.dataset.fields)
    return decision.cells[item.dataset.id, names[0]]


def _scheme(subject: Subject, got: Got, failed: list[tuple[str, Failure, str]]) -> str:
    return subject.scheme


def _value(subject: Subject, got: Got, failed: list[tuple[str, Failure, str]]) -> str:
    return subject.value
