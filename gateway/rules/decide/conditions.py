"""The conditions of a rule, one by one, in Cedar's JSON form.

A rule holds where each of its conditions holds: whom, what for and what of (its scope), and every part that `&&` joins
in its `when` clauses; an `unless` clause is one condition, turned round. So what a permit lacks can be told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ALL: Mapping[str, Any] = {"op": "All"}

SCOPE = ("principal", "action", "resource")


def conjuncts(policy: Mapping[str, Any]) -> list[Any]:
    """The conditions of the `when` and `unless` clauses, as expressions that must be true."""
    found: list[Any] = []
    for clause in policy["conditions"]:
        if clause["kind"] == "when":
            found.extend(_split(clause["body"]))
        else:
            found.append({"!": {"arg": clause["body"]}})
    return found


def _split(expression: Any) -> Iterator[Any]:
    if isinstance(expression, Mapping) and set(expression) == {"&&"}:
        yield from _split(expression["&&"]["left"])
        yield from _split(expression["&&"]["right"])
    else:
        yield expression


def scoped(policy: Mapping[str, Any]) -> list[str]:
    """Which of principal, action and resource the rule is limited in."""
    return [variable for variable in SCOPE if policy[variable] != ALL]


def probe(policy: Mapping[str, Any], condition: Any = None, variable: str | None = None) -> dict[str, Any]:
    """A policy that holds where one condition of another holds: a `condition`, or the scope of a `variable`."""
    single: dict[str, Any] = {"effect": "permit", **dict.fromkeys(SCOPE, ALL), "conditions": []}
    if variable is not None:
        single[variable] = policy[variable]
    else:
        single["conditions"] = [{"kind": "when", "body": condition}]
    return single
