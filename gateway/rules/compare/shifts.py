"""What opens and what closes between two rule sets, from the cells of their matrices and never from their texts.

A requester is the same in both where issuer, client and department are: what a client of another department may see,
another department sees. Its grants for one purpose are paired by their first day, and those that are left in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from connectors.base import SubjectKind
from gateway.catalogue.diff import withholds_less
from gateway.catalogue.model import Dataset
from gateway.rules.compare.permits import NOTHING, Permit, permits
from gateway.rules.model import Grant, RequesterEntry
from gateway.rules.ruleset import RuleSet


class Pair(NamedTuple):
    """One requester's grant for one purpose, in both rule sets; `None` where one of them has no such grant."""

    issuer: str
    client: str
    department: str
    purpose: str
    before: Grant | None
    after: Grant | None

    @property
    def more_days(self) -> bool:
        """Whether it holds on a day on which it did not; one that is new does so by what opens."""
        before, after = self.before, self.after
        if before is None or after is None or after.suspended:
            return False
        return before.suspended or after.valid_from < before.valid_from or after.valid_until > before.valid_until


class Shift(NamedTuple):
    """One field of one kind of subject that one grant is permitted otherwise than before.

    `non_public`: its dataset is, or was, not public.
    """

    pair: Pair
    kind: SubjectKind
    dataset: str
    field: str
    before: Permit
    after: Permit
    non_public: bool = False

    @property
    def opens(self) -> int:
        """The combinations of flags under which it is permitted now and was not."""
        return self.after.under & ~self.before.under

    @property
    def closes(self) -> int:
        """The combinations of flags under which it was permitted and is not any more."""
        return self.before.under & ~self.after.under


def pairs(before: RuleSet, after: RuleSet) -> list[Pair]:
    """Every grant of either rule set, once."""
    old, new = _grants(before), _grants(after)
    found = []
    for key in {**new, **old}:
        left, right = list(old.get(key, ())), list(new.get(key, ()))
        matched = [(one, other) for one in left for other in right if one.valid_from == other.valid_from]
        for one, other in matched:
            left.remove(one)
            right.remove(other)
        length = max(len(left), len(right))
        rest = zip(_filled(left, length), _filled(right, length), strict=True)
        found += [Pair(*key, one, other) for one, other in (*matched, *rest)]
    return found


def _grants(rule_set: RuleSet) -> dict[tuple[str, str, str, str], list[Grant]]:
    found: dict[tuple[str, str, str, str], list[Grant]] = {}
    for entry in rule_set.policies.requesters.values():
        for grant in entry.grants:
            found.setdefault((entry.issuer, entry.client, entry.department, grant.purpose), []).append(grant)
    return found


def _filled(grants: Sequence[Grant], length: int) -> list[Grant | None]:
    return [*grants, *[None] * (length - len(grants))]


def shifts(before: RuleSet, after: RuleSet) -> list[Shift]:
    """Every cell that is not permitted as it was; each once."""
    old, new = permits(before), permits(after)
    found = []
    for pair in pairs(before, after):
        left = old.get(pair.before.id, {}) if pair.before is not None else {}
        right = new.get(pair.after.id, {}) if pair.after is not None else {}
        for at in {**right, **left}:
            was, is_now = left.get(at, NOTHING), right.get(at, NOTHING)
            if was.under != is_now.under:
                hidden = any(each.information == "non_public" for each in _both(at[1], before, after))
                found.append(Shift(pair, *at, was, is_now, hidden))
    return found


def widens(before: RuleSet, after: RuleSet) -> bool:
    """Whether some cell is permitted under a combination of flags under which it was not."""
    return any(shift.opens for shift in shifts(before, after))


def widens_to_people_or_non_public(before: RuleSet, after: RuleSet) -> frozenset[str]:
    """The departments whose steward has to agree: more of their data about people, or not public, may leave.

    That is where a cell opens, where a grant holds on more days or is suspended no more, where a dataset withholds
    fewer records (it is displayed longer, may not be opted out of or restored any more, or needs no document), and
    where a purpose does: its overdue objections withhold nothing any more, or its grants are never suspended. Where a
    purpose lets more be sent to departments (`forward`), it is those whose data are asked for by it, whatever they are:
    who asked, or in which case, is about people.
    """
    now = permits(after)
    found = {
        after.policies.catalogue.datasets[dataset].department
        for pair in pairs(before, after)
        if pair.after is not None and _sends_more(pair.purpose, before, after)
        for _, dataset, _ in now.get(pair.after.id, {})
    }
    for name, kind in _more(before, after):
        datasets = _both(name, before, after)
        if kind == "person" or any(dataset.information == "non_public" for dataset in datasets):
            found.update(dataset.department for dataset in datasets)
    return frozenset(found)


def _more(before: RuleSet, after: RuleSet) -> Iterator[tuple[str, SubjectKind]]:
    """The datasets of which more may leave, and about which kind of subject."""
    for shift in shifts(before, after):
        if shift.opens:
            yield shift.dataset, shift.kind
    now = permits(after)
    for pair in pairs(before, after):
        if pair.after is not None:
            more = pair.more_days or _withholds_less(pair.purpose, before, after)
            for kind, dataset, _ in now.get(pair.after.id, {}):
                was = before.policies.catalogue.datasets.get(dataset)
                if more or withholds_less(was, after.policies.catalogue.datasets[dataset]):
                    yield dataset, kind


def _withholds_less(purpose: str, before: RuleSet, after: RuleSet) -> bool:
    """Whether records leave for a purpose that were withheld, or grants hold that would be suspended."""
    was, now = before.policies.purposes.get(purpose), after.policies.purposes.get(purpose)
    if was is None or now is None:
        return False
    flags = was.overdue_objection == "withhold" and now.overdue_objection == "flag"
    return flags or (was.suspension_exempt is None and now.suspension_exempt is not None)


def _sends_more(purpose: str, before: RuleSet, after: RuleSet) -> bool:
    """Whether departments are sent something about an inquiry that they were not sent."""
    was, now = (each.policies.purposes.get(purpose) for each in (before, after))
    return now is not None and not now.forward <= (was.forward if was is not None else frozenset())


def _both(name: str, before: RuleSet, after: RuleSet) -> list[Dataset]:
    """A dataset, as each catalogue that has it has it."""
    found = [each.policies.catalogue.datasets.get(name) for each in (before, after)]
    return [each for each in found if each is not None]


def holder(pair: Pair, before: RuleSet, after: RuleSet) -> RequesterEntry:
    """The requester of a pair, as it is now where it still is."""
    for rule_set, grant in ((after, pair.after), (before, pair.before)):
        if grant is not None:
            return rule_set.holder(grant)
    raise LookupError("a pair has one grant at least")
