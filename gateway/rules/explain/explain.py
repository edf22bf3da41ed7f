"""Why one field is permitted or denied, in words: the answer, the rules behind it, and what it would take.

Told from the decision table and the guards, the same that decide at an inquiry; no subject is named.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import msgspec

from connectors.base import SubjectKind
from gateway.catalogue.model import Dataset
from gateway.rules.decide import guards, words
from gateway.rules.decide.vocabulary import FLAGS
from gateway.rules.model import Cell, Flag, Grant, Purpose, RequesterEntry
from gateway.rules.ruleset import RuleSet


class Explanation(msgspec.Struct, frozen=True):
    """An answer and what it rests on. `rules` are (rule id, its words); `takes` is all that a permit takes."""

    requester: RequesterEntry
    purpose: Purpose
    grant: Grant | None
    kind: SubjectKind
    dataset: Dataset
    field: str
    flags: Flag
    cell: Cell
    rules: tuple[tuple[str, str], ...]
    takes: tuple[str, ...]


def explain(
    rule_set: RuleSet,
    requester: RequesterEntry,
    purpose: Purpose,
    kind: SubjectKind,
    dataset: Dataset,
    field: str,
    flags: Flag,
    today: datetime.date,
) -> Explanation:
    """Explain one field's answer where these flags hold. Only a published dataset has an answer in the table."""
    grant = guards.grant_for(requester, purpose.name, today)
    takes: tuple[str, ...] = ()
    if grant is None:
        cell = guards.no_grant(purpose.name)
    elif dataset.id not in rule_set.policies.catalogue.published:
        cell = guards.unknown(dataset.id)
    else:
        decided = rule_set.cells(grant, kind, flags)[dataset.id, field]
        cell = guards.inactive(grant, today) or decided
        if cell.permitted:
            takes = rule_set.cells(grant, kind, Flag(0))[dataset.id, field].needs
    told = tuple((name, _words(rule_set, name)) for name in cell.rules)
    return Explanation(requester, purpose, grant, kind, dataset, field, flags, cell, told, takes or cell.needs)


def _words(rule_set: RuleSet, name: str) -> str:
    rule = rule_set.rules[name]
    basis = f" ({rule.basis})" if rule.basis else ""
    return f"{words.rule(rule.policy)}{basis}"


def lines(explanation: Explanation) -> Iterator[str]:
    """The explanation as lines of text."""
    e, cell = explanation, explanation.cell
    bound = e.purpose.fields.get(e.dataset.id)
    yield f"{e.requester.client} asks for `{e.dataset.id}.{e.field}` of the {e.kind}, for {e.purpose.name}."
    held = [name for name, flag in FLAGS.items() if e.flags & flag]
    lacking = [name for name, flag in FLAGS.items() if not e.flags & flag]
    yield f"Taken as given: {', '.join(held) or 'nothing'}. Not given: {', '.join(lacking) or 'nothing'}."
    if e.grant is not None:
        yield f"Grant {e.grant.id}: {e.grant.valid_from} to {e.grant.valid_until}, {e.grant.agreed_by}."
    yield ""
    articles = f" (Art. {', '.join(cell.articles)})" if cell.articles else ""
    if cell.permitted:
        yield f"PERMITTED by {', '.join(cell.rules)}{articles}"
        if bound is not None and bound.because:
            yield f"  necessary because: {bound.because}"
    else:
        yield f"DENIED: {cell.reason}{f', by rule {cell.rule}' if cell.rule else ''}{articles}"
        yield f"  {cell.advice}"
    if e.rules:
        yield ""
        yield "Rules:"
        for name, told in e.rules:
            yield f"  {name} {told}"
    if e.takes:
        yield ""
        yield "It takes:" if cell.permitted else "It would take:"
        for need in e.takes:
            yield f"  - {need}"
