"""Whether a rule speaks of what exists: every purpose, dataset, field, role, department, attribute and context key.

Cedar's validator checks types against the generated schema, but not the ids of entities, and it gives no position. So
every word of a rule is looked up here first; the validator has the last word on types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.errors import Problem
from gateway.rules.decide.conditions import conjuncts, probe
from gateway.rules.decide.vocabulary import ATTRIBUTES, Vocabulary
from gateway.rules.files import tokens
from gateway.rules.files.rule import Rule
from gateway.values import suggest

_MEANING = {"Action": "purpose", "Dataset": "dataset", "Field": "field", "Requester": "requester"}


class _Word(NamedTuple):
    """A word that a rule uses, the tokens that it stands as in the text, and what is wrong with it (empty: nothing)."""

    sequence: tuple[str, ...]
    message: str


def check(rules: list[Rule], vocabulary: Vocabulary, problems: list[Problem]) -> None:
    """Note every word of the rules that does not exist, and every use that the Cedar schema rules out."""
    import cedarpy

    try:
        # Of words that are not all known no schema can be made; what is wrong there is mended first.
        schema = None if vocabulary.unread else cedarpy.Schema.from_str(vocabulary.schema)
    except ValueError as error:
        problems.append(Problem("policies", 0, 0, "", f"no Cedar schema can be made of these names: {error}"))
        return
    for rule in rules:
        wrong = [word for word in dict.fromkeys(_words(rule.policy, vocabulary)) if word.message]
        for word in wrong:
            _note(rule, _offset(rule.text, word.sequence), word.message, problems)
        if wrong or schema is None:
            continue
        result = cedarpy.validate_policies(rule.text, schema)
        for found in result.errors:
            message = re.sub(r"^for policy `\w+`[,:] ", "", found.error)
            _note(rule, _type_offset(rule, message, vocabulary, schema), message, problems)


def _note(rule: Rule, offset: int, message: str, problems: list[Problem]) -> None:
    line, column = tokens.place(rule.text, offset)
    problems.append(Problem(rule.file, line, column, f"@id {rule.id}", message))


def _offset(text: str, sequence: tuple[str, ...]) -> int:
    found = tokens.find(text, *sequence)
    if found is None:
        found = tokens.find(text, sequence[-1])
    if found is None:
        return tokens.effects(text)[0]
    return found + sequence[-1].startswith('"')  # a string's word stands behind its quote


def _words(node: Any, vocabulary: Vocabulary) -> Iterator[_Word]:
    """Every entity, entity type and attribute of a policy in Cedar's JSON form, annotations aside, in reading order."""
    if isinstance(node, list):
        for child in node:
            yield from _words(child, vocabulary)
    elif isinstance(node, Mapping):
        if set(node) == {"type", "id"} and isinstance(node["type"], str):
            yield _entity(node["type"], str(node["id"]), vocabulary)
            return
        if isinstance(node.get("entity_type"), str):
            yield _type(node["entity_type"], vocabulary)
        for key, child in node.items():
            if key != "annotations":
                yield from _words(child, vocabulary)
        attribute, left = node.get("attr"), node.get("left")
        if isinstance(attribute, str) and isinstance(left, Mapping) and isinstance(left.get("Var"), str):
            yield _attribute(left["Var"], attribute)


def _types(vocabulary: Vocabulary) -> list[str]:
    return list(vocabulary.words)


def _type(kind: str, vocabulary: Vocabulary) -> _Word:
    known = _types(vocabulary)
    return _Word((kind,), "" if kind in known else f"unknown type `{kind}`{suggest(kind, known)}")


def _entity(kind: str, name: str, vocabulary: Vocabulary) -> _Word:
    known = vocabulary.words.get(kind)
    if known is None:
        return _type(kind, vocabulary)
    sequence = (*_split(kind), "::", json.dumps(name, ensure_ascii=False))
    if name in known or kind in vocabulary.unread:
        return _Word(sequence, "")
    what = _MEANING.get(kind, kind.lower())
    return _Word(sequence, f'unknown {what} `{kind}::"{name}"`{suggest(name, known)}')


def _split(kind: str) -> list[str]:
    return [token.text for token in tokens.tokens(kind)]


def _attribute(variable: str, name: str) -> _Word:
    known = ATTRIBUTES.get(variable, ())
    sequence = (variable, ".", name)
    if name in known:
        return _Word(sequence, "")
    if known:
        return _Word(sequence, f"unknown `{variable}.{name}`{suggest(name, known)}; there are {', '.join(known)}")
    return _Word(sequence, f"`{variable}` has no `{name}`; compare it, as in `{variable} == ...`")


def _type_offset(rule: Rule, message: str, vocabulary: Vocabulary, schema: Any) -> int:
    """Where a type error stands: at the first word of the first condition that has it by itself."""
    import cedarpy

    for condition in conjuncts(rule.policy):
        policy = {"templates": {}, "templateLinks": [], "staticPolicies": {"it": probe(rule.policy, condition)}}
        text = cedarpy.policies_from_json_str(json.dumps(policy))
        if cedarpy.validate_policies(text, schema).errors:
            for word in _words(condition, vocabulary):
                return _offset(rule.text, word.sequence)
            for literal in _literals(condition):
                return _offset(rule.text, (literal,))
    return tokens.effects(rule.text)[0]


def _literals(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            if key == "Value" and isinstance(child, str | int):
                yield json.dumps(child, ensure_ascii=False)
            elif key == "Var":
                yield str(child)
            else:
                yield from _literals(child)
    elif isinstance(node, list):
        for child in node:
            yield from _literals(child)
