"""Rules in words, the tokens that a word is found by, and the vocabulary that the README promises."""

from __future__ import annotations

import json

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.decide import conditions, vocabulary, words
from gateway.rules.files import tokens
from tests.rules.policies import SHIPPED, shipped


def policy(text: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]["policy0"]
    return found


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("context.case", "the case is verified"),
        ("!context.case", "the case is not verified"),
        ("!(!context.case)", "the case is verified"),
        ('resource.nature == Nature::"adverse"', "the dataset's nature is `adverse`"),
        ('resource.nature != Nature::"adverse"', "the dataset's nature is not `adverse`"),
        ('!(resource.nature == Nature::"adverse")', "the dataset's nature is not `adverse`"),
        ('principal.roles.contains(Role::"court")', "the requester has the role `court`"),
        ('!principal.roles.contains(Role::"court")', "the requester does not have the role `court`"),
        (
            '[Category::"health", Category::"genetic"].contains(resource.category)',
            "the dataset's category is `health` or `genetic`",
        ),
        ("context.case || context.official", "the case is verified or a named official stands behind the request"),
        ("!(context.case || context.in_grant)", "the case is not verified and the grant does not cover the dataset"),
        ('context.subject == Subject::"person"', "the kind of subject is `person`"),
        ('resource in Dataset::"tax-arrears"', "the field is in `tax-arrears`"),
        ("if context.case then true else false", "`if (context.case) then true else false`"),
    ],
)
def test_a_condition_in_words(condition: str, said: str) -> None:
    (expression,) = conditions.conjuncts(policy(f"permit (principal, action, resource) when {{ {condition} }};"))
    assert words.condition(expression) == said


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("principal, action, resource", "forbids everything"),
        ('principal, action == Action::"A", resource', "forbids where the purpose is `A`"),
        ('principal, action in [Action::"A", Action::"B"], resource', "forbids where the purpose is `A` or `B`"),
        ('principal == Requester::"r", action, resource', "forbids where the requester is `r`"),
        ('principal, action, resource in Dataset::"d"', "forbids where the dataset is `d`"),
        ("principal is Requester, action, resource", "forbids where the requester is a Requester"),
    ],
)
def test_a_scope_in_words(scope: str, said: str) -> None:
    assert words.rule(policy(f"forbid ({scope});")) == said


def test_every_shipped_rule_has_words_for_all_of_it() -> None:
    for rule in shipped().rules.values():
        told = words.rule(rule.policy)
        assert "not: `" not in told
        assert "context." not in told, told
        assert "resource." not in told, told


def test_when_clauses_are_split_and_unless_is_turned_round() -> None:
    clauses = "when { context.a && context.b } unless { context.c && context.d }"
    found = conditions.conjuncts(policy(f"permit (principal, action, resource) {clauses};"))
    assert len(found) == 3
    assert set(found[2]) == {"!"}


def test_tokens_know_strings_and_comments_from_words() -> None:
    text = '// permit (\n@id("permit (") forbid (principal, action, resource); permit (principal, action, resource);'
    assert [text[at : at + 8] for at in tokens.effects(text)] == ["forbid (", "permit ("]
    assert tokens.place(text, tokens.effects(text)[0]) == (2, 17)


@given(st.text(max_size=60))
def test_tokens_never_fail_and_stand_where_they_say(text: str) -> None:
    for token in tokens.tokens(text):
        assert text[token.start : token.end] == token.text


def test_the_readme_names_the_whole_vocabulary_and_nothing_else() -> None:
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    table = text.split("## What a rule may use")[1].split("## What a rule declares")[0]
    listed = table.replace(",", " ").replace("|", " ").split()
    prefixes = ("`context.", "`resource.", "`principal.", "`.")
    named = {word.strip("`").rpartition(".")[2] for word in listed if word.startswith(prefixes)}
    known = {name for names in vocabulary.ATTRIBUTES.values() for name in names}
    assert named == known
