"""What opens and what closes, in sentences: what changes alike for one grant is one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from connectors.base import SubjectKind
from gateway.catalogue import describe
from gateway.catalogue.diff import Effect
from gateway.rules.compare import under
from gateway.rules.compare.causes import causes
from gateway.rules.compare.permits import possible
from gateway.rules.compare.shifts import Pair, Shift, holder, shifts
from gateway.rules.model import Grant
from gateway.rules.ruleset import RuleSet


class Told(NamedTuple):
    """One difference in words: its effect, which part of the policies it is in, and a sentence.

    `articles` and `bases` are those that what opens rests on, or what closes rested on; `held` are the grant's days.
    `people` and `non_public` mark what opens of data about people, and of data that is not public.
    """

    effect: Effect
    part: str
    text: str
    because: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    held: str = ""
    people: bool = False
    non_public: bool = False
    shifts: tuple[Shift, ...] = ()


class _Alike(NamedTuple):
    """What shifts of one sentence have in common: sets of combinations before and after, each with what could occur."""

    pair: Pair
    was: tuple[int, int]
    is_now: tuple[int, int]
    because: tuple[str, ...]


def matrix(before: RuleSet, after: RuleSet) -> list[Told]:
    """A sentence for everything that opens or closes, widenings first; each cell is in one of them."""
    alike: dict[_Alike, dict[SubjectKind, list[Shift]]] = {}
    for shift in shifts(before, after):
        pair = shift.pair
        was, now = _possible(before, pair.before), _possible(after, pair.after)
        common = _Alike(pair, (shift.before.under, was), (shift.after.under, now), causes(shift, before, after))
        alike.setdefault(common, {}).setdefault(shift.kind, []).append(shift)
    found = [_told(common, together, before, after) for common, kinds in alike.items() for together in _joined(kinds)]
    return sorted(found, key=lambda told: told.effect)


def _possible(rule_set: RuleSet, grant: Grant | None) -> int:
    if grant is None:
        return 0
    return possible(rule_set.holder(grant), rule_set.policies.purposes[grant.purpose])


def _joined(kinds: Mapping[SubjectKind, list[Shift]]) -> list[list[Shift]]:
    """Kinds of subject of which the same fields shift are told together."""
    several = list(kinds.values())
    fields = [[(shift.dataset, shift.field) for shift in each] for each in several]
    alike = len(several) > 1 and all(each == fields[0] for each in fields)
    return [[shift for each in several for shift in each]] if alike else several


def _told(common: _Alike, together: Sequence[Shift], before: RuleSet, after: RuleSet) -> Told:
    pair, (was, _), (now, _) = common.pair, common.was, common.is_now
    opens = bool(now & ~was)
    side, grant = (after, pair.after) if opens else (before, pair.before)
    rules = sorted({rule for shift in together for rule in (shift.after if opens else shift.before).rules})
    articles = dict.fromkeys(article for rule in rules for article in side.rules[rule].articles)
    return Told(
        Effect.WIDENS if opens else Effect.NARROWS,
        "matrix",
        _sentence(common, together, holder_title(pair, before, after)),
        common.because,
        tuple(articles),
        tuple(map(describe.basis, side.policies.purposes[pair.purpose].basis)),
        held=f"{grant.valid_from} to {grant.valid_until}" if grant is not None else "",
        people=opens and any(shift.kind == "person" for shift in together),
        non_public=opens and any(shift.non_public for shift in together),
        shifts=tuple(together),
    )


def holder_title(pair: Pair, before: RuleSet, after: RuleSet) -> str:
    """Whose grant it is, as a sentence begins: its department, and which of its clients where it has several."""
    entry = holder(pair, before, after)
    side = after if pair.after is not None else before
    title = side.requesters.departments.get(entry.department, entry.department)
    every = side.policies.requesters.values()
    clients = [each for each in every if each.department == entry.department and each.grants]
    named = title if title.lower().startswith("the ") else f"The {title}"
    return f"{named} (`{entry.client}`)" if len(clients) > 1 else named


def _sentence(common: _Alike, together: Sequence[Shift], who: str) -> str:
    seen = f"{fields(together)} of {' and '.join(f'{kind}s' for kind in dict.fromkeys(s.kind for s in together))}"
    was, now = common.was[0], common.is_now[0]
    start = f"{who}, for {common.pair.purpose},"
    if not was:
        takes = under.words(*common.is_now)
        return f"{start} will also see {seen}{f', {takes}' if takes else ''}."
    if not now:
        return f"{start} will no longer see {seen}."
    takes, took = (under.words(*side) or "on a token alone" for side in (common.is_now, common.was))
    only, until = ("" if now & ~was else "only "), ("only " if now & ~was and not was & ~now else "")
    return f"{start} will see {seen} {only}{takes}; until now {until}{took}."


def fields(together: Sequence[Shift]) -> str:
    """`tax-arrears.amount`, or each dataset with its fields."""
    found: dict[str, dict[str, None]] = {}
    for shift in together:
        found.setdefault(shift.dataset, {})[shift.field] = None
    told = [
        f"`{name}.{next(iter(names))}`" if len(names) == 1 else f"`{name}` ({', '.join(names)})"
        for name, names in found.items()
    ]
    *others, last = told
    return f"{', '.join(others)} and {last}" if others else last
