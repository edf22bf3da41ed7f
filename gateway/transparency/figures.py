"""The transparency report of one month: what is shown of its counts, as plain values and as CSV.

Each measure is a total and what it consists of, by the department and purpose that it is about; so a figure that is
hidden (`gateway.transparency.hidden`) cannot be had from others. An average time stands beside a figure that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.rules.model import Policies
from gateway.storage.projections.transparency import Key, Month
from gateway.storage.tables import moment
from gateway.texts.sheet import cell, csv_line
from gateway.transparency import counted
from gateway.transparency.hidden import LEAST, shown

_Whose = tuple[str, str]
"""A department and a purpose."""

COLUMNS = ("month", "department", "purpose", "what", "reason", "count", "average_days")


class Figure(NamedTuple):
    """A figure that is shown; `took` are seconds, all together."""

    department: str
    purpose: str
    what: str
    reason: str
    many: int
    took: int


class Figures(NamedTuple):
    """What is shown of one month. `totals` are by what is counted, and the reason."""

    each: Sequence[Figure]
    totals: Mapping[tuple[str, str], int]


def figures(policies: Policies, month: str, counts: Mapping[Key, tuple[int, int]]) -> Figures:
    """What is shown of a month's counts; what is not in it is hidden, zero or not."""
    domain = _domain(policies) | {(key[1], key[2]) for key in counts}
    each, totals = [], {}
    for what, reason in _measures(counts):
        cells = {whose: counts.get((month, *whose, what, reason), (0, 0))[0] for whose in domain}
        told = shown(cells)
        each += [
            Figure(*whose, what, reason, many, counts[month, *whose, what, reason][1])
            for whose, many in told.cells.items()
        ]
        if told.total is not None and told.total >= LEAST:
            totals[what, reason] = told.total
    return Figures(each, totals)


def document(policies: Policies, month: Month, counts: Mapping[Key, tuple[int, int]]) -> dict[str, Any]:
    """A month as plain JSON values, with titles."""
    found = figures(policies, month.month, counts)
    told = [_told(policies, each) for each in found.each]
    return {
        "month": month.month,
        "made": moment(month.made).replace(microsecond=0),
        "least": LEAST,
        "checkpoints": msgspec.json.decode(month.checkpoints, type=list[dict[str, Any]]),
        "totals": [
            {"what": what, "reason": reason or None, "count": many} for (what, reason), many in found.totals.items()
        ],
        "figures": sorted(
            told, key=lambda each: (each["department"], each["purpose"], each["what"], each["reason"] or "")
        ),
    }


def _domain(policies: Policies) -> set[_Whose]:
    """Whoever may ask, and for what; who provides; and who asks without saying what for."""
    asking = {(each.department, grant.purpose) for each in policies.requesters.values() for grant in each.grants}
    others = {each.department for each in policies.requesters.values()} | set(policies.catalogue.departments)
    return asking | {(department, "") for department in others}


def _measures(counts: Mapping[Key, tuple[int, int]]) -> list[tuple[str, str]]:
    found = {(key[3], key[4]) for key in counts}
    return sorted(found, key=lambda each: (counted.MEASURES.index(each[0]), each[1]))


def _told(policies: Policies, figure: Figure) -> dict[str, Any]:
    known = policies.purposes.get(figure.purpose)
    return {
        "department": policies.catalogue.departments.get(figure.department, figure.department),
        "purpose": known.title if known else figure.purpose,
        "what": figure.what,
        "reason": figure.reason or None,
        "count": figure.many,
        "averageDays": round(figure.took / figure.many / 86_400, 1) if figure.what == counted.DONE else None,
    }


def as_csv(told: Mapping[str, Any]) -> str:
    """The figures, and the totals as rows of no department; no cell is one that a spreadsheet calculates."""
    lines = [csv_line(COLUMNS)]
    for each in told["figures"]:
        days = "" if each["averageDays"] is None else f"{each['averageDays']}"
        row = (told["month"], each["department"], each["purpose"], each["what"], each["reason"] or "")
        lines.append(csv_line([*map(cell, row), str(each["count"]), days]))
    for each in told["totals"]:
        row = (told["month"], "", "", each["what"], each["reason"] or "")
        lines.append(csv_line([*map(cell, row), str(each["count"]), ""]))
    return "".join(lines)
