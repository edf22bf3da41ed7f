"""Why one field is permitted or denied, in words: the answer, the rules behind it, and what it would take.

Told from the decision table and the guards, the same that decide at an inquiry; no subject is named. What it would take
are the smallest sets of changes that permit it (`changes`); each was decided again before it is told.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway.rules.decide import words
from gateway.rules.decide.vocabulary import FLAGS
from gateway.rules.explain import changes
from gateway.rules.explain.changes import Change, Situation, Way, What
from gateway.rules.model import Cell, Flag
from gateway.rules.ruleset import RuleSet


class Explanation(msgspec.Struct, frozen=True):
    """An answer and what it rests on. `rules` are (rule id, its words).

    `ways` are the smallest sets of changes, each as lines, that would permit it; of a permit, what it takes. `asked`:
    whether whoever asks can bring one of them about.
    """

    situation: Situation
    cell: Cell
    rules: tuple[tuple[str, str], ...]
    ways: tuple[tuple[str, ...], ...]
    asked: bool


def explain(rule_set: RuleSet, at: Situation) -> Explanation:
    """Explain one field's answer."""
    cell = changes.decided(rule_set, at)
    told = tuple((name, _words(rule_set, name)) for name in cell.rules)
    bare = msgspec.structs.replace(at, flags=at.flags & Flag.BREAK_GLASS) if cell.permitted else at
    found = changes.smallest(rule_set, bare)
    if cell.permitted:
        found = tuple(way for way in found if changes.of_the_request(way))
    ways = tuple(tuple(_lines(rule_set, bare, way)) for way in found)
    return Explanation(at, cell, told, ways, any(map(changes.of_the_request, found)))


def _words(rule_set: RuleSet, name: str) -> str:
    rule = rule_set.rules[name]
    basis = f" ({rule.basis})" if rule.basis else ""
    return f"{words.rule(rule.policy)}, Art. {', '.join(rule.articles)}{basis}"


def _lines(rule_set: RuleSet, at: Situation, way: Way) -> Iterator[str]:
    """The changes of a way in words; of what the request does not bring, with who does."""
    for change in sorted(way, key=changes.order):
        who = "" if changes.of_the_request(frozenset([change])) else f", by {change.what.who}"
        yield f"{_said(rule_set, at, change)}{who}"
        if change.what is What.RULE and (without := changes.lacks_rule(rule_set, at, way)) is not None:
            yield f"  {without.advice.partition(' No request brings')[0]}"


def _said(rule_set: RuleSet, at: Situation, change: Change) -> str:
    grant, client, purpose, dataset = at.grant, at.requester.client, at.purpose, at.dataset.id
    name = grant.id if grant is not None else ""
    if change.what is What.WITHOUT:
        return f"rule `{change.rule}` taken away or narrowed: it {_words(rule_set, change.rule)}"
    scope = f"a token with the scope `inquire` or `inquire:{dataset}`"
    because = ", with `because` and `basis`" if at.dataset.nature == "adverse" else ""
    return {
        What.SCOPE: "the subject's own token, with the scope `self`" if purpose.scope == "self" else scope,
        What.CONSENT: f"the subject's consent to `{client}` for {purpose.name} and `{dataset}.{at.field}`",
        What.CASE: "the case is verified",
        What.OFFICIAL: "a named official stands behind the request",
        What.STEP_UP: f"a token with the authentication class `{purpose.step_up}`",
        What.TOKEN: "a token that has not expired",
        What.NARROWING: f"a token whose authorization_details cover `{dataset}`, the purpose, the case and the subject",
        What.RECALL: f"the recall {at.recall} acknowledged",
        What.GLASS: f"the overdue review of an earlier use of {purpose.name} ended",
        What.GRANT: f"a grant for {purpose.name} to `{client}` that lists `{dataset}`",
        What.IN_FORCE: f"the grant {name} in force: it holds from {grant.valid_from} to {grant.valid_until}"
        if grant is not None
        else "",
        What.SUSPENSION: f"the suspension of the grant {name} lifted",
        What.GRANTED: f"`{dataset}` among the datasets of the grant {name}",
        What.FIELD: f"`{at.field}` among the fields of `{dataset}` that {purpose.name} lists{because}",
        What.KIND: f"`{at.kind}` among the subjects of {purpose.name}",
        What.REGISTRY: f"a `registry` for `{client}`, which can verify its cases",
        What.PORTAL: f"the role `portal` for `{client}`",
        What.RULE: f"a rule that permits `{dataset}.{at.field}` to `{client}` for {purpose.name}",
        What.PUBLISHED: f"`{dataset}` published in the catalogue",
        What.COVERED: f"`{at.kind}` among the subjects of `{dataset}` in the catalogue",
    }[change.what]


def lines(explanation: Explanation) -> Iterator[str]:
    """The explanation as lines of text."""
    at = explanation.situation
    yield f"{at.requester.client} asks for `{at.dataset.id}.{at.field}` of the {at.kind}, for {at.purpose.name}."
    held = [name for name, flag in FLAGS.items() if at.flags & flag]
    lacking = [name for name, flag in FLAGS.items() if not at.flags & flag]
    yield f"Taken as given: {', '.join(held) or 'nothing'}. Not given: {', '.join(lacking) or 'nothing'}."
    if at.grant is not None:
        yield f"Grant {at.grant.id}: {at.grant.valid_from} to {at.grant.valid_until}, {at.grant.agreed_by}."
    yield ""
    yield from answer(explanation)


def answer(explanation: Explanation) -> Iterator[str]:
    """The answer alone: by which rules, and what it would take."""
    e, cell, at = explanation, explanation.cell, explanation.situation
    articles = f" (Art. {', '.join(cell.articles)})" if cell.articles else ""
    bound = at.purpose.fields.get(at.dataset.id)
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
    yield ""
    if not cell.permitted and not e.asked:
        yield "No change of the request permits it." if e.ways else "Nothing would permit it."
    for number, way in enumerate(e.ways):
        yield "or:" if number else "It takes:" if cell.permitted else "It would take:"
        for line in way:
            yield f"    {line.strip()}" if line.startswith(" ") else f"  - {line}"
    if cell.permitted and e.ways == ((),):
        yield "  - nothing more than the grant"
