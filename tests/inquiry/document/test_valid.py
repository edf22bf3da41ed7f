"""The quick question whether a document is valid has graphql-core's own answer: rule by rule, on random documents."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from graphql import GraphQLSyntaxError, parse, specified_rules, validate
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.catalogue.graphql.schema import build_schema, core
from gateway.catalogue.load import load
from gateway.inquiry.document import validity
from tests.inquiry.documents import documents

CATALOGUE = load(Path("policies"), [])
SCHEMA = core(build_schema(CATALOGUE, {"TENDER_QUALIFICATION": "t"}))
ASK = "organisation(id: $id)"
HEAD = "query Q($id: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION)"
GOOD = f"{HEAD} {{ {ASK} {{ value }} }}"

REFUSED = {
    "ExecutableDefinitionsRule": f"{GOOD} type T {{ a: Int }}",
    "KnownOperationTypesRule": "subscription { a }",
    "UniqueOperationNamesRule": f"{GOOD} {GOOD}",
    "LoneAnonymousOperationRule": f"{GOOD} {{ catalogue {{ id }} }}",
    "KnownTypeNamesRule": f"{GOOD} fragment F on Nothing {{ a }}",
    "FragmentsOnCompositeTypesRule": f"{HEAD} {{ {ASK} {{ value ... on String {{ a }} }} }}",
    "VariablesAreInputTypesRule": f"query Q($id: Organisation!) {{ {ASK} {{ value }} }}",
    "ScalarLeafsRule": f"{HEAD} {{ {ASK} }}",
    "FieldsOnCorrectTypeRule": f"{HEAD} {{ {ASK} {{ nothing }} }}",
    "UniqueFragmentNamesRule": f"{HEAD} {{ {ASK} {{ ...F }} }} {'fragment F on Organisation { value } ' * 2}",
    "KnownFragmentNamesRule": f"{HEAD} {{ {ASK} {{ ...F }} }}",
    "NoUnusedFragmentsRule": f"{GOOD} fragment F on Organisation {{ value }}",
    "PossibleFragmentSpreadsRule": f"{HEAD} {{ {ASK} {{ ... on Person {{ value }} }} }}",
    "NoFragmentCyclesRule": f"{HEAD} {{ {ASK} {{ ...F }} }} fragment F on Organisation {{ value ...F }}",
    "UniqueVariableNamesRule": f"query Q($id: IdentifierInput!, $id: IdentifierInput!) {{ {ASK} {{ value }} }}",
    "NoUndefinedVariablesRule": f"query Q {{ {ASK} {{ value }} }}",
    "NoUnusedVariablesRule": "query Q($id: IdentifierInput!) { catalogue { id } }",
    "KnownDirectivesRule": f"{HEAD} {{ {ASK} {{ value @nothing }} }}",
    "UniqueDirectivesPerLocationRule": f"{HEAD} {{ {ASK} {{ value @skip(if: true) @skip(if: true) }} }}",
    "KnownArgumentNamesRule": f"{HEAD} {{ {ASK} {{ value(a: 1) }} }}",
    "UniqueArgumentNamesRule": f"{HEAD} {{ organisation(id: $id, id: $id) {{ value }} }}",
    "ValuesOfCorrectTypeRule": "{ organisation(id: 3) { value } }",
    "ProvidedRequiredArgumentsRule": "{ organisation { value } }",
    "VariablesInAllowedPositionRule": f"query Q($id: IdentifierInput) {{ {ASK} {{ value }} }}",
    "OverlappingFieldsCanBeMergedRule": f"{HEAD} {{ {ASK} {{ value value: scheme }} }}",
    "UniqueInputFieldNamesRule": '{ organisation(id: {scheme: LEI, scheme: LEI, value: ""}) { value } }',
    "MaxIntrospectionDepthRule": "{ __schema { types { fields { type { fields { type { fields { type { fields "
    "{ name } } } } } } } } } }",
}
"""For each rule a document that it is against."""

ELSEWHERE = {
    "SingleFieldSubscriptionsRule",
    "DeferStreamDirectiveOnRootField",
    "DeferStreamDirectiveOnValidOperationsRule",
    "DeferStreamDirectiveLabel",
    "StreamDirectiveOnListField",
}
"""Rules about what this schema has not: subscriptions, `@defer` and `@stream`."""


def test_what_is_valid_fits() -> None:
    assert validity.fits(SCHEMA, parse(GOOD))


def test_every_rule_is_tried() -> None:
    assert {rule.__name__ for rule in specified_rules} == {*REFUSED, *ELSEWHERE}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_rule_is_against_does_not_fit(name: str) -> None:
    document = parse(REFUSED[name])
    (rule,) = [rule for rule in specified_rules if rule.__name__ == name]
    assert validate(SCHEMA, document, [rule])
    assert not validity.fits(SCHEMA, document)


def test_no_rule_watches_what_is_passed_by() -> None:
    watched = {name for rule in specified_rules for name in dir(rule)}
    assert not watched & {"enter_name", "leave_name"}


def test_fragments_without_end_do_not_fit() -> None:
    """They nest deeper than a walk can follow; the library says so."""
    deep = " ".join(f"fragment F{n} on Organisation {{ ...F{n + 1} }}" for n in range(3000))
    assert not validity.fits(
        SCHEMA, parse(f"{HEAD} {{ {ASK} {{ ...F0 }} }} {deep} fragment F3000 on Organisation {{ value }}")
    )


@st.composite
def _spoilt(draw: st.DrawFn) -> str:
    """A random document, with some of its words dropped, doubled or exchanged."""
    words = re.findall(r"\w+|\.{3}|[^\w\s]", draw(documents(CATALOGUE, "TENDER_QUALIFICATION")))
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 2))):
        at = chance.randrange(len(words))
        words[at : at + 1] = chance.choice(([], [words[at]] * 2, [chance.choice(words)]))
    return " ".join(words)


def _same_answer(text: str) -> None:
    try:
        document = parse(text)
    except GraphQLSyntaxError:
        return
    assert validity.fits(SCHEMA, document) is not bool(validate(SCHEMA, document, max_errors=1))


@settings(max_examples=60, deadline=None)
@given(_spoilt())
def test_it_answers_as_the_library_does(text: str) -> None:
    _same_answer(text)
    assert text


def test_a_rule_that_skips_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: no rule is told of fields."""
    methods = validity._methods
    monkeypatch.setattr(
        validity, "_methods", lambda rule, kind: (None, None) if kind == "field" else methods(rule, kind)
    )

    @settings(max_examples=3000, deadline=None, database=None, phases=[Phase.generate])
    @given(_spoilt())
    def run(text: str) -> None:
        _same_answer(text)

    with pytest.raises(AssertionError):
        run()
