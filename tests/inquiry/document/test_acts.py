"""An act is planned where it stands alone, however it is written, and nothing but it can be executed."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import FieldNode, OperationType
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue.graphql.schema import build_schema, core
from gateway.errors import Code, Refusal
from gateway.inquiry.document import bounds, collect
from gateway.inquiry.document.acts import ACT_QUERIES
from gateway.inquiry.document.collect import SUBJECT_ROOTS
from gateway.inquiry.document.operation import MOST_LISTED, bound_lists
from gateway.inquiry.plan import Bound, Planner
from tests.drawn import examples
from tests.world import new_subject, rule_set

POLICIES = rule_set().policies
SCHEMA = core(build_schema(POLICIES.catalogue, {name: p.title for name, p in POLICIES.purposes.items()}))
WIDE = bounds.Limits(depth=60, aliases=2000, tokens=20_000)
SUBJECT = new_subject()
VARIABLES = {"id": {"scheme": SUBJECT.scheme, "value": SUBJECT.value}}

QUERIES = {
    "me": "me%s { value }", "matters": "matters%s { next }", "changes": "changes%s { next }",
    "consentRequests": "consentRequests%s { next }", "catalogue": "catalogue%s { id }", "__typename": "__typename%s",
    "receipts": "receipts%s { id }", "organisation": "organisation(id: $id)%s { value }",
}  # fmt: skip
MUTATIONS = {
    "withdrawMatter": 'withdrawMatter(id: "1")%s { id }', "confirm": 'confirm(id: "1")%s { __typename }',
    "setOptOut": 'setOptOut(dataset: "d", optedOut: true)%s { since }', "__typename": "__typename%s",
}  # fmt: skip
CONDITIONS = {
    "": True,
    " @include(if: $yes)": True,
    " @skip(if: $yes)": False,
    " @include(if: $no)": False,
    " @skip(if: false)": True,
}


@st.composite
def operations(draw: st.DrawFn) -> tuple[bool, str, dict[str, str]]:
    """An operation: whether it is a mutation, its text, and the root fields that it has, by response name."""
    mutates = draw(st.booleans())
    fields, kind = (MUTATIONS, "Mutation") if mutates else (QUERIES, "Query")
    fragments, asked = list[str](), dict[str, str]()

    def selections(deep: int, *, included: bool) -> str:
        parts = []
        for _ in range(draw(st.integers(1, 3))):
            condition, holds = draw(st.sampled_from(sorted(CONDITIONS.items())))
            if deep and draw(st.integers(0, 2)) == 0:
                inner = selections(deep - 1, included=included and holds)
                how = draw(st.integers(0, 2))
                if how == 2:
                    fragments.append(f"fragment F{len(fragments)} on {kind} {{ {inner} }}")
                    parts.append(f"...F{len(fragments) - 1}{condition}")
                else:
                    parts.append(f"...{f' on {kind}' if how else ''}{condition} {{ {inner} }}")
                continue
            name = draw(st.sampled_from(sorted(fields)))
            key = draw(st.sampled_from([name, f"x_{name}"]))
            if included and holds:
                asked[key] = name
            parts.append((f"{key}: " if key != name else "") + fields[name] % condition)
        return " ".join(parts)

    body = selections(2, included=True)
    text = f"{{ {body} }} {' '.join(fragments)}"
    used = [f"${name}: {of}" for name, of in (("id", "IdentifierInput!"), ("yes", "Boolean!"), ("no", "Boolean!"))
            if f"${name}" in text]  # fmt: skip
    declared = " @inquiry(purpose: LICENCE_RENEWAL)" if "organisation(" in text else ""
    head = f"{'mutation' if mutates else 'query'}{f'({chr(44).join(used)})' if used else ''}{declared}"
    return mutates, f"{head} {text}", asked


def _bound(planner: Planner, text: str, variables: dict[str, Any]) -> tuple[Bound | None, Code | None]:
    try:
        return planner.plan(text, None).bind(variables, None), None
    except Refusal as refusal:
        return None, refusal.code


def check(operation: tuple[bool, str, dict[str, str]]) -> None:
    mutates, text, asked = operation
    variables: dict[str, Any] = {
        name: value for name, value in {**VARIABLES, "yes": True, "no": False}.items() if f"${name}:" in text
    }
    names = [name for name in asked.values() if name != "__typename"]
    acts = names if mutates else [name for name in names if name in ACT_QUERIES]
    planner = Planner(SCHEMA, POLICIES.catalogue, WIDE)
    bound, code = _bound(planner, text, variables)
    assert code == (Code.GRAPHQL_OPERATION_INVALID if acts and len(names) > 1 else None), asked
    if bound is None:
        return
    assert (bound.act is not None) is bool(acts)
    if bound.act is None:
        return
    assert (bound.act.field, bound.others) == (acts[0], frozenset(acts))
    assert asked[bound.act.key] == acts[0]
    assert (bound.act.mutates, bound.subjects, bound.variant.other) == (mutates, (), None)
    executed = {node.name.value for node in bound.act.operation.selection_set.selections if isinstance(node, FieldNode)}
    assert executed == set(asked.values())
    assert not executed & SUBJECT_ROOTS.keys()
    assert bound.act.operation.operation is (OperationType.MUTATION if mutates else OperationType.QUERY)


@settings(max_examples=examples(25, 80), deadline=None)
@given(operations())
def test_an_act_is_planned_where_it_stands_alone(operation: tuple[bool, str, dict[str, str]]) -> None:
    check(operation)


def _anything(names: dict[str, str], *, mutates: bool) -> str | None:
    acts = {key for key, name in names.items() if (mutates and name != "__typename") or name in ACT_QUERIES}
    return next((key for key in names if key in acts), None)


def _by_response_name(names: dict[str, str], *, mutates: bool) -> str | None:
    return next((key for key in names if key in ACT_QUERIES), None) if len(names) == 1 else None


@pytest.mark.parametrize("faulty", [_anything, _by_response_name])
def test_the_property_fails_when_a_fault_is_planted(faulty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "lone_act", faulty)

    @settings(max_examples=400, deadline=None, database=None)
    @given(operations())
    def run(operation: tuple[bool, str, dict[str, str]]) -> None:
        check(operation)

    with pytest.raises(AssertionError):
        run()


@pytest.mark.parametrize(
    "value", [[0] * (MOST_LISTED + 1), [{"a": [0] * MOST_LISTED}], {"a": {"b": [[0] * 600, [0] * 600]}}]
)
def test_lists_are_bounded_together(value: Any) -> None:
    with pytest.raises(Refusal) as refused:
        bound_lists(value)
    assert refused.value.code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize("value", [None, "text", {"a": [0] * MOST_LISTED}, [[0] * 90] * 10])
def test_what_lists_no_more_is_taken(value: Any) -> None:
    bound_lists(value)
