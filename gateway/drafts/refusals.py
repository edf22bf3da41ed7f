"""`GET /rules/refusals`: how often inquiries were answered, refused and denied in part, by month, purpose and reason.

It is for officers, who see by it where rules stand in people's way, and tells no more than everybody sees of a closed
month (`gateway.transparency.figures`): sums of the same figures, of all authorities. Months that are not closed are
counted likewise and rounded down to tens, so that nobody sees one inquiry as it happens; inquiries that were secret
when they were made are in none of them.
"""

from __future__ import annotations

import asyncio
import collections
import threading
from collections.abc import Iterator
from typing import Any

from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import Route

from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.plain import Asked, Plain
from gateway.proposals.desk import unreadable
from gateway.proposals.scoped import opened
from gateway.rules.ruleset import RuleSet
from gateway.storage.projections import transparency as kept
from gateway.transparency import counted
from gateway.transparency.figures import Figures, figures
from gateway.transparency.hidden import LEAST

MONTHS = 12
"""Months that are told, the latest."""
_OFFICER = ("officer",)
_TOLD = (counted.ANSWERED, counted.REFUSED, counted.DENIED)
_KEPT = 64


class Refusals:
    """What an office's ledger has of refusals. A closed month's figures are made once for a rule set."""

    def __init__(self, office: Office) -> None:
        self._office, self._lock = office, threading.Lock()
        self._made: LRUCache[tuple[str, str], Figures] = LRUCache(_KEPT)

    def routes(self, plain: Plain) -> list[Route]:
        """The route."""
        return [plain.route("GET", "/rules/refusals", opened(_OFFICER, self._show))]

    async def _show(self, asked: Asked) -> Acted:
        return Acted(await asyncio.to_thread(self.told))

    def told(self) -> dict[str, Any]:
        """All of it, the earliest month first; what is not in it is hidden, zero or not. Blocks; raises `Refusal`.

        A total that is not `whole` is the sum of its shown figures alone.
        """
        rules = self._office.rules
        months, totals, each = [], [], []
        try:
            for month, closed in self._months():
                found = self._figures(rules, month, closed=closed)
                months.append({"month": month, "closed": closed})
                totals += list(_totals(month, found, closed=closed))
                each += list(_purposes(month, found, closed=closed))
        except SQLAlchemyError as error:
            raise unreadable() from error
        return {"least": LEAST, "months": months, "totals": totals, "figures": each}

    def _months(self) -> list[tuple[str, bool]]:
        """Each month, and whether it is closed."""
        engine = self._office.store.engine
        closed = [each.month for each in kept.months(engine)]
        present = counted.month(self._office.now(), self._office.rules.calendar.zone)
        following, running = counted.after(closed[0]) if closed else kept.first(engine), []
        while following is not None and following <= present:  # beyond are only inquiries that are secret until then
            running.append(following)
            following = counted.after(following)
        return [*((each, True) for each in reversed(closed)), *((each, False) for each in running)][-MONTHS:]

    def _figures(self, rules: RuleSet, month: str, *, closed: bool) -> Figures:
        engine, key = self._office.store.engine, (month, rules.digest)
        if not closed:
            return figures(rules.policies, month, kept.counts(engine, month, whole=False))
        with self._lock:
            if key not in self._made:
                self._made[key] = figures(rules.policies, month, kept.counts(engine, month))
            return self._made[key]


def _totals(month: str, found: Figures, *, closed: bool) -> Iterator[dict[str, Any]]:
    """How many of each kind and reason, of all purposes."""
    sums: collections.Counter[tuple[str, str]] = collections.Counter()
    for each in found.each:
        sums[each.what, each.reason] += _rounded(each.many, closed=closed)
    for what, reason in sorted({*sums, *found.totals}):
        if what in _TOLD:
            whole = (what, reason) in found.totals
            many = _rounded(found.totals[what, reason], closed=closed) if whole else sums[what, reason]
            yield {"month": month, "what": what, "reason": reason or None, "count": many, "whole": whole}


def _purposes(month: str, found: Figures, *, closed: bool) -> Iterator[dict[str, Any]]:
    """The same for each purpose, as far as its authorities' figures are shown."""
    sums: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for each in found.each:
        sums[each.purpose, each.what, each.reason] += _rounded(each.many, closed=closed)
    for (purpose, what, reason), many in sorted(sums.items()):
        if what in _TOLD:
            yield {"month": month, "purpose": purpose or None, "what": what, "reason": reason or None, "count": many}


def _rounded(many: int, *, closed: bool) -> int:
    return many if closed else many - many % LEAST
