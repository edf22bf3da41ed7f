"""Rules in words: a condition of a Cedar policy in plain English.

What has no words of its own is told in Cedar's, never left out. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.rules.decide.conditions import ALL, conjuncts, scoped

_TRUE: Mapping[str, str] = {
    "scope": "the token's scope covers the dataset",
    "consent": "the subject's consent covers the field",
    "case": "the case is verified",
    "official": "a named official stands behind the request",
    "step_up": "the token has the authentication class that the purpose demands",
    "break_glass": "the inquiry is a break-glass one",
    "case_required": "the purpose requires a case",
    "official_required": "the purpose requires an official",
    "step_up_required": "the purpose requires stronger authentication",
    "self_required": "the purpose is for the subject alone",
    "in_purpose": "the purpose covers the field",
    "in_grant": "the grant covers the dataset",
    "subject_in_purpose": "the purpose covers the kind of subject",
    "subject_in_dataset": "the dataset covers the kind of subject",
}
_FALSE: Mapping[str, str] = {
    "scope": "the token's scope does not cover the dataset",
    "consent": "no consent of the subject covers the field",
    "case": "the case is not verified",
    "official": "no named official stands behind the request",
    "step_up": "the token lacks the authentication class that the purpose demands",
    "break_glass": "the inquiry is not a break-glass one",
    "case_required": "the purpose requires no case",
    "official_required": "the purpose requires no official",
    "step_up_required": "the purpose requires no stronger authentication",
    "self_required": "the purpose is not for the subject alone",
    "in_purpose": "the purpose does not cover the field",
    "in_grant": "the grant does not cover the dataset",
    "subject_in_purpose": "the purpose does not cover the kind of subject",
    "subject_in_dataset": "the dataset does not cover the kind of subject",
}
_VARIABLES: Mapping[str, str] = {"principal": "requester", "action": "purpose", "resource": "field"}


def rule(policy: Mapping[str, Any]) -> str:
    """A whole rule: `permits where ..., and ...`."""
    verb = "permits" if policy["effect"] == "permit" else "forbids"
    conditions = [*(scope(policy, variable) for variable in scoped(policy)), *map(condition, conjuncts(policy))]
    return f"{verb} where {', and '.join(conditions)}" if conditions else f"{verb} everything"


def scope(policy: Mapping[str, Any], variable: str) -> str:
    """What the scope of a rule asks of principal, action or resource."""
    part = policy[variable]
    if part == ALL:
        return f"the {_VARIABLES[variable]} is any"
    if "entity_type" in part:
        inner = f" in {_entity(part['in']['entity'])}" if "in" in part else ""
        return f"the {_VARIABLES[variable]} is a {part['entity_type']}{inner}"
    named = [part["entity"]] if "entity" in part else part["entities"]
    listed = _any(map(_entity, named))
    inside = variable == "resource" and any(entity["type"] == "Dataset" for entity in named)
    return f"the {'dataset' if inside else _VARIABLES[variable]} is {listed}"


def condition(expression: Any, true: bool = True) -> str:
    """One condition, as it must be where `true`, and as it must not be otherwise."""
    if isinstance(expression, Mapping) and len(expression) == 1:
        (operator, parts), *_ = expression.items()
        if operator == "!":
            return condition(parts["arg"], not true)
        if operator in ("&&", "||"):
            joint = "and" if (operator == "&&") is true else "or"
            return f"{condition(parts['left'], true)} {joint} {condition(parts['right'], true)}"
        if operator == "." and parts["left"] == {"Var": "context"} and parts["attr"] in _TRUE:
            return (_TRUE if true else _FALSE)[parts["attr"]]
        if operator in ("==", "!="):
            verb = "is" if (operator == "==") is true else "is not"
            return f"{_thing(parts['left'])} {verb} {_thing(parts['right'])}"
        if operator == "in":
            return f"{_thing(parts['left'])} is {'' if true else 'not '}in {_thing(parts['right'])}"
        if operator == "contains":
            if parts["left"] == {".": {"left": {"Var": "principal"}, "attr": "roles"}}:
                return f"the requester {'has' if true else 'does not have'} the role {_thing(parts['right'])}"
            if "Set" in parts["left"]:
                return f"{_thing(parts['right'])} is {'' if true else 'not '}{_any(map(_thing, parts['left']['Set']))}"
    return f"{'' if true else 'not: '}`{cedar(expression)}`"


def _any(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _entity(entity: Mapping[str, str]) -> str:
    return f"`{entity['id']}`"


def _thing(expression: Any) -> str:
    if "Value" in expression:
        value = expression["Value"]
        return _entity(value["__entity"]) if isinstance(value, Mapping) and "__entity" in value else f"`{value}`"
    if "Var" in expression and expression["Var"] in _VARIABLES:
        return f"the {_VARIABLES[expression['Var']]}"
    if "." in expression and "Var" in expression["."]["left"]:
        variable, attribute = expression["."]["left"]["Var"], expression["."]["attr"]
        if (variable, attribute) == ("context", "subject"):
            return "the kind of subject"
        if variable in ("principal", "resource"):
            return f"the {'requester' if variable == 'principal' else 'dataset'}'s {attribute}"
    return f"`{cedar(expression)}`"


def cedar(expression: Any) -> str:
    """An expression in Cedar's own words, on one line."""
    import cedarpy

    policy = {
        "effect": "permit",
        **dict.fromkeys(("principal", "action", "resource"), ALL),
        "conditions": [{"kind": "when", "body": expression}],
    }
    whole = {"templates": {}, "templateLinks": [], "staticPolicies": {"it": policy}}
    text = " ".join(cedarpy.policies_from_json_str(json.dumps(whole)).split())
    return text.partition("when {")[2].rpartition("}")[0].strip()
