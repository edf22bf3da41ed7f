"""A purpose in words: the description of its value in the schema, for whoever declares it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.catalogue import describe
from gateway.nouns import counted
from gateway.rules.model import Purpose


def in_words(purpose: Purpose) -> str:
    """Its title, and a list: what it rests on, whom it is about, what must be named, what becomes of an answer."""
    return "\n".join((f"{purpose.title}.\n", *(f"- {line}." for line in _lines(purpose))))


def _lines(purpose: Purpose) -> Iterator[str]:
    law = "; ".join(map(describe.basis, purpose.basis))
    yield f"Rests on: {law}" if law else "Rests on the articles below"
    yield f"Articles of these rules: {', '.join(purpose.articles)}"
    yield f"About: {' and '.join(f'{kind}s' for kind in purpose.subjects)}"
    if purpose.case_registry:
        yield f"Needs a case that {purpose.case_registry} verifies for the official whom the token names: `case`"
    elif purpose.case_required:
        yield "Needs a case that your own registry verifies for the official whom the token names: `case`"
    if purpose.official_required:
        yield "Needs an official behind the request: the token names one"
    if purpose.step_up:
        yield f"Needs a stronger sign-in: the token's `acr` is {purpose.step_up}"
    if purpose.scope == "self":
        yield "For the subject's own token (scope `self`)"
    if purpose.break_glass:
        yield (
            f"For emergencies: `document` gives the reason, and each use is reviewed within "
            f"{purpose.break_glass.review_within} working days"
        )
    if purpose.forward:
        yield f"Departments that ask for it are sent the {' and the '.join(sorted(purpose.forward))}"
    if purpose.frequency.unlimited:
        yield "Any number of times about one subject"
    else:
        yield (
            f"At most {counted(purpose.frequency.max, 'time', ',')} about one subject in"
            f" {describe.period(purpose.frequency.per)}"
        )
    if purpose.secrecy_max:
        yield f"A law can have the subject informed later, after {describe.period(purpose.secrecy_max)} at most"
    if purpose.scope != "self":
        yield f"Answers are to be deleted after {describe.period(purpose.delete_after)}"
