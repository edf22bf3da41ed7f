"""A comparison as text for a terminal, and as CSV: what widens first, and each cell in a row of its own."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.catalogue.diff import Effect
from gateway.errors import printable
from gateway.rules.compare import under
from gateway.rules.compare.permits import Permit, possible
from gateway.rules.compare.report import Comparison, Side
from gateway.rules.compare.sentences import Told
from gateway.rules.compare.shifts import Shift
from gateway.rules.model import Grant
from gateway.texts.sheet import cell, csv_line

COLUMNS = (
    *("effect", "part", "issuer", "client", "department", "purpose", "subject", "dataset", "field"),
    *("before", "after", "people", "non_public", "articles", "because", "text"),
)
HEADINGS: tuple[tuple[Effect, str, str, str], ...] = (
    (Effect.WIDENS, "Opens", "Also wider", "+"),
    (Effect.NARROWS, "Closes", "Also narrower", "-"),
    (Effect.DIFFERS, "", "Differs too", "*"),
)
"""For each effect: how what opens or closes is headed, how what is beside it, and the sign of a line."""


def lead(found: Comparison) -> str:
    """How much opens and closes, in a sentence or two."""
    if found.equal:
        return "No difference: both mean the same."
    opens, closes = found.opened(), found.closed
    told = f"{_many(opens, 'field opens', 'fields open')} and {_many(closes, 'closes', 'close', 'none')}"
    if opens:
        people, hidden = found.opened(people=True), found.opened(non_public=True)
        told += f"; {people or 'none'} of what opens about people, {hidden or 'none'} not public"
    return f"{told[0].upper()}{told[1:]}. Computed from every requester, purpose, kind of subject and field."


def _many(count: int, one: str, several: str, nothing: str = "no") -> str:
    return f"{count:,} {several}" if count > 1 else f"{count or nothing} {one}"


def as_text(found: Comparison) -> Iterator[str]:
    """The comparison, line by line."""
    for word, side in (("From", found.before), ("To", found.after)):
        yield printable(f"{word:<5}{side.name}, rule set {side.rules.digest[:16]}")
    yield lead(found)
    for effect, moved, others, sign in HEADINGS:
        for heading, told in zip((moved, others), found.told(effect), strict=True):
            if told:
                yield ""
                yield heading
            for each in told:
                yield from _lines(each, sign)
    if found.breaking or found.dangerous:
        yield ""
        yield "GraphQL clients"
        yield from (printable(f"! breaks: {text}") for text in found.breaking)
        yield from (printable(f"? may surprise: {text}") for text in found.dangerous)


def _lines(told: Told, sign: str) -> Iterator[str]:
    yield printable(f"{sign} {told.text}{''.join(f' [{mark}]' for mark in marks(told))}")
    if reason := why(told):
        yield printable(f"  {reason}")


def marks(told: Told) -> list[str]:
    """What of it is about people, or not public."""
    return [name for name, holds in (("people", told.people), ("not public", told.non_public)) if holds]


def why(told: Told) -> str:
    """Why it is so, and on which articles and laws, in a sentence."""
    because = f"Because {' and '.join(told.because)}." if told.because else ""
    articles = f"Art. {', '.join(told.articles)}" if told.articles else ""
    held = f"held {told.held}" if told.held else ""
    rests = "; ".join(part for part in (articles, *told.bases, held) if part)
    return " ".join(part for part in (because, f"{rests}." if rests else "") if part)


def as_csv(found: Comparison) -> Iterator[str]:
    """The comparison as CSV, line by line: a row for each cell, and one for each other difference."""
    yield csv_line(COLUMNS)
    for told in (*found.matrix, *found.beside):
        common = (
            _yes(told.people),
            _yes(told.non_public),
            ", ".join(told.articles),
            "; ".join(told.because),
            told.text,
        )
        effect = told.effect.name.lower()
        for shift in told.shifts:
            yield _row(effect, told.part, *_place(shift), *_conditions(found, shift), *common)
        if not told.shifts:
            yield _row(effect, told.part, *[""] * 9, *common)
    for effect, texts in (("breaks", found.breaking), ("surprises", found.dangerous)):
        for text in texts:
            yield _row(effect, "graphql", *[""] * 13, text)


def _row(*cells: str) -> str:
    return csv_line(map(cell, cells))


def _yes(holds: bool) -> str:
    return "yes" if holds else ""


def _place(shift: Shift) -> tuple[str, ...]:
    pair = shift.pair
    return (pair.issuer, pair.client, pair.department, pair.purpose, shift.kind, shift.dataset, shift.field)


def _conditions(found: Comparison, shift: Shift) -> Iterator[str]:
    sides: tuple[tuple[Side, Grant | None, Permit], ...] = (
        (found.before, shift.pair.before, shift.before),
        (found.after, shift.pair.after, shift.after),
    )
    for side, grant, permit in sides:
        if grant is None or not permit.under:
            yield "denied"
        else:
            rules = side.rules
            occurring = possible(rules.holder(grant), rules.policies.purposes[grant.purpose])
            yield " ".join(["permitted", under.words(permit.under, occurring)]).strip()
