"""The compiled projection equals graphql-core's executor, on random documents."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from graphql import execute_sync, parse
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from connectors.base import FieldType, Record, Subject
from gateway.catalogue.graphql.schema import build_schema, core
from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue, Dataset
from gateway.errors import Code, Refusal
from gateway.inquiry.document import projection
from gateway.inquiry.document.bounds import Limits
from gateway.inquiry.plan import Planner
from gateway.inquiry.render import Renderer
from gateway.inquiry.types import Decision, Released, SubjectDecision
from gateway.rules.model import Cell
from tests.drawn import examples
from tests.inquiry.documents import documents
from tests.inquiry.executor import plain, root

CATALOGUE: Catalogue = load(Path("policies"), [])
SCHEMA = core(build_schema(CATALOGUE, {"TENDER_QUALIFICATION": "t"}))
LIMITS = Limits(depth=30, aliases=500, tokens=5000, fields=5000)
DEPARTMENTS = {d.id: d.department for d in CATALOGUE.datasets.values()}
PERMIT = Cell(True)

VALUES: Mapping[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: st.text(max_size=8),
    FieldType.INT: st.integers(-(2**31), 2**31 - 1),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DECIMAL: st.decimals(
        allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9
    ),
    FieldType.DATE: st.dates(),
    FieldType.DATETIME: st.datetimes(
        timezones=st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=2))])
    ),
}


def _lei(n: int) -> str:
    body = f"DUTY00{n:012d}"
    digits = "".join(str(int(c, 36)) for c in body + "00")
    return f"{body}{98 - int(digits) % 97:02d}"


LEIS = [_lei(n) for n in range(3)]


# Made once: a world is hundreds of draws, and to make a strategy takes longer than to draw from it.
VERSIONS, COUNTS, BOOLEANS = st.sampled_from(("1", "2")), {n: st.integers(0, n) for n in (1, 3)}, st.booleans()
DOCUMENTS, DATES, MITIGATIONS = (st.none() | each for each in (st.just("D-1"), st.dates(), st.just("accident")))
OPTIONAL = {type_: st.none() | each for type_, each in VALUES.items()}


@functools.cache
def _struct(names: tuple[str, ...]) -> Any:
    fields = [(f"f_{name}", Any) for name in names]
    return msgspec.defstruct(f"R{len(names)}", fields, bases=(Record,), kw_only=True)


def _records(draw: st.DrawFn, dataset: Dataset) -> Released:
    struct = _struct(tuple(dataset.fields))
    made = [
        struct(
            m_id=f"r{n}",
            m_version=draw(VERSIONS),
            m_document=draw(DOCUMENTS),
            m_effective=draw(DATES),
            m_mitigation=draw(MITIGATIONS),
            **{f"f_{f.name}": draw(OPTIONAL[f.type]) for f in dataset.fields.values()},
        )
        for n in range(draw(COUNTS[1 if dataset.shape == "subject" else 3]))
    ]
    return Released(made, [draw(DATES) for _ in made], [draw(BOOLEANS) for _ in made])


@st.composite
def worlds(draw: st.DrawFn, kind: str, subjects: list[Subject]) -> dict[tuple[Subject, str], Released]:
    return {
        (subject, d.id): _records(draw, d)
        for subject in subjects
        for d in CATALOGUE.published.values()
        if kind in d.subjects
    }


def _decision(kind: Any) -> SubjectDecision:
    datasets = [d for d in CATALOGUE.published.values() if kind in d.subjects]
    permitted = {d.id: frozenset(d.fields) for d in datasets}
    return SubjectDecision({(d.id, f): PERMIT for d in datasets for f in d.fields}, permitted, ())


def _reference(subject: Subject, world: Mapping[tuple[Subject, str], Released]) -> dict[str, Any]:
    value: dict[str, Any] = {"__typename": subject.kind.capitalize(), "scheme": subject.scheme, "value": subject.value}
    for (owner, name), released in world.items():
        if owner != subject:
            continue
        dataset = CATALOGUE.datasets[name]
        rows = [
            _row(dataset, *parts)
            for parts in zip(released.records, released.display_until, released.disputed, strict=True)
        ]
        if dataset.shape == "subject":
            value |= {f: rows[0][f] if rows else None for f in dataset.fields}
        else:
            value[dataset.graphql_name] = rows
    return value


def _row(dataset: Dataset, record: Any, until: datetime.date | None, disputed: bool) -> dict[str, Any]:
    row = {name: getattr(record, f"f_{name}") for name in dataset.fields}
    row["record"] = {
        "id": record.m_id,
        "version": record.m_version,
        "dataset": dataset.id,
        "source": dataset.department,
        "document": record.m_document,
        "effective": record.m_effective,
        "displayUntil": until,
        "disputed": disputed,
        "mitigation": record.m_mitigation,
    }
    return row


def both(document: str, kind: Any, subjects: list[Subject], world: Any, variables: dict[str, Any]) -> tuple[str, str]:
    """What the projection and the executor answer, as text: fields have an order. An invalid document is dropped."""
    try:
        plan = Planner(SCHEMA, CATALOGUE, LIMITS).plan(document, None)
    except Refusal as refusal:
        if refusal.code is not Code.GRAPHQL_VALIDATION_FAILED:
            raise
        assume(False)
    used = {name: value for name, value in variables.items() if f"${name}:" in document}
    bound = plan.bind(used, None)
    shared = _decision(kind)
    decision = Decision(None, dict.fromkeys(bound.subjects, shared), ())
    ours = Renderer(DEPARTMENTS).render(bound.variant, bound.asked, decision, world)

    def held(scheme: str, value: str) -> dict[str, Any]:
        return _reference(Subject(kind, scheme, value), world)

    theirs = execute_sync(SCHEMA, parse(document), root_value=root(held), variable_values=used)
    assert not theirs.errors
    assert not ours.errors
    return json.dumps(plain(json.loads(ours.data)), default=str), json.dumps(plain(theirs.data), default=str)


def _organisations(data: st.DataObject) -> tuple[str, str]:
    subjects = [Subject("organisation", "LEI", lei) for lei in LEIS]
    document = data.draw(documents(CATALOGUE, "TENDER_QUALIFICATION"))
    named = data.draw(st.lists(st.sampled_from(LEIS), max_size=3))
    variables = {
        "id": {"scheme": "LEI", "value": LEIS[0]},
        "ids": [{"scheme": "LEI", "value": v} for v in named],
        "a": data.draw(st.booleans()),
        "b": data.draw(st.booleans()),
    }
    return both(document, "organisation", subjects, data.draw(worlds("organisation", subjects)), variables)


@settings(max_examples=examples(25, 50), deadline=None)
@given(st.data())
def test_the_projection_of_organisations_equals_the_executor(data: st.DataObject) -> None:
    ours, theirs = _organisations(data)
    assert ours == theirs


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_projection_of_a_person_equals_the_executor(data: st.DataObject) -> None:
    subjects = [Subject("person", "PIN", "0000000014")]
    document = data.draw(documents(CATALOGUE, "TENDER_QUALIFICATION", people=True))
    variables = {
        "id": {"scheme": "PIN", "value": "0000000014"},
        "a": data.draw(st.booleans()),
        "b": data.draw(st.booleans()),
    }
    ours, theirs = both(document, "person", subjects, data.draw(worlds("person", subjects)), variables)
    assert ours == theirs


def test_the_comparison_fails_when_a_fault_is_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection that swaps two fields of `record` is found."""
    monkeypatch.setattr(projection, "_META", {**projection._META, "id": "r.m_version", "version": "r.m_id"})

    @settings(max_examples=300, deadline=None, database=None, phases=[Phase.generate])
    @given(st.data())
    def run(data: st.DataObject) -> None:
        ours, theirs = _organisations(data)
        assert ours == theirs

    with pytest.raises(AssertionError):
        run()


def test_a_denied_field_is_told_once_for_all_of_a_list() -> None:
    subjects = [Subject("organisation", "LEI", lei) for lei in LEIS]
    named = ", ".join(f'{{scheme: LEI, value: "{lei}"}}' for lei in LEIS)
    selected = f"organisations(ids: [{named}]) {{ taxArrears {{ amount }} }}"
    document = f"query @inquiry(purpose: TENDER_QUALIFICATION) {{ {selected} }}"
    bound = Planner(SCHEMA, CATALOGUE, LIMITS).plan(document, None).bind({}, None)
    cells = {("tax-arrears", field): Cell(False) for field in CATALOGUE.datasets["tax-arrears"].fields}
    denied = SubjectDecision(cells, {"tax-arrears": frozenset()}, ())
    decision = Decision(None, dict.fromkeys(subjects, denied), ())
    rendered = Renderer(DEPARTMENTS).render(bound.variant, bound.asked, decision, {})
    assert json.loads(rendered.data) == {"organisations": [{"taxArrears": None}] * len(subjects)}
    assert [error["path"][:2] for error in rendered.errors] == [["organisations", "taxArrears"]]
