"""Compiled documents: those that are sent again stay, and a flood of new ones takes no more than its own few places."""

from __future__ import annotations

import gc

import msgspec
import pytest
from graphql import Token, parse
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.inquiry.document.kept import LEAST, ONCE, SentAgain, Weighed, unlink
from gateway.inquiry.plan import Plan, Planner
from tests.inquiry.document.test_projection import CATALOGUE, LEIS, LIMITS, SCHEMA

CONDITIONAL = """query($id: IdentifierInput!, $a: Boolean!, $b: Boolean!, $c: Boolean!, $d: Boolean!, $e: Boolean!)
@inquiry(purpose: TENDER_QUALIFICATION) { organisation(id: $id) {
  a: scheme @include(if: $a) b: scheme @include(if: $b) c: scheme @include(if: $c) d: scheme @skip(if: $d)
  e: scheme @skip(if: $e) } }"""

CASE = """query($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) { scheme } }"""


def _document(number: int) -> str:
    return (
        "query($id: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION) "
        f"{{ organisation(id: $id) {{ a{number}: scheme }} }}"
    )


def test_a_flood_of_new_documents_pushes_out_none_that_is_sent_again() -> None:
    planner, query = Planner(SCHEMA, CATALOGUE, LIMITS), _document(0)
    plan = planner.plan(query, None)
    assert planner.known(query, None) is plan
    for number in range(1, 2000):
        planner.plan(_document(number), None)
    assert planner.known(query, None) is plan
    assert planner.known(_document(1), None) is None


def test_one_that_left_unseen_stays_from_its_second_sight_on() -> None:
    kept: SentAgain[str] = SentAgain(once=2, seen=4)
    for name in "abc":
        kept.keep(name, name, 1)
    assert kept.get("a") is None
    kept.keep("a", "a", 1)
    for name in "defg":
        kept.keep(name, name, 1)
    assert kept.get("a") == "a"


def test_another_rule_set_has_ready_what_is_sent_again_and_fits_it() -> None:
    """And it stays there: nobody's first inquiry after an activation waits, nor spends its client's share."""
    planner, other = (
        Planner(SCHEMA, CATALOGUE, LIMITS),
        Planner(SCHEMA, CATALOGUE, msgspec.structs.replace(LIMITS, aliases=0)),
    )
    several = [_document(number) for number in range(3)]
    plain = several[0].replace("a0: ", "")
    for query in [*several, plain]:
        planner.plan(query, None)
    for query in (several[1], plain):
        planner.plan(query, None)
    assert planner.sent_again() == [(several[1], None), (plain, None)]
    other.ready(planner.sent_again())
    assert [other.known(query, None) is not None for query in (*several, plain)] == [False, False, False, True]
    for number in range(3, 3 + 3 * ONCE):
        other._plans.keep((str(number), None), other.compiled(plain, None), 1)
    assert other.known(plain, None) is not None


def test_a_declaration_that_depends_on_no_request_is_made_once_and_compared_each_time() -> None:
    asked = {"id": {"scheme": "LEI", "value": LEIS[0]}}
    fixed, varying = (Planner(SCHEMA, CATALOGUE, LIMITS).plan(query, None) for query in (_document(0), CASE))
    first = fixed.bind(asked, None).declaration
    assert fixed.bind(asked, None).declaration is first
    assert fixed.bind(asked, {"purpose": "TENDER_QUALIFICATION"}).declaration == first
    with pytest.raises(Refusal, match="differ on `purpose`"):
        fixed.bind(asked, {"purpose": "LICENCE_RENEWAL"})
    cases = [varying.bind({**asked, "case": case}, None).declaration for case in ("C-1", "C-2")]
    assert [each and each.case for each in cases] == ["C-1", "C-2"]


def test_new_documents_leave_few_plans_behind() -> None:
    planner = Planner(SCHEMA, CATALOGUE, LIMITS)
    mine = {id(planner.plan(_document(number), None)._variants) for number in range(20 * ONCE)}
    gc.collect()
    assert len(mine) == 1
    assert sum(isinstance(each, Plan) and id(each._variants) in mine for each in gc.get_objects()) == ONCE


def test_what_conditions_give_is_bounded_over_all_documents() -> None:
    planner = Planner(SCHEMA, CATALOGUE, LIMITS)
    long = CONDITIONAL + " #" + "x" * 100 * LEAST
    for number in range(30):
        plan = planner.plan(f"{long}{number}", None)
        for bits in range(32):
            plan.variant({name: bool(bits >> place & 1) for place, name in enumerate("abcde")})
    assert len(planner._variants._found) <= 10


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5 * LEAST))))
def test_weight_is_never_over_its_bound(steps: list[tuple[int, int]]) -> None:
    weighed: Weighed[int] = Weighed(4 * LEAST)
    model: dict[int, int] = {}
    for name, characters in steps:
        weighed.keep(name, characters, characters)
        if characters <= 4 * LEAST:
            model[name] = characters
        assert weighed._weight == sum(weight for _, weight in weighed._found.values()) <= 4 * LEAST
        if weighed.get(name) is not None:
            assert weighed.get(name) == model[name]
        assert (name in weighed) is (weighed.get(name) is not None)


def test_a_document_that_nobody_uses_any_more_leaves_no_tokens_for_the_collector() -> None:
    def tokens() -> int:
        return sum(isinstance(each, Token) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before, document = tokens(), parse(_document(0))
        assert tokens() > before + 10
        unlink(document)
        del document
        assert tokens() <= before + 1  # the last that a lexer of graphql-core's made
    finally:
        gc.enable()
