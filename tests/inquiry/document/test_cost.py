"""What executing a document costs is known before, and no less than what it gives."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    execute,
    get_introspection_query,
    get_named_type,
    is_object_type,
    is_union_type,
    parse,
    validate,
)

from gateway.catalogue.graphql.schema import build_schema, core
from gateway.errors import Code, Refusal
from gateway.inquiry.document.cost import Costs
from tests.world import rule_set

POLICIES = rule_set().policies
SCHEMA = core(build_schema(POLICIES.catalogue, {name: p.title for name, p in POLICIES.purposes.items()}))
COSTS = Costs(SCHEMA, POLICIES.catalogue)

TYPES = "{ name fields { name args { name } type { name ofType { name fields { name type { name } } } } } }"
CATALOGUE = "catalogue { id title subjects basis { law article } fields { name type title } }"


def times(count: int, field: str) -> str:
    return "{ " + " ".join(f"a{number}: {field}" for number in range(count)) + " }"


REFUSED = {
    "introspection": times(29, "__schema { types { ...t } }") + f" fragment t on __Type {TYPES}",
    "receipts": times(29, "receipts(first: 100) { id receipt }"),
    "receipts by a variable": "query($n: Int) " + times(29, "receipts(first: $n) { id }"),
    "receipts by default": times(29, "receipts { id }"),
    "permissions": times(29, "permissions(purpose: TENDER_QUALIFICATION) { dataset field permitted reason advice }"),
}
ALLOWED = {
    "introspection": get_introspection_query(input_value_deprecation=True, specified_by_url=True),
    "catalogue": "{ " + CATALOGUE + " }",
    "several catalogues": times(3, CATALOGUE),
    "a type": '{ __type(name: "Organisation") ' + TYPES + " }",
    "a root field's type": "{ __schema { queryType " + TYPES + " directives { name args { name type { name } } } } }",
    "conditions": "query($x: Boolean!) { __schema @include(if: $x) { types { name kind possibleTypes { name } } } }",
    "one type": times(29, '__type(name: "Query") { ...t }') + f" fragment t on __Type {TYPES}",
    "some type": "query($n: String!) " + times(29, "__type(name: $n) { name fields { name } }"),
    "sdl": "{ _service { sdl } __typename }",
}
ROWS = (
    "{ receipts(first: 100) { id receipt obligations { id } } }",
    "{ permissions(purpose: TENDER_QUALIFICATION) { reason } }",
)


@pytest.mark.parametrize("name", REFUSED)
def test_a_document_that_costs_too_much_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        COSTS.check(parse(REFUSED[name]))
    assert refused.value.code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize("name", ALLOWED)
def test_the_cost_is_no_less_than_what_the_answer_holds(name: str) -> None:
    document = parse(ALLOWED[name])
    assert validate(SCHEMA, document) == []
    COSTS.check(document)
    result: Any = execute(SCHEMA, document, variable_values={"x": True, "n": "Query"})
    assert result.errors is None
    assert COSTS.of(document) >= _values(result.data) - 1


@pytest.mark.parametrize("document", ROWS)
def test_one_page_of_rows_is_allowed(document: str) -> None:
    COSTS.check(parse(document))


def _whole(kind: Any) -> str:
    """All that can be selected of a type."""
    named = get_named_type(kind)
    if is_union_type(named):
        return "{ " + " ".join(f"... on {each.name} {_whole(each)}" for each in SCHEMA.get_possible_types(named)) + " }"
    if not is_object_type(named):
        return ""
    return "{ " + " ".join(f"{name} {_whole(field.type)}" for name, field in named.fields.items()) + " }"


PAGES = [
    f"{field}(first: 100) {_whole(SCHEMA.type_map[page])}"
    for field, page in (
        ("matters", "MatterPage"),
        ("changes", "ChangePage"),
        ("consentRequests", "ConsentRequestPage"),
        ("recalls", "RecallPage"),
        ("suspensions", "SuspensionPage"),
        ("findings", "FindingPage"),
    )
]
HISTORY = "accessHistory(first: 100) " + _whole(SCHEMA.type_map["AccessHistory"])


def test_acts_cost_what_they_give() -> None:
    """A page counts as full; all that there is of oneself may be asked for at once, but not again and again."""
    me = "{ me " + _whole(SCHEMA.type_map["Me"]).replace("accessHistory {", HISTORY.partition("{")[0] + "{") + " }"
    for text in (me, *(f"{{ {page} }}" for page in PAGES)):
        document = parse(text)
        assert validate(SCHEMA, document) == []
        COSTS.check(document)
        assert COSTS.of(document) > 100 * 20
    row: dict[str, Any] = {"id": "1", "basis": [{"law": "l"}] * 4, "fields": ["f"], "records": [], "told": []}
    row |= dict.fromkeys(("department", "outcome"), "d") | {"at": "2026-01-01", "what": "OWN", "forCase": False}
    own = {"me": {"accessHistory": {"items": [row] * 100, "note": "n", "completeUntil": "2026-01-01"}}}
    result: Any = execute(SCHEMA, history := parse(f"{{ me {{ {HISTORY} }} }}"), root_value=own)
    assert result.errors is None
    assert COSTS.of(history) >= _values(result.data)
    mutation = parse('mutation { confirm(id: "1") ' + _whole(SCHEMA.type_map["Confirmed"]) + " }")
    COSTS.check(mutation)
    assert COSTS.of(mutation) > 20


@pytest.mark.parametrize("again", [HISTORY, "datasets " + _whole(SCHEMA.type_map["HeldDataset"])])
def test_what_a_subject_asks_for_again_and_again_is_refused(again: str) -> None:
    with pytest.raises(Refusal) as refused:
        COSTS.check(parse("{ me " + times(20, again) + " }"))
    assert refused.value.code is Code.LIMIT_EXCEEDED
    by_a_variable = parse("query($n: Int) { me " + times(29, "accessHistory(first: $n) { items { id } }") + " }")
    assert COSTS.of(by_a_variable) > 29 * 100 * 20


def _values(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_values, value.values()))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return 1 + sum(map(_values, value))
    return 1
