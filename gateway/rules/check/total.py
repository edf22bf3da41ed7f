"""Whether a rule gives an answer whatever is asked: what could fail when it is evaluated is refused at load. Pure.

Cedar skips a rule that fails, so the engine denies all while one does. No rule needs what can fail: there is no number
to reckon with, and an attribute is asked of Cedar's variables alone, which are always there. What is left of Cedar is
total: it compares, joins and looks into sets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.errors import Problem
from gateway.rules.files import tokens
from gateway.rules.files.rule import Rule

_TOTAL = frozenset([
    "Value", "Var", "!", "==", "!=", "in", "<", "<=", ">", ">=", "&&", "||", "contains", "containsAll", "containsAny",
    "isEmpty", ".", "has", "is", "like", "if-then-else", "Set", "Record",
])  # fmt: skip
"""What Cedar's JSON form calls the expressions that never fail."""
_WRITTEN = {"neg": "-"}
_THESE = "`principal`, `resource` or `context`"


def check(rules: Sequence[Rule], problems: list[Problem]) -> None:
    """Note every rule that could fail, where what could stands."""
    for rule in rules:
        for sequence, message in _failing([clause["body"] for clause in rule.policy["conditions"]]):
            at = tokens.find(rule.text, *sequence)
            line, column = tokens.place(rule.text, tokens.effects(rule.text)[0] if at is None else at)
            problems.append(Problem(rule.file, line, column, f"@id {rule.id}", message))
            break  # mended, the next one is told


def _failing(node: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """What could fail in an expression: the tokens that it stands as, and why."""
    if isinstance(node, list):
        for child in node:
            yield from _failing(child)
        return
    if not isinstance(node, Mapping) or len(node) != 1:
        return
    [(kind, of)] = node.items()
    if kind not in _TOTAL:
        sign = _WRITTEN.get(kind, str(kind))
        yield (
            (sign,),
            f"`{sign}` can fail when it is evaluated, and nothing is permitted while a rule fails; leave it out",
        )
    elif kind in (".", "has") and not _is_variable(of["left"]):
        message = f"`{of['attr']}` is asked of what is not there in every inquiry, and that fails; ask {_THESE}"
        yield (of["attr"],), message
    elif kind == "in" and _is_entity(of["left"]):
        name = of["left"]["Value"]["__entity"]["id"]
        message = f"`{name}` is not there in every inquiry, so that `in` may not know where it belongs; ask {_THESE}"
        yield (json.dumps(name, ensure_ascii=False),), message
    elif kind == "Record":
        yield from _failing([*of.values()])
    elif kind == "like":
        yield from _failing(of["left"])
    elif kind not in ("Value", "Var"):
        yield from _failing(of if isinstance(of, list) else [*of.values()])


def _is_variable(node: Any) -> bool:
    return isinstance(node, Mapping) and set(node) == {"Var"}


def _is_entity(node: Any) -> bool:
    return isinstance(node, Mapping) and isinstance(node.get("Value"), Mapping) and "__entity" in node["Value"]
