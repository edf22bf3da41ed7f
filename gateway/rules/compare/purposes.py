"""What differs between the registered purposes of two rule sets, beside what opens and closes by them. Pure.

What is wider: asked more often, kept longer, told to the subject later, without a case, an official or a stronger
sign-in that was needed, of more subjects, with overdue objections only flagged, or with more of it sent to departments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from gateway.catalogue import describe
from gateway.catalogue.diff import Effect, effect
from gateway.catalogue.model import Basis, Period
from gateway.catalogue.periods import may_exceed
from gateway.rules.compare.sentences import Told
from gateway.rules.model import Frequency, Purpose, PurposeFields, Quota, Quotas


class _Aspect(NamedTuple):
    """One thing that a purpose says: in words, and whether another says something wider."""

    words: Callable[[Purpose], str]
    wider: Callable[[Purpose, Purpose], bool] = lambda before, after: False


def purposes(before: Mapping[str, Purpose], after: Mapping[str, Purpose]) -> Iterator[Told]:
    """Every difference, by purpose."""
    for name in {**after, **before}:
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            said = "; ".join(text for aspect in _ASPECTS if (text := aspect.words(new)))
            yield Told(Effect.DIFFERS, "purpose", f"{name} is new: {said}.", articles=new.articles)
        elif old is not None and new is None:
            yield Told(Effect.DIFFERS, "purpose", f"{name} is gone.")
        elif old is not None and new is not None:
            yield from _changed(old, new)


def _changed(old: Purpose, new: Purpose) -> Iterator[Told]:
    for words, wider in _ASPECTS:
        if words(old) != words(new):
            text = f"{new.name}: {words(new) or 'nothing'}; until now {words(old) or 'nothing'}."
            yield Told(effect(wider(old, new), wider(new, old)), "purpose", text)
    if old.articles != new.articles:
        text = f"{new.name} rests on Art. {', '.join(new.articles)}; until now on Art. {', '.join(old.articles)}."
        yield Told(Effect.DIFFERS, "purpose", text)
    for dataset in {**new.fields, **old.fields}:
        for text in _fields(old.fields.get(dataset), new.fields.get(dataset)):
            yield Told(Effect.DIFFERS, "purpose", f"{new.name}, `{dataset}`: {text}.")


def _fields(old: PurposeFields | None, new: PurposeFields | None) -> Iterator[str]:
    was, now = (each.names if each is not None else frozenset[str]() for each in (old, new))
    if added := sorted(now - was):
        yield f"it lists {', '.join(added)} now"
    if gone := sorted(was - now):
        yield f"it lists {', '.join(gone)} no more"
    because = [each.because if each is not None else None for each in (old, new)]
    if because[0] != because[1]:
        yield f"necessary because: {_closed(because[1])}" if because[1] else "no reason why it is necessary any more"
    bases = [each.basis if each is not None else () for each in (old, new)]
    if bases[0] != bases[1]:
        yield f"on {_laws(bases[1])}" if bases[1] else "on no law of its own any more"


def _closed(text: str) -> str:
    return text.rstrip(". ")


def _laws(bases: tuple[Basis, ...]) -> str:
    return "; ".join(law(each) for each in bases)


def law(basis: Basis) -> str:
    """`Public Procurement Act, Art. 54 (2026-01-01)`."""
    return f"{describe.basis(basis)} ({basis.version})" if basis.version else describe.basis(basis)


def _frequency(purpose: Purpose) -> str:
    asked = purpose.frequency
    if asked.unlimited:
        return "any number of inquiries about one subject"
    many = f"{asked.max:,} inquiries" if asked.max > 1 else "one inquiry"
    return f"at most {many} about one subject in {describe.period(asked.per)}"


def _case(purpose: Purpose) -> str:
    return "needs a verified case" if purpose.case_required else "needs no case"


def _registry(purpose: Purpose) -> str:
    return f"cases are verified at `{purpose.case_registry}`" if purpose.case_registry else ""


def _official(purpose: Purpose) -> str:
    return "needs a named official" if purpose.official_required else "needs no official"


def _step_up(purpose: Purpose) -> str:
    return f"needs a sign-in of the class `{purpose.step_up}`" if purpose.step_up else "needs no stronger sign-in"


def _scope(purpose: Purpose) -> str:
    return "is for the subject's own token" if purpose.scope == "self" else "is for requesters' tokens"


def _objection(purpose: Purpose) -> str:
    how = "flagged" if purpose.overdue_objection == "flag" else "withheld"
    return f"records whose objection is overdue are {how}"


def _secrecy(purpose: Purpose) -> str:
    most = purpose.secrecy_max
    return f"the subject may be informed {describe.period(most)} later" if most else "the subject is informed at once"


def _quotas(purpose: Purpose) -> str:
    found = purpose.quotas
    if found is None:
        return "about any number of subjects"
    each = [f"{who} {_quota(quota)}" for who, quota in (("official", found.official), ("requester", found.requester))]
    return f"about so many subjects by one {' and by one '.join(each)}"


def _quota(quota: Quota) -> str:
    return f"at most {quota.hour:,} per hour and {quota.day:,} per day"


def _glass(purpose: Purpose) -> str:
    terms = purpose.break_glass
    return f"is for emergencies, reviewed within {terms.review_within} working days" if terms else ""


def _exempt(purpose: Purpose) -> str:
    found = purpose.suspension_exempt
    return f"its grants are not suspended, by {law(found)}" if found else ""


def _forward(purpose: Purpose) -> str:
    sent = " and the ".join(sorted(purpose.forward))
    return f"departments may be sent the {sent}" if sent else "departments are sent neither case nor official"


def _later(before: Period | None, after: Period | None) -> bool:
    return after is not None and (before is None or may_exceed(after, before))


def _more(before: Quotas | None, after: Quotas | None) -> bool:
    if before is None or after is None:
        return before is not None
    pairs = ((before.official, after.official), (before.requester, after.requester))
    return any(new.hour > old.hour or new.day > old.day for old, new in pairs)


def _emergencies(before: Purpose, after: Purpose) -> bool:
    old, new = before.break_glass, after.break_glass
    return new is not None and (old is None or new.review_within > old.review_within)


def _more_often(old: Frequency, new: Frequency) -> bool:
    if old.unlimited or new.unlimited:
        return new.unlimited and not old.unlimited
    return new.max > old.max or may_exceed(old.per, new.per)


_ASPECTS: tuple[_Aspect, ...] = (
    _Aspect(lambda each: f"its title is `{each.title}`"),
    _Aspect(lambda each: f"it covers {' and '.join(f'{kind}s' for kind in each.subjects)}"),
    _Aspect(lambda each: f"it rests on {_laws(each.basis)}"),
    _Aspect(lambda each: f"its DPV term is `{each.dpv}`"),
    _Aspect(_scope),
    _Aspect(_case, lambda old, new: old.case_required and not new.case_required),
    _Aspect(_registry),
    _Aspect(_official, lambda old, new: old.official_required and not new.official_required),
    _Aspect(_step_up, lambda old, new: old.step_up is not None and new.step_up is None),
    _Aspect(
        _frequency,
        lambda old, new: _more_often(old.frequency, new.frequency),
    ),
    _Aspect(_quotas, lambda old, new: _more(old.quotas, new.quotas)),
    _Aspect(
        lambda each: f"answers are deleted after {describe.period(each.delete_after)}",
        lambda old, new: may_exceed(new.delete_after, old.delete_after),
    ),
    _Aspect(_secrecy, lambda old, new: _later(old.secrecy_max, new.secrecy_max)),
    _Aspect(_objection, lambda old, new: old.overdue_objection == "withhold" and new.overdue_objection == "flag"),
    _Aspect(_glass, _emergencies),
    _Aspect(_forward, lambda old, new: not new.forward <= old.forward),
    _Aspect(_exempt, lambda old, new: old.suspension_exempt is None and new.suspension_exempt is not None),
)
