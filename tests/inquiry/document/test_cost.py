"""What executing a document costs is known before, and no less than what it gives."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import execute, get_introspection_query, parse, validate

from gateway.catalogue.schema import build_schema, core
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


def _values(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_values, value.values()))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return 1 + sum(map(_values, value))
    return 1
