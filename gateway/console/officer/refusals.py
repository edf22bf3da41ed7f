"""`/console/refusals`: how often inquiries were refused or answered in part, month by month, and for which reasons."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.responses import Response

from gateway.console.officer import charts
from gateway.console.officer.charts import Bar, Drawn
from gateway.console.visiting import Visit
from gateway.texts.words import Words

ROOM = "console.refusals"
DRAWN, LISTED = 4, 10
"""Reasons of a kind that are drawn, those with the most; purposes in the table, likewise."""
KINDS: Mapping[str, str] = {"denied": "reasons", "refused": "codes"}
"""What is drawn, and where its reasons' texts are."""


class Point(NamedTuple):
    """A figure; there may have been more where it is not the `whole`."""

    many: int
    whole: bool


class Line(NamedTuple):
    """A reason's figures: one per month, None where none is shown."""

    reason: Markup
    finding: Markup
    points: Sequence[Point | None]
    picture: Drawn


class Part(NamedTuple):
    """All reasons of a kind, those with the most first; `most` is the one with the most in the last closed month."""

    kind: str
    lines: Sequence[Line]
    most: Markup | None

    @property
    def runs(self) -> bool:
        """Whether a month that still runs is drawn."""
        return any(each.picture.running for each in self.lines)


async def refusals(visit: Visit) -> Response:
    """The charts and all figures, of all purposes or of one."""
    found = await visit.call("GET", "/rules/refusals")
    title = visit.parts.pages.names.purpose
    purposes = {each["purpose"]: title(each["purpose"]) for each in found["figures"] if each["purpose"]}
    chosen = visit.query("purpose") if visit.query("purpose") in purposes else ""
    points = _points(found, chosen)
    drawn = [each.many for (what, _), line in points.items() if what in KINDS for each in line if each]
    scale = charts.top(max(drawn, default=0))
    closed = [each["closed"] for each in found["months"]]
    months = [visit.words.month(each["month"]) for each in found["months"]]
    return await visit.page(
        "console/officer/refusals.html", ROOM,
        chosen=chosen, purposes=dict(sorted(purposes.items(), key=lambda each: each[1])), months=months, closed=closed,
        last=_short(visit.words, found["months"][-1]["month"]) if months else "",
        kinds=[_part(visit.words, found, points, kind, scale) for kind in KINDS], scale=scale, charts=charts,
        answered=points.get(("answered", ""), [None] * len(months)), drawn=DRAWN, least=found["least"],
        by_purpose=[] if chosen else _by_purpose(found), reason_of=lambda each: _reason(visit.words, "denied", each),
    )  # fmt: skip


def _points(found: Any, purpose: str) -> dict[tuple[str, str], list[Point | None]]:
    """The figures of each kind and reason, by month; where a purpose is chosen they are those that are shown of it."""
    place = {each["month"]: number for number, each in enumerate(found["months"])}
    points: dict[tuple[str, str], list[Point | None]] = {}
    for each in found["figures"] if purpose else found["totals"]:
        if not purpose or each["purpose"] == purpose:
            line = points.setdefault((each["what"], each["reason"] or ""), [None] * len(place))
            line[place[each["month"]]] = Point(each["count"], each.get("whole", False))
    return points


def _part(
    words: Words, found: Any, points: Mapping[tuple[str, str], Sequence[Point | None]], kind: str, scale: int
) -> Part:
    ofkind = {reason: line for (what, reason), line in points.items() if what == kind}
    order = sorted(ofkind, key=lambda each: (-sum(one.many for one in ofkind[each] if one), each))
    closed = [number for number, each in enumerate(found["months"]) if each["closed"]]
    lines = []
    for reason in order:
        bars = [
            Bar(one.many if one else None, each["closed"])
            for one, each in zip(ofkind[reason], found["months"], strict=True)
        ]
        finding = _finding(words, found["months"], ofkind[reason], closed)
        lines.append(Line(_reason(words, kind, reason), finding, ofkind[reason], charts.drawn(bars, scale)))
    last = {reason: one.many for reason in order if closed and (one := ofkind[reason][closed[-1]])}
    most = max(last, key=lambda each: last[each]) if last else None
    if most is None:
        return Part(kind, lines, None)
    month = _short(words, found["months"][closed[-1]]["month"])
    return Part(kind, lines, words(f"refusals.most.{kind}", month=month, reason=_text(words, kind, most)))


def _finding(words: Words, months: Any, points: Sequence[Point | None], closed: Sequence[int]) -> Markup:
    """What the last closed month says, and how it compares to the one before where both are told whole."""
    place = closed[-1] if closed else len(months) - 1
    now, before = points[place], points[place - 1] if place else None
    month = _short(words, months[place]["month"])
    if now is None:
        return words("refusals.found.hidden", month=month)
    if not closed:
        return words("refusals.found.running", month=month, count=f"{now.many:,}")
    if not now.whole:
        return words("refusals.found.least", month=month, count=f"{now.many:,}")
    if before is None or not before.whole:
        return words("refusals.found.alone", month=month, count=f"{now.many:,}")
    change = "more" if now.many > before.many else "fewer" if now.many < before.many else "same"
    earlier, by = _short(words, months[place - 1]["month"]), f"{abs(now.many - before.many):,}"
    return words(f"refusals.found.{change}", month=month, count=f"{now.many:,}", by=by, before=earlier)


def _by_purpose(found: Any) -> list[dict[str, Any]]:
    """Of the purposes with the most: all that is shown of the months together, and the reason most often denied for."""
    answered: collections.Counter[str] = collections.Counter()
    refused: collections.Counter[str] = collections.Counter()
    denied: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for each in found["figures"]:
        purpose = each["purpose"] or ""
        if each["what"] == "denied":
            denied[purpose][each["reason"]] += each["count"]
        else:
            (refused if each["what"] == "refused" else answered)[purpose] += each["count"]
    every = {*answered, *refused, *denied}
    order = sorted(every, key=lambda each: (-refused[each] - denied[each].total(), -answered[each], each))
    return [
        {
            "purpose": each,
            "answered": answered[each],
            "refused": refused[each],
            "denied": next(iter(denied[each].most_common(1)), None),
        }
        for each in order[:LISTED]
    ]


def _text(words: Words, kind: str, reason: str) -> Markup:
    return words.get(f"{KINDS[kind]}.{reason}", reason)


def _reason(words: Words, kind: str, reason: str) -> Markup:
    """A reason's text, as it stands at a beginning."""
    text = _text(words, kind, reason)
    return text[:1].upper() + text[1:]


def _short(words: Words, month: str) -> Markup:
    """A month without its year."""
    return words(f"months.{int(month[5:])}")
