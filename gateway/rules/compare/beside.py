"""What differs between two rule sets beside what opens and closes: in grants, requesters, rules, calendar, catalogue.

A grant is wider where it holds on more days; a requester where it has longer to answer a recall; the calendar where a
term is longer, since what is undecided is shown until then. What of a catalogue widens, `gateway.catalogue.diff` says.
Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

from gateway.catalogue import diff as of_catalogues
from gateway.catalogue.diff import Effect, effect
from gateway.nouns import counted
from gateway.rules.compare.causes import rules_changed
from gateway.rules.compare.purposes import purposes
from gateway.rules.compare.sentences import Told
from gateway.rules.compare.shifts import Pair, pairs
from gateway.rules.decide import words
from gateway.rules.files.calendar import DAYS, Calendar
from gateway.rules.files.rule import Rule
from gateway.rules.model import Grant, RequesterEntry
from gateway.rules.ruleset import RuleSet

_FEW = 6


def beside(before: RuleSet, after: RuleSet) -> list[Told]:
    """Every difference that is not a cell's, widenings first."""
    old, new = before.policies, after.policies
    found = [
        *purposes(old.purposes, new.purposes),
        *_grants(before, after),
        *_requesters(old.requesters, new.requesters),
        *_titles("role", before.requesters.roles, after.requesters.roles),
        *_titles("department", before.requesters.departments, after.requesters.departments),
        *_proofs(before.requesters.proofs, after.requesters.proofs),
        *_rules(before, after),
        *_catalogue(before, after),
        *_calendar(before.calendar, after.calendar),
    ]
    return sorted(found, key=lambda told: told.effect)


def _grants(before: RuleSet, after: RuleSet) -> Iterator[Told]:
    for pair in pairs(before, after):
        old, new = pair.before, pair.after
        if old is None and new is not None:
            text = f"Grant `{new.id}` is new: {_days(new)}, for {_listed(sorted(new.datasets))}, by {new.agreed_by}."
            yield Told(Effect.DIFFERS, "grant", text)
        elif old is not None and new is None:
            yield Told(Effect.DIFFERS, "grant", f"Grant `{old.id}` is gone; it held {_days(old)}.")
        elif old is not None and new is not None:
            yield from _grant(pair, old, new)


def _grant(pair: Pair, old: Grant, new: Grant) -> Iterator[Told]:
    name = f"Grant `{new.id}`"
    if (old.valid_from, old.valid_until, old.suspended) != (new.valid_from, new.valid_until, new.suspended):
        text = f"{name} holds {_days(new)}; until now {_days(old)}."
        yield Told(effect(pair.more_days), "grant", text)
    if added := sorted(new.datasets - old.datasets):
        yield Told(Effect.DIFFERS, "grant", f"{name} lists {_listed(added)} now.")
    if gone := sorted(old.datasets - new.datasets):
        yield Told(Effect.DIFFERS, "grant", f"{name} lists {_listed(gone)} no more.")
    if old.agreed_by != new.agreed_by:
        yield Told(Effect.DIFFERS, "grant", f"{name} rests on {new.agreed_by}; until now on {old.agreed_by}.")
    if old.id != new.id:
        yield Told(Effect.DIFFERS, "grant", f"{name} was called `{old.id}`.")


def _days(grant: Grant) -> str:
    return f"{grant.valid_from} to {grant.valid_until}{', but is suspended' if grant.suspended else ''}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _requesters(
    before: Mapping[tuple[str, str], RequesterEntry], after: Mapping[tuple[str, str], RequesterEntry]
) -> Iterator[Told]:
    for who in {**after, **before}:
        old, new = before.get(who), after.get(who)
        said, had = _said(new), _said(old)
        name = f"Requester `{who[1]}` of `{who[0]}`"
        if old is None or new is None:
            held = "; ".join(text for text in said.values() if text)
            yield Told(Effect.DIFFERS, "requester", f"{name} is {f'new: {held}' if new is not None else 'gone'}.")
            continue
        for aspect, text in said.items():
            if text != had[aspect]:
                told = f"{name}: {text or 'nothing'}; until now {had[aspect] or 'nothing'}."
                yield Told(_effect(aspect, old, new), "requester", told)


def _said(entry: RequesterEntry | None) -> dict[str, str]:
    """What a requester's entry says, grants aside, in words."""
    if entry is None:
        return {}
    notices, recalls = entry.notices, entry.recalls
    return {
        "title": f"its title is `{entry.title}`",
        "department": f"it is of the department `{entry.department}`",
        "roles": f"its roles are {_listed(sorted(entry.roles))}",
        "registry": f"its cases are verified at `{entry.registry}`" if entry.registry else "",
        "reports": "it reports changes of its department's records" if entry.reports_changes else "",
        "notices": f"it is notified at {notices.url}, signed by `{notices.secret_file}`" if notices else "",
        "recalls": f"it is notified of recalls at {recalls.url}, signed by `{recalls.secret_file}`"
        if recalls.url
        else "",
        "term": f"it has {_time(recalls.term)} to answer a recall" if recalls.term else "",
        "succeeds": f"it answers recalls of {_listed([gone for _, gone in sorted(entry.succeeds)])}"
        if entry.succeeds
        else "",
    }


def _time(term: datetime.timedelta) -> str:
    days, rest = divmod(int(term.total_seconds()), 86_400)
    return counted(days, "day") if not rest else f"{days * 24 + rest / 3600:g} hours"


def _effect(aspect: str, old: RequesterEntry, new: RequesterEntry) -> Effect:
    was, now = old.recalls.term, new.recalls.term
    if aspect != "term" or was is None or now is None:
        return Effect.DIFFERS
    return effect(now > was)


def _titles(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Told]:
    for name in {**after, **before}:
        old, new = before.get(name), after.get(name)
        if old != new:
            said = (
                f"is new: {new}" if old is None else "is gone" if new is None else f"is called {new}; until now {old}"
            )
            yield Told(Effect.DIFFERS, "requester", f"The {what} `{name}` {said}.")


def _proofs(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Told]:
    for kind in {**after, **before}:
        old, new = before.get(kind), after.get(kind)
        if old != new:
            now, until = (f"with a number like `{each}`" if each else "not" for each in (new, old))
            yield Told(Effect.DIFFERS, "requester", f"At a counter `{kind}` is taken {now}; until now {until}.")


def _rules(before: RuleSet, after: RuleSet) -> Iterator[Told]:
    decided = set(rules_changed(before, after))
    for name in sorted({*after.rules, *before.rules}):
        old, new = before.rules.get(name), after.rules.get(name)
        if new is None:
            yield Told(Effect.DIFFERS, "rule", f"Rule `{name}` is gone.")
        elif old is None:
            yield Told(Effect.DIFFERS, "rule", f"Rule `{name}` is new: it {words.rule(new.policy)}.", (), new.articles)
        elif name in decided:
            text = f"Rule `{name}` {words.rule(new.policy)}; until now it {words.rule(old.policy)}."
            yield Told(Effect.DIFFERS, "rule", text, (), new.articles)
        elif old.text != new.text:
            text = f"Rule `{name}` decides as before; {_wording(old, new)}."
            yield Told(Effect.DIFFERS, "rule", text, (), new.articles)


def _wording(old: Rule, new: Rule) -> str:
    parts = [
        name for name in ("articles", "advice", "basis", "reason", "needs") if getattr(old, name) != getattr(new, name)
    ]
    return f"its {' and '.join(parts)} changed" if parts else "its text changed"


def _catalogue(before: RuleSet, after: RuleSet) -> Iterator[Told]:
    for change in of_catalogues.diff(before.policies.catalogue, after.policies.catalogue):
        yield Told(change.effect, "catalogue", f"`{change.path}`: {change.message}.")


def _calendar(old: Calendar, new: Calendar) -> Iterator[Told]:
    if old.time_zone != new.time_zone:
        yield _of_calendar(f"days end in {new.time_zone}; until now in {old.time_zone}")
    if old.working_days != new.working_days:
        worked = ", ".join(DAYS[day] for day in sorted(new.working_days))
        yield _of_calendar(f"{worked} are worked; deadlines are counted again")
    for what, was, now in (("holidays", old.holidays, new.holidays), ("make-up days", old.make_up, new.make_up)):
        if added := sorted(now - was):
            yield _of_calendar(f"more {what}: {_dates(added)}")
        if gone := sorted(was - now):
            yield _of_calendar(f"no {what} any more: {_dates(gone)}")
    for name in old.terms.__struct_fields__:
        before, after = getattr(old.terms, name), getattr(new.terms, name)
        if before != after:
            text = f"the term of {name} is {after} working days; until now {before}"
            yield _of_calendar(text, effect(after > before))


def _of_calendar(text: str, what: Effect = Effect.DIFFERS) -> Told:
    return Told(what, "calendar", f"Calendar: {text}.")


def _dates(days: Sequence[datetime.date]) -> str:
    if len(days) <= _FEW:
        return ", ".join(map(str, days))
    return f"{counted(len(days), 'day')} from {days[0]} to {days[-1]}"
