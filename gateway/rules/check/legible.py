"""Checks that a reader of the folder of rules sees what they open. A rule is in the file of its name; a permit names
its purposes, and its requesters or fields. Pure.

A permit on every purpose would open those that nobody has thought of yet; one that looks at neither requester nor field
leaves all to the grants. The base rules would still hold; but no officer could say what such a rule is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.errors import Problem
from gateway.rules.decide.conditions import ALL
from gateway.rules.files import tokens
from gateway.rules.files.rule import Rule

EVERYBODY = "permits to every requester all that its grant covers"
SAY_TO_WHOM = (
    'name the requester, as in `principal.roles.contains(Role::"department")`, or the field, as in '
    '`resource.information == Information::"public"`'
)
"""What is told of a permit that looks at neither requester nor data."""


def check(rules: Sequence[Rule], problems: list[Problem]) -> None:
    """Note every rule whose id is not its file's name, and every permit that names too little of what it opens."""
    for rule in rules:
        file = Path(rule.file).stem
        if rule.id != file:
            message = f"`{rule.id}` stands in `{file}.cedar`; name the file `{rule.id}.cedar`, or the rule `{file}`"
            _note(rule, tokens.annotation(rule.text, "id"), message, problems)
        if rule.effect == "permit" and (wrong := _too_wide(rule)):
            _note(rule, tokens.effects(rule.text)[0], wrong, problems)


def _too_wide(rule: Rule) -> str:
    looks = {variable for clause in rule.policy["conditions"] for variable in _variables(clause["body"])}
    anybody = all(rule.policy[each] == ALL and each not in looks for each in ("principal", "resource"))
    if rule.policy["action"] == ALL:
        every = "everything to everybody, for every purpose" if anybody else "for every purpose, also for those to come"
        return f'permits {every}; name the purposes, as in `action == Action::"OPEN_RECORD"`'
    if anybody:
        return f"{EVERYBODY}; {SAY_TO_WHOM}"
    return ""


def _variables(node: Any) -> Iterator[str]:
    """Cedar's variables that an expression looks at."""
    if isinstance(node, list):
        for child in node:
            yield from _variables(child)
    elif isinstance(node, Mapping):
        if isinstance(node.get("Var"), str):
            yield node["Var"]
        for child in node.values():
            yield from _variables(child)


def _note(rule: Rule, offset: int | None, message: str, problems: list[Problem]) -> None:
    line, column = tokens.place(rule.text, offset or 0)
    problems.append(Problem(rule.file, line, column, f"@id {rule.id}", message))
