"""The smallest sets of changes that would permit a field, and what a rule set decides under them.

A change is of the request (its token, consent, case, official), of the agreement (the grant), of the purpose, of the
catalogue, or of the rules: a forbid taken away, a permit written. Base rules are nobody's to take away. Where only the
dataset's nature or another kind of subject would help, no change of the request is told: an officer's is.

Every set that is told permits, and none that is a part of it does. Each is decided again before it is told, by the rule
set as it would be then. There are few sets to look at: what lies outside of grant, purpose or catalogue must change in
each of them, so that only flags can be chosen; and under chosen flags it is plain which forbids must go, and whether a
permit is lacking.
"""

from __future__ import annotations

import datetime
import enum
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from connectors.base import SubjectKind
from gateway.catalogue.model import Dataset, Status
from gateway.rules.decide import base, guards, vocabulary
from gateway.rules.decide.engine import Question
from gateway.rules.files import rule as files
from gateway.rules.files.rule import Rule
from gateway.rules.model import PORTAL, Cell, Flag, Grant, Purpose, PurposeFields, Reason, RequesterEntry
from gateway.rules.ruleset import RuleSet


class What(enum.Enum):
    """What can be changed. The value is who changes it."""

    SCOPE = ("the request", 1)
    CONSENT = ("the request", 2)
    CASE = ("the request", 3)
    OFFICIAL = ("the request", 4)
    STEP_UP = ("the request", 5)
    TOKEN = ("the request", 6)
    NARROWING = ("the request", 7)
    RECALL = ("the request", 8)
    GLASS = ("oversight", 1)
    GRANT = ("the agreement", 1)
    IN_FORCE = ("the agreement", 2)
    SUSPENSION = ("the agreement", 3)
    GRANTED = ("the agreement", 4)
    FIELD = ("a policy officer", 1)
    KIND = ("a policy officer", 2)
    REGISTRY = ("a policy officer", 3)
    PORTAL = ("a policy officer", 4)
    RULE = ("a policy officer", 5)
    WITHOUT = ("a policy officer", 6)
    PUBLISHED = ("the department", 1)
    COVERED = ("the department", 2)

    @property
    def who(self) -> str:
        return self.value[0]


class Change(NamedTuple):
    """One change; `rule` is the id of the one that is taken away."""

    what: What
    rule: str = ""


Way = frozenset[Change]

_OF_FLAGS: Mapping[What, Flag] = {
    What.SCOPE: Flag.SCOPE,
    What.CONSENT: Flag.CONSENT,
    What.CASE: Flag.CASE,
    What.OFFICIAL: Flag.OFFICIAL,
    What.STEP_UP: Flag.STEP_UP,
}


NO_FILE = frozenset([*_OF_FLAGS, What.TOKEN, What.NARROWING, What.RECALL, What.GLASS])
"""Changes for which no file of the policies is changed."""


class Situation(msgspec.Struct, frozen=True):
    """All that one field's answer rests on beside the rule set.

    `flags` are the decision's; `alive`: the token had time left; `narrowed`: its `authorization_details` leave the
    dataset out; `recall` is the one for which the grant is suspended for the dataset.
    """

    requester: RequesterEntry
    purpose: Purpose
    kind: SubjectKind
    dataset: Dataset
    field: str
    flags: Flag
    today: datetime.date
    alive: bool = True
    narrowed: bool = False
    recall: str | None = None

    @property
    def grant(self) -> Grant | None:
        return guards.grant_for(self.requester, self.purpose.name, self.today)

    @property
    def key(self) -> Flag:
        """The flags as an inquiry has them: no class is demanded by some purposes, and only emergencies break glass."""
        flags = self.flags if self.purpose.step_up is not None else self.flags | Flag.STEP_UP
        return flags if self.purpose.break_glass is not None else flags & ~Flag.BREAK_GLASS


def decided(rule_set: RuleSet, at: Situation) -> Cell:
    """The answer of table and guards, as at an inquiry."""
    grant = at.grant
    if grant is None:
        return guards.no_grant(at.purpose.name)
    if at.dataset.id not in rule_set.policies.catalogue.published:
        return guards.unknown(at.dataset.id)
    if at.purpose.break_glass is not None and Flag.BREAK_GLASS not in at.flags:
        return guards.glass_whole(at.purpose.name)
    blocked = guards.inactive(grant, at.today) or (None if at.alive else guards.EXPIRED)
    if blocked is not None:
        return blocked
    if at.recall is not None:
        return guards.suspended(grant, at.dataset.id, at.recall)
    cell = rule_set.cells(grant, at.kind, at.key)[at.dataset.id, at.field]
    return guards.narrowed(at.dataset.id) if cell.permitted and at.narrowed else cell


def under(rule_set: RuleSet, at: Situation, way: Way) -> tuple[RuleSet, Situation]:
    """The rule set and the situation as they would be with these changes."""
    then = _requested(at, {change.what for change in way})
    return _ruled(rule_set, then, way), then


def _ruled(rule_set: RuleSet, at: Situation, way: Way) -> RuleSet:
    """The rule set with these changes, for a situation that has them."""
    if all(change.what in NO_FILE for change in way):
        return rule_set
    rules = [rule for rule in rule_set.rules.values() if Change(What.WITHOUT, rule.id) not in way]
    if Change(What.RULE) in way and at.grant is not None:
        rules.append(_permitting(at, at.grant, rule_set))
    policies, who, entry = rule_set.policies, rule_set.requesters, at.requester
    datasets = {**policies.catalogue.datasets, at.dataset.id: at.dataset}
    who = msgspec.structs.replace(
        who,
        entries={**who.entries, (entry.issuer, entry.client): entry},
        roles={**dict.fromkeys(entry.roles, ""), **who.roles},
    )
    return RuleSet(
        msgspec.structs.replace(policies.catalogue, datasets=datasets),
        {**policies.purposes, at.purpose.name: at.purpose},
        who,
        rules,
        rule_set.calendar,
    )


def _requested(at: Situation, made: set[What]) -> Situation:
    """The situation with these changes, of what is no rule."""
    replace = msgspec.structs.replace
    entry, purpose, dataset, grant = at.requester, at.purpose, at.dataset, at.grant
    if What.PUBLISHED in made:
        dataset = replace(dataset, status=Status.PUBLISHED)
    if What.COVERED in made:
        dataset = replace(dataset, subjects=(*dataset.subjects, at.kind))
    if What.KIND in made:
        purpose = replace(purpose, subjects=(*purpose.subjects, at.kind))
    if What.FIELD in made:
        bound = purpose.fields.get(dataset.id, PurposeFields(frozenset()))
        more = replace(bound, names=bound.names | {at.field})
        purpose = replace(purpose, fields={**purpose.fields, dataset.id: more})
    if grant is None and What.GRANT in made:
        prefix = vocabulary.requester_id(entry.grants[0]) if entry.grants else f"{entry.issuer}/{entry.client}"
        new = Grant(f"{prefix}/{purpose.name}", purpose.name, frozenset([dataset.id]), at.today, at.today, "")
        entry = replace(entry, grants=(*entry.grants, new))
    elif grant is not None:
        new = grant
        if What.IN_FORCE in made:
            first, last = min(grant.valid_from, at.today), max(grant.valid_until, at.today)
            new = replace(new, valid_from=first, valid_until=last)
        if What.SUSPENSION in made:
            new = replace(new, suspended=False)
        if What.GRANTED in made:
            new = replace(new, datasets=new.datasets | {dataset.id})
        entry = replace(entry, grants=tuple([new if each is grant else each for each in entry.grants]))
    if What.REGISTRY in made:
        entry = replace(entry, registry="")
    if What.PORTAL in made:
        entry = replace(entry, roles=entry.roles | {PORTAL})
    flags = at.flags
    for what, flag in _OF_FLAGS.items():
        if what in made and _can_bring(what, entry, purpose, dataset):
            flags |= flag
    return Situation(
        entry, purpose, at.kind, dataset, at.field,
        flags | Flag.BREAK_GLASS if What.GLASS in made else flags,
        at.today,
        at.alive or What.TOKEN in made,
        at.narrowed and What.NARROWING not in made,
        None if What.RECALL in made else at.recall,
    )  # fmt: skip


def _can_bring(what: What, entry: RequesterEntry, purpose: Purpose, dataset: Dataset) -> bool:
    """Whether a request of this requester can ever bring what a flag says."""
    if what is What.CASE:
        return purpose.case_required and (purpose.case_registry or entry.registry) is not None
    if what is What.CONSENT:
        return dataset.information == "non_public"
    return what is not What.SCOPE or purpose.scope != "self" or PORTAL in entry.roles


def _permitting(at: Situation, grant: Grant, rule_set: RuleSet) -> Rule:
    """A permit of this field, to this requester, for this purpose."""
    name = next(name for n in itertools.count() if (name := f"permit-{n}") not in rule_set.rules)
    who, what, of = (
        json.dumps(each, ensure_ascii=False)
        for each in (vocabulary.requester_id(grant), at.purpose.name, f"{at.dataset.id}.{at.field}")
    )
    text = (
        f'@id("{name}")@article("1")@advice("-")@basis("-")\n'
        f"permit (principal == Requester::{who}, action == Action::{what}, resource == Field::{of});"
    )
    made = files.parse(text, f"{name}.cedar", [])
    assert made is not None, text
    return made


def possible(at: Situation) -> tuple[Way, tuple[Change, ...]]:
    """The changes without which nothing permits, and those of flags, of which some may be needed."""
    grant, purpose, dataset = at.grant, at.purpose, at.dataset
    stands = "holds" if grant is None else guards.standing(grant, at.today)
    bound = purpose.fields.get(dataset.id)
    needed = {
        What.TOKEN: not at.alive,
        What.NARROWING: at.narrowed,
        What.RECALL: at.recall is not None,
        What.GLASS: purpose.break_glass is not None and Flag.BREAK_GLASS not in at.flags,
        What.GRANT: grant is None,
        What.IN_FORCE: grant is not None and not grant.valid_from <= at.today <= grant.valid_until,
        What.SUSPENSION: stands == "suspended",
        What.GRANTED: grant is not None and dataset.id not in grant.datasets,
        What.FIELD: bound is None or at.field not in bound.names,
        What.KIND: at.kind not in purpose.subjects,
        What.PUBLISHED: dataset.status is not Status.PUBLISHED,
        What.COVERED: at.kind not in dataset.subjects,
    }
    lacking = {what for what, flag in _OF_FLAGS.items() if flag not in at.key}
    chosen = [Change(what) for what in lacking if what is not What.CASE or purpose.case_required]
    if What.CASE in lacking and purpose.case_required and (purpose.case_registry or at.requester.registry) is None:
        chosen.append(Change(What.REGISTRY))
    if What.SCOPE in lacking and purpose.scope == "self" and PORTAL not in at.requester.roles:
        chosen.append(Change(What.PORTAL))
    return frozenset(Change(what) for what, lacks in needed.items() if lacks), tuple(sorted(chosen, key=order))


def smallest(rule_set: RuleSet, at: Situation, most: int = 6) -> tuple[Way, ...]:
    """The smallest sets of changes that would permit, what a request can bring first; the first `most` of them.

    None where nothing would, as of a special category; one that is empty where it is permitted already.
    """
    found = sorted(set(_sufficient(rule_set, at)), key=len)
    minimal: list[Way] = []
    for way in found:
        if not any(smaller <= way for smaller in minimal):
            minimal.append(way)
    minimal.sort(key=lambda way: (of_the_request(way) is False, len(way), sorted(map(order, way))))
    told = (way for way in minimal if decided(*under(rule_set, at, way)).permitted)
    return tuple(itertools.islice(told, most))


def of_the_request(way: Way) -> bool:
    """Whether whoever asks can bring all of it about."""
    return all(change.what.who == What.SCOPE.who for change in way)


def order(change: Change) -> tuple[int, str]:
    """How changes are listed: what the request brings first."""
    return list(What).index(change.what), change.rule


def _sufficient(rule_set: RuleSet, at: Situation) -> Iterator[Way]:
    """For every choice of flags, all that must be changed beside them."""
    needed, chosen = possible(at)
    changed: dict[Way, RuleSet] = {}
    for choice in _choices(chosen):
        made = needed | choice
        then = _requested(at, {change.what for change in made})
        if then.grant is None:
            continue
        asked = Question(then.grant, then.purpose, then.kind, then.dataset, then.field, then.key)
        if any(forbids(asked) for forbids in base.BASE.values()):
            continue
        of_files = frozenset(change for change in made if change.what not in NO_FILE)
        if of_files not in changed:
            changed[of_files] = _ruled(rule_set, then, of_files)
        held = changed[of_files].holding(asked)
        if any(name in base.BASE for name in (*held.forbids, *held.failed)):
            continue
        gone = {Change(What.WITHOUT, name) for name in (*held.forbids, *held.failed)}
        yield made | gone | ({Change(What.RULE)} if not held.permits else frozenset())


def _choices(chosen: Sequence[Change]) -> Iterable[Way]:
    sizes = range(len(chosen) + 1)
    return map(frozenset, itertools.chain.from_iterable(itertools.combinations(chosen, size) for size in sizes))


def lacks_rule(rule_set: RuleSet, at: Situation, way: Way) -> Cell | None:
    """What is decided with all of a way but its permit, which has what the nearest rule asks; `None` without one."""
    if Change(What.RULE) not in way:
        return None
    cell = decided(*under(rule_set, at, way - {Change(What.RULE)}))
    return cell if cell.reason is Reason.NO_RULE and cell.rule is None else None
